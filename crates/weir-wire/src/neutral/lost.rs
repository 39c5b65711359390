//! What a change of format leaves behind.

use std::borrow::Cow;
use std::fmt;

/// Something a call can ask for, or carry, that not every format has a place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Param {
    /// `temperature`.
    Temperature,
    /// `top_p`.
    TopP,
    /// `top_k`.
    TopK,
    /// `min_p`.
    MinP,
    /// `seed`.
    Seed,
    /// `frequency_penalty`.
    FrequencyPenalty,
    /// `presence_penalty`.
    PresencePenalty,
    /// `repetition_penalty`.
    RepetitionPenalty,
    /// Stop sequences.
    Stop,
    /// More than one answer.
    N,
    /// `logprobs` and how many.
    Logprobs,
    /// `logit_bias`.
    LogitBias,
    /// The most tokens to be generated.
    MaxTokens,
    /// Tools as such.
    Tools,
    /// A tool that only one vendor has, such as a web search of its own.
    NativeTool,
    /// Which tool is to be called.
    ToolChoice,
    /// Whether several tools may be called at once.
    ParallelTools,
    /// A schema's promise to be kept to the letter.
    Strict,
    /// Output as JSON, or by a schema.
    Output,
    /// How much to think.
    Reasoning,
    /// Earlier thinking that is handed back.
    Thinking,
    /// Whose request it is.
    User,
    /// The caller's own notes.
    Metadata,
    /// What the vendor is to keep in its prompt cache.
    Cache,
    /// The name of who speaks.
    Name,
    /// How closely an image is looked at.
    Detail,
    /// That a tool failed, beside what it said.
    ToolError,
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// A film.
    Video,
    /// A document.
    Document,
    /// Where a text was taken from.
    Citations,
    /// What vectors are for.
    Task,
    /// A tier of service.
    ServiceTier,
}

/// What was left behind, each named as the client's format spells it, in the order it was met, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    names: Vec<Cow<'static, str>>,
    more: usize,
}

impl Lost {
    /// So many are named; the rest are counted.
    pub const MOST: usize = 32;

    /// So many bytes of a name are kept. Names of unknown members are the client's own words.
    pub const LONGEST: usize = 96;

    /// Notes that `name` is left behind.
    pub fn note(&mut self, name: impl Into<Cow<'static, str>>) {
        let mut name = name.into();
        if name.len() > Self::LONGEST {
            let end = name.floor_char_boundary(Self::LONGEST);
            name = Cow::Owned(name.get(..end).unwrap_or_default().to_owned());
        }
        if self.names.contains(&name) {
            return;
        }
        if self.names.len() < Self::MOST {
            self.names.push(name);
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

/// As a header's value lists them: only visible ASCII, separated by commas.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            for char in name.chars() {
                write!(f, "{}", if char.is_ascii_graphic() && char != ',' { char } else { '?' })?;
            }
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}
