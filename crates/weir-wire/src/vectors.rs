//! Formats of embeddings: what is embedded, and the vectors of it, in the words of each API that has them.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/embeddings>, <https://ai.google.dev/api/embeddings>,
//! <https://docs.ollama.com/api/embed>, <https://docs.cohere.com/reference/embed>.

mod cohere;
mod gemini;
mod numbers;
mod ollama;
mod openai;
#[cfg(test)]
mod tests;

use crate::format::Losing;
use crate::neutral::{Lost, Raw, Str};
use std::fmt::Debug;
use weir_core::{Class, Endpoint, Fault, Usage};

/// A request for vectors.
#[derive(Clone, Debug, Default)]
pub struct Embed<'a> {
    /// What is to be embedded.
    pub inputs: Inputs<'a>,
    /// How many numbers a vector is to have.
    pub dimensions: Option<u64>,
    /// What the vectors are for, in Google's words.
    pub task: Option<Str<'a>>,
    /// Whose request it is.
    pub user: Option<Str<'a>>,
    /// Whether the client wants the numbers in base64: 32 bits each, the lowest byte first.
    pub base64: bool,
    /// Whether the client handed in one thing alone, and not a list.
    pub single: bool,
}

/// What is to be embedded.
#[derive(Clone, Debug)]
pub enum Inputs<'a> {
    /// Texts.
    Texts(Vec<Str<'a>>),
    /// Tokens by their numbers, as the client wrote them: only models of one vendor know them.
    Tokens(Raw<'a>),
}

impl Default for Inputs<'_> {
    fn default() -> Self {
        Inputs::Texts(Vec::new())
    }
}

/// Vectors.
#[derive(Clone, Debug, Default)]
pub struct Vectors<'a> {
    /// One for each input, in their order.
    pub vectors: Vec<Vector<'a>>,
    /// The model that made them, by its own account.
    pub model: Str<'a>,
    /// What it took, where that is told.
    pub usage: Option<Usage>,
}

/// One vector.
#[derive(Clone, Debug)]
pub enum Vector<'a> {
    /// A list of numbers, as it was written.
    Numbers(Raw<'a>),
    /// The same in base64.
    Base64(Str<'a>),
}

/// One API for vectors.
pub trait VectorFormat: Debug + Sync {
    /// The operation whose calls and answers are in it.
    fn endpoint(&self) -> Endpoint;

    /// Reads a client's call. Members that the neutral form has no place for are noted.
    ///
    /// # Errors
    /// The caller's, status 400, naming the field.
    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Embed<'b>, Fault>;

    /// Writes a call for `model`. What this format has no place for is noted.
    ///
    /// # Errors
    /// The caller's, status 400: what cannot be embedded there.
    fn write_call(&self, call: &Embed<'_>, model: &str, losing: &mut Losing<'_>) -> Result<Vec<u8>, Fault>;

    /// Reads a deployment's answer.
    ///
    /// # Errors
    /// The upstream's: not what its API promises.
    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Vectors<'b>, Fault>;

    /// Writes an answer for a client, to what `call` asked of `model`.
    ///
    /// # Errors
    /// The upstream's: vectors that are none.
    fn write_reply(&self, reply: &Vectors<'_>, call: &Embed<'_>, model: &str) -> Result<Vec<u8>, Fault>;
}

/// Every format.
pub const FORMATS: &[&dyn VectorFormat] =
    &[&openai::OpenAi, &gemini::Batch, &gemini::Single, &ollama::Ollama, &cohere::Cohere];

/// The format of what is called, where that gives vectors.
pub fn of(endpoint: Endpoint) -> Option<&'static dyn VectorFormat> {
    FORMATS.iter().copied().find(|format| format.endpoint() == endpoint)
}

/// The fault of a call for which a deployment of another API has no form.
fn cannot(message: &'static str) -> Fault {
    Fault::new(Class::Refused, 400, "unsupported_parameter", message).with_param("input")
}

/// The texts, where what is to be embedded is some.
///
/// # Errors
/// The numbers of tokens mean nothing to another vendor's model.
fn texts<'e>(call: &'e Embed<'_>) -> Result<&'e [Str<'e>], Fault> {
    match &call.inputs {
        Inputs::Texts(texts) => Ok(texts),
        Inputs::Tokens(_) => {
            Err(cannot("the model's server takes texts and no numbers of tokens; send `input` as text"))
        }
    }
}
