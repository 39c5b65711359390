//! What a client has been told of an answer so far, so that another stream can take it up where the first one broke off.
//!
//! An answer is a text, and perhaps a thought before it. Nobody goes on with another one's thought: it is repeated to the
//! letter or it is none. Once the text has begun, the thought is over, and what a second stream thinks on its way to the
//! same text is its own business: it is left out.

use crate::format::Begun;

/// What a client has of an answer that another stream may take up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Of the thought before its text; nothing once the text has begun.
    pub thought: String,
    /// Of its text.
    pub text: String,
    /// Where the text has begun: whether a thought went before it.
    pub after_thought: bool,
    /// What it comes to in the client's stream.
    pub begun: Begun,
}

impl Words {
    /// A text, and no thought before it.
    pub fn text(text: &str) -> Self {
        let begun = if text.is_empty() { Begun::Head } else { Begun::Text };
        Words { text: text.to_owned(), begun, ..Words::default() }
    }

    /// Whether nothing has been said at all.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.thought.is_empty()
    }
}

/// The text that has gone out, and how much of it the present stream has said as well.
#[derive(Clone, Debug)]
pub(super) struct Told {
    text: String,
    /// Bytes of `text` that this stream has repeated, or need not repeat.
    at: usize,
    /// The text was a part of the answer, and that has ended; or one ended that was neither text nor thought.
    ended: bool,
    /// The client has the beginning of a text that says nothing yet.
    opened: bool,
    thought: Thought,
    /// This stream takes up an answer and nothing of it has gone out yet.
    joining: bool,
    /// It was to go on behind the text, and may have begun anew instead: so far it says what the text begins with.
    doubt: bool,
    /// What was taken for a repetition and was none.
    held: String,
}

/// The thought before the text.
#[derive(Clone, Debug, Default)]
struct Thought {
    stage: Stage,
    /// What of it has gone out; forgotten when it is over.
    text: String,
    /// Bytes of it that this stream has repeated.
    at: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is none.
    #[default]
    None,
    /// More of it may come.
    Open,
    /// More of it may come, and what came cannot be compared.
    Blurred,
    /// It has been sealed by its vendor.
    Sealed,
    /// It has ended.
    Over,
}

/// What becomes of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// All of it is new.
    New,
    /// The client has it already, or need not have it.
    Known,
    /// What stands behind this many bytes is new.
    NewFrom(usize),
    /// The client was told something else.
    Differs,
}

impl Told {
    /// Longer answers are not remembered, and so cannot be taken up.
    const MOST: usize = 256 * 1024;

    /// A stream that was to go on, and says so many bytes of the text from its beginning, has begun anew; of a shorter text,
    /// all of it.
    const BEGUN_ANEW: usize = 64;

    /// Shorter texts may well be said twice in a row.
    const TELLS: usize = 4;

    /// Nothing yet.
    pub(super) fn nothing() -> Self {
        Told {
            text: String::new(),
            at: 0,
            ended: false,
            opened: false,
            thought: Thought::default(),
            joining: false,
            doubt: false,
            held: String::new(),
        }
    }

    /// All of `words`. With `repeats`, the present stream begins the answer anew; without, it goes on behind the text, unless
    /// its first words are the text's: then it has begun anew all the same, as servers do that do not know of the other.
    pub(super) fn joining(words: &Words, repeats: bool) -> Self {
        let doubt = !repeats && words.text.trim().len() >= Self::TELLS;
        let at = if repeats || doubt { 0 } else { words.text.len() };
        let stage = match (words.after_thought, words.thought.is_empty()) {
            (true, _) => Stage::Over,
            (false, false) => Stage::Open,
            (false, true) => Stage::None,
        };
        let thought = Thought { stage, text: words.thought.clone(), at: 0 };
        let opened = words.is_empty() && words.begun == Begun::Text;
        let text = words.text.clone();
        Told { text, at, ended: false, opened, thought, joining: true, doubt, held: String::new() }
    }

    /// What the client has, if it can be gone on with behind that.
    pub(super) fn words(&self) -> Option<Words> {
        let stage = self.thought.stage;
        let in_thought = self.text.is_empty() && stage != Stage::None;
        if self.joining || in_thought && stage != Stage::Open {
            return None;
        }
        let begun = if self.is_empty() { Begun::Head } else { Begun::Text };
        let (thought, text) = (self.thought.text.clone(), self.text.clone());
        Some(Words { thought, text, after_thought: stage == Stage::Over, begun })
    }

