//! What a request says.

use super::{Raw, Str};

/// A request for generated text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call<'a> {
    /// The model asked for.
    pub model: Str<'a>,
    /// The conversation, oldest first, instructions included.
    pub turns: Vec<Turn<'a>>,
    /// What the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether it may call several at once.
    pub parallel_tools: Option<bool>,
    /// The form of the answer, when it is not free text.
    pub output: Option<Output<'a>>,
    /// How much to think.
    pub reasoning: Option<Reasoning>,
    /// How tokens are drawn.
    pub sampling: Sampling<'a>,
    /// The most tokens to be generated, thinking included.
    pub max_tokens: Option<u64>,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
    /// Whether the client wants usage in its stream, where its format lets it choose.
    pub stream_usage: bool,
    /// Whose request it is, in the caller's words.
    pub user: Option<Str<'a>>,
    /// The caller's notes: an object of strings.
    pub metadata: Option<Raw<'a>>,
    /// By which the vendor's prompt cache is found (`prompt_cache_key`).
    pub cache_key: Option<Str<'a>>,
    /// The tier of service asked for.
    pub service_tier: Option<Str<'a>>,
    /// Members that the client wants passed to the vendor whatever they are (`extra_body`): an object.
    pub extra: Option<Raw<'a>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The same, in the word of OpenAI's newer models.
    Developer,
    /// The person, or the program, that asks.
    User,
    /// The model.
    Assistant,
}

/// What one side says in one go.
///
/// Results of tools are parts of the user's turn; formats that give them a turn of their own split it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// What, in order.
    pub parts: Vec<Part<'a>>,
    /// The name of who speaks, where several do.
    pub name: Option<Str<'a>>,
}

/// A part of a turn or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'a> {
    /// Words.
    Text(Text<'a>),
    /// A picture, sound, a film, a document.
    Media(Media<'a>),
    /// What the model thought.
    Thinking(Thinking<'a>),
    /// A tool the model calls.
    ToolCall(ToolCall<'a>),
    /// What a tool gave.
    ToolResult(ToolResult<'a>),
    /// That the model will not answer, in its words.
    Refusal(Str<'a>),
}

/// Words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text<'a> {
    /// The words themselves.
    pub text: Str<'a>,
    /// Where they were taken from, as the format it came in writes it, with that format's name.
    pub citations: Option<(&'static str, Raw<'a>)>,
    /// That the prompt up to here is worth keeping.
    pub cache: Option<CacheHint>,
}

/// That the prompt up to and including a part is worth keeping in the vendor's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheHint {
    /// For as long as the vendor usually does (Anthropic: five minutes).
    Usual,
    /// For an hour.
    Hour,
}

/// What kind of medium it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// Sound.
    Audio,
    /// A film.
    Video,
    /// A text document, such as a PDF.
    Document,
}

/// A picture, sound, a film, a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Media<'a> {
    /// What it is.
    pub kind: MediaKind,
    /// Where it is.
    pub source: Source<'a>,
    /// What it is called.
    pub name: Option<Str<'a>>,
    /// How closely it is to be looked at (`low`, `high`, `auto`).
    pub detail: Option<Str<'a>>,
    /// As of a [`Text`].
    pub cache: Option<CacheHint>,
}

/// Where a medium's bytes are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source<'a> {
    /// At an address that the model's vendor is to fetch. Weir does not.
    Url(Str<'a>),
    /// Here.
    Data {
        /// Their type, such as `image/png`.
        mime: Str<'a>,
        /// They themselves, in base64.
        base64: Str<'a>,
    },
    /// In a file kept by the vendor.
    File(Str<'a>),
    /// Plain text in place of bytes.
    Text(Str<'a>),
}

/// What the model thought before it spoke.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thinking<'a> {
    /// The thoughts, or a summary of them; empty when they are hidden.
    pub text: Str<'a>,
    /// By which the vendor knows them for its own when they are handed back.
    pub proof: Option<Proof<'a>>,
    /// Whether the proof is all there is: the vendor hid the words (Anthropic's `redacted_thinking`).
    pub hidden: bool,
}

/// A vendor's seal on what its model thought. Only that vendor takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// The format it came in, by name; another one's deployments are not shown it.
    pub format: Str<'a>,
    /// The seal.
    pub seal: Str<'a>,
}

/// A tool the model calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolCall<'a> {
    /// By which its result is told from others'. Empty where the format has none.
    pub id: Str<'a>,
    /// The tool's name.
    pub name: Str<'a>,
    /// The arguments: the text of a JSON object, if the model did as it was told.
    pub arguments: Str<'a>,
    /// As of a [`Thinking`] (Gemini puts its seal here).
    pub proof: Option<Proof<'a>>,
    /// As of a [`Text`].
    pub cache: Option<CacheHint>,
}

