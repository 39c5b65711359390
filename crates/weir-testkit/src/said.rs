//! What a scripted model says, in no vendor's words: every vendor's format renders it in its own.

use serde_json::Value;

/// Stands in a [`Part::Text`], or as a member of a call's arguments, for what the model was told: who said what, which tools
/// there are, and the terms, in the same words whatever the format.
pub const HEARD: &str = "@heard@";

/// One turn of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub(crate) parts: Vec<Part>,
    pub(crate) finish: Finish,
    pub(crate) tokens: Tokens,
}

/// A piece of what is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A thought, with the seal by which its vendor knows it again.
    Thought {
        /// In words.
        text: String,
        /// Where the format has a place for one.
        seal: String,
    },
    /// Text for the user.
    Text(String),
    /// A call of a tool.
    Call {
        /// Where the format has a place for one.
        id: String,
        /// The tool's name.
        name: String,
        /// An object.
        arguments: Value,
    },
    /// Data in the way the call asks for it: by the tool that is offered first, or as text where there is none.
    Data(Value),
    /// A refusal in words.
    Refusal(String),
}

/// Why it ends. Calls of tools end a turn by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It has said all, or wants its tools called.
    Done,
    /// There were no tokens left.
    Length,
    /// It was about to say this.
    Stop(String),
    /// It will not go on.
    Refused,
}

/// What it took. No number is part of another, except `reasoning`, which is part of `output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Read, and neither from nor into a cache.
    pub input: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Written to a cache.
    pub cache_write: u64,
    /// Written.
    pub output: u64,
    /// Of these, thoughts.
    pub reasoning: u64,
}

impl Said {
    /// Nothing yet, of 9 tokens read and 5 written.
    pub fn new() -> Self {
        let tokens = Tokens { input: 9, cache_read: 0, cache_write: 0, output: 5, reasoning: 0 };
        Said { parts: Vec::new(), finish: Finish::Done, tokens }
    }

    /// Only this text.
    pub fn text(text: &str) -> Self {
        Said::new().and(Part::Text(text.to_owned()))
    }

    /// Adds a part.
    #[must_use]
    pub fn and(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// Adds a call of a tool.
    #[must_use]
    pub fn call(self, id: &str, name: &str, arguments: Value) -> Self {
        self.and(Part::Call { id: id.to_owned(), name: name.to_owned(), arguments })
    }

    /// Adds a thought.
    #[must_use]
    pub fn thought(self, text: &str, seal: &str) -> Self {
        self.and(Part::Thought { text: text.to_owned(), seal: seal.to_owned() })
    }

    /// Ends for this reason.
    #[must_use]
    pub fn finish(mut self, finish: Finish) -> Self {
        self.finish = finish;
        self
    }

    /// Took so many tokens.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// With nothing left open: what was heard in its place, and data in the way the call asks for it.
    pub(crate) fn settled(&self, heard: &str, tool: Option<&str>) -> Said {
        let part = |part: &Part| match (part, tool) {
            (Part::Text(text), _) => Part::Text(text.replace(HEARD, heard)),
            (Part::Call { id, name, arguments }, _) => {
                Part::Call { id: id.clone(), name: name.clone(), arguments: filled(arguments, heard) }
            }
            (Part::Data(data), None) => Part::Text(data.to_string()),
            (Part::Data(data), Some(tool)) => {
                Part::Call { id: "call_data".to_owned(), name: tool.to_owned(), arguments: data.clone() }
            }
            (part, _) => part.clone(),
        };
        Said { parts: self.parts.iter().map(part).collect(), ..self.clone() }
    }

    pub(crate) fn calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Call { .. }))
    }
}

/// The members of an object that stand for what was heard, filled in.
fn filled(arguments: &Value, heard: &str) -> Value {
    match arguments {
        Value::Object(members) => {
            let fill = |(name, value): (&String, &Value)| {
                (name.clone(), if *value == HEARD { heard.into() } else { value.clone() })
            };
            Value::Object(members.iter().map(fill).collect())
        }
        other => other.clone(),
    }
}

impl Default for Said {
    fn default() -> Self {
        Said::new()
    }
}