    /// Whether the present stream has yet to say what the client has.
    pub(super) fn is_repeating(&self) -> bool {
        self.at < self.text.len() && !(self.doubt && self.at == 0)
            || self.text.is_empty() && self.thought.at < self.thought.text.len()
    }

    /// What stands before the text that was heard to be new, and is so, too.
    pub(super) fn take_held(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Whether nothing of the present stream has gone out yet, although the client has the answer's beginning.
    pub(super) fn is_joining(&self) -> bool {
        self.joining
    }

    /// From now on everything goes out.
    pub(super) fn join(&mut self) {
        self.joining = false;
    }

    /// Takes the next of the stream's text.
    pub(super) fn hear(&mut self, said: &str) -> Heard {
        if self.text.is_empty() && self.thought.stage != Stage::None {
            if self.is_repeating() {
                return Heard::Differs;
            }
            self.thought = Thought { stage: Stage::Over, ..Thought::default() };
        }
        if self.doubt && !self.begins_anew(said) {
            self.doubt = false;
            self.text.get(..self.at).unwrap_or_default().clone_into(&mut self.held);
            let held = self.held.clone();
            self.text.push_str(&held);
            self.text.push_str(said);
            self.at = self.text.len();
            return Heard::New;
        }
        compare(&mut self.text, &mut self.at, said)
    }

    /// Takes the next of what it thinks.
    pub(super) fn think(&mut self, said: &str) -> Heard {
        if !self.text.is_empty() {
            // Its way to a text that is there already, which the client need not have; to one that goes on, none.
            return Heard::Known;
        }
        self.ended |= self.opened;
        match self.thought.stage {
            Stage::None | Stage::Open => {
                self.thought.stage = Stage::Open;
                compare(&mut self.thought.text, &mut self.thought.at, said)
            }
            Stage::Blurred if !self.joining => Heard::New,
            Stage::Blurred | Stage::Sealed | Stage::Over => Heard::Differs,
        }
    }

    /// It thinks, in a way that cannot be compared. Gives whether the answer can be taken up once its text has begun.
    pub(super) fn thinks_somehow(&mut self) -> bool {
        let early =
            self.text.is_empty() && matches!(self.thought.stage, Stage::None | Stage::Open | Stage::Blurred);
        self.thought = Thought { stage: Stage::Blurred, ..Thought::default() };
        early
    }

    /// The thought is sealed. Gives whether the answer can be taken up all the same.
    pub(super) fn seal(&mut self) -> bool {
        let early = self.text.is_empty() && matches!(self.thought.stage, Stage::None | Stage::Open);
        self.thought.stage = Stage::Sealed;
        early
    }

    /// A part of the answer has ended.
    pub(super) fn part_ends(&mut self) {
        if self.text.is_empty() && matches!(self.thought.stage, Stage::Open | Stage::Sealed) {
            self.thought.stage = Stage::Over;
        } else {
            self.ended = true;
        }
    }

    /// Whether a part has ended that was not the thought before the text.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether it has grown too long to be kept.
    pub(super) fn is_too_long(&self) -> bool {
        self.text.len().max(self.thought.text.len()) > Self::MOST
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing has been said at all.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.thought.stage == Stage::None
    }

    /// Whether a stream that was to go on may still have begun anew, now that it says this; once that is certain there is no
    /// doubt any more.
    fn begins_anew(&mut self, said: &str) -> bool {
        let known = self.text.get(self.at..).unwrap_or_default();
        let same = known.bytes().zip(said.bytes()).take_while(|(known, said)| known == said).count();
        let certain = same == known.len() || self.at + same >= Self::BEGUN_ANEW;
        self.doubt = !certain;
        certain || same == said.len()
    }
}

/// What is said next, beside what is known to have been said from `at` on; what is new is known from now on.
fn compare(known: &mut String, at: &mut usize, said: &str) -> Heard {
    let rest = known.get(*at..).unwrap_or_default();
    if rest.is_empty() {
        known.push_str(said);
        *at = known.len();
        return Heard::New;
    }
    if let Some(new) = said.strip_prefix(rest) {
        known.push_str(new);
        *at = known.len();
        return if new.is_empty() { Heard::Known } else { Heard::NewFrom(said.len() - new.len()) };
    }
    if rest.starts_with(said) {
        *at += said.len();
        return Heard::Known;
    }
    Heard::Differs
}