/// What a tool gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolResult<'a> {
    /// The id of the call; empty where the format has none.
    pub id: Str<'a>,
    /// The tool's name; empty where the format does not repeat it.
    pub name: Str<'a>,
    /// What it gave: texts and media.
    pub parts: Vec<Part<'a>>,
    /// Whether it failed.
    pub is_error: bool,
    /// As of a [`Text`].
    pub cache: Option<CacheHint>,
}

/// What the model may call.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool<'a> {
    /// A function of the caller's.
    Function {
        /// Its name.
        name: Str<'a>,
        /// What it is for.
        description: Option<Str<'a>>,
        /// A JSON schema of its arguments.
        parameters: Option<Raw<'a>>,
        /// Whether the arguments must keep to the schema to the letter.
        strict: Option<bool>,
        /// As of a [`Text`].
        cache: Option<CacheHint>,
    },
    /// A tool of the vendor's own, as the format it came in writes it.
    Native {
        /// What the format calls it.
        kind: Str<'a>,
        /// The whole of it.
        value: Raw<'a>,
    },
}

/// Whether a tool must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// As the model sees fit.
    Auto,
    /// None may be.
    None,
    /// One of them must be.
    Required,
    /// This one must be.
    Named(Str<'a>),
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<'a> {
    /// Any JSON object.
    Json,
    /// JSON by a schema.
    Schema {
        /// What it is called.
        name: Option<Str<'a>>,
        /// What it is for.
        description: Option<Str<'a>>,
        /// The schema itself.
        schema: Raw<'a>,
        /// Whether the answer must keep to it to the letter.
        strict: Option<bool>,
    },
}

/// How much to think: by a word, by a number of tokens, or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// The word.
    pub effort: Option<Effort>,
    /// The tokens.
    pub budget: Option<u64>,
    /// Whether the thoughts, or their summary, are to be shown.
    pub shown: Option<bool>,
}

/// How much to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// As much as there is.
    Max,
}

impl Effort {
    /// From least to most.
    pub const ALL: [Effort; 6] =
        [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Max];

    /// The word for it in OpenAI's format.
    pub const fn name(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Max => "xhigh",
        }
    }

    /// The effort that a word means.
    pub fn by_name(word: &str) -> Option<Effort> {
        match word {
            "max" => Some(Effort::Max),
            word => Effort::ALL.into_iter().find(|effort| effort.name() == word),
        }
    }

    /// The tokens it stands for where only a number can be said: Google's own equivalents
    /// (<https://ai.google.dev/gemini-api/docs/openai#thinking>).
    pub const fn budget(self) -> u64 {
        match self {
            Effort::None => 0,
            Effort::Minimal | Effort::Low => 1024,
            Effort::Medium => 8192,
            Effort::High => 24576,
            Effort::Max => 32768,
        }
    }

    /// The effort that a number of tokens comes nearest to without falling short of it.
    pub fn of_budget(tokens: u64) -> Effort {
        match tokens {
            0 => Effort::None,
            1..=1024 => Effort::Low,
            1025..=8192 => Effort::Medium,
            8193..=24576 => Effort::High,
            _ => Effort::Max,
        }
    }
}

impl Reasoning {
    /// The effort, by word or by number.
    pub fn effort(self) -> Option<Effort> {
        self.effort.or_else(|| self.budget.map(Effort::of_budget))
    }

    /// The tokens, by number or by word.
    pub fn budget(self) -> Option<u64> {
        self.budget.or_else(|| self.effort.map(Effort::budget))
    }
}

/// How tokens are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling<'a> {
    /// Evenness of the distribution.
    pub temperature: Option<f64>,
    /// The likeliest tokens that together have this share.
    pub top_p: Option<f64>,
    /// The so many likeliest tokens.
    pub top_k: Option<u64>,
    /// Tokens at least so likely as this share of the likeliest.
    pub min_p: Option<f64>,
    /// Against chance.
    pub seed: Option<i64>,
    /// Against what has been said often.
    pub frequency_penalty: Option<f64>,
    /// Against what has been said at all.
    pub presence_penalty: Option<f64>,
    /// The same, as servers of open models know it.
    pub repetition_penalty: Option<f64>,
    /// Texts at which to stop.
    pub stop: Vec<Str<'a>>,
    /// So many answers.
    pub n: Option<u64>,
    /// Whether each token's probability is wanted.
    pub logprobs: Option<bool>,
    /// And so many others' beside it.
    pub top_logprobs: Option<u64>,
    /// A bias for each token: an object.
    pub logit_bias: Option<Raw<'a>>,
}
