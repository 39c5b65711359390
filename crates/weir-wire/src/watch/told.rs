//! What a client has been told of an answer so far, so that another stream can take it up where the first one broke off.

/// The text that has gone out, and how much of it the present stream has said as well.
#[derive(Clone, Debug)]
pub(super) struct Told {
    text: String,
    /// Bytes of `text` that this stream has repeated, or need not repeat.
    at: usize,
    /// This stream takes up an answer and nothing of it has gone out yet.
    joining: bool,
    /// It was to go on behind the text, and may have begun anew instead: so far it says what the text begins with.
    doubt: bool,
    /// What was taken for a repetition and was none.
    held: String,
}

/// What becomes of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// All of it is new.
    New,
    /// The client has it already.
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
        Told { text: String::new(), at: 0, joining: false, doubt: false, held: String::new() }
    }

    /// All of `text`. With `repeats`, the present stream begins the answer anew; without, it goes on behind it, unless its
    /// first words are the text's: then it has begun anew all the same, as servers do that do not know of the other.
    pub(super) fn joining(text: &str, repeats: bool) -> Self {
        let doubt = !repeats && text.trim().len() >= Self::TELLS;
        let at = if repeats || doubt { 0 } else { text.len() };
        Told { text: text.to_owned(), at, joining: true, doubt, held: String::new() }
    }

    /// Whether the present stream has yet to say what the client has.
    pub(super) fn is_repeating(&self) -> bool {
        self.at < self.text.len() && !(self.doubt && self.at == 0)
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

    /// Takes the next text of the stream.
    pub(super) fn hear(&mut self, said: &str) -> Heard {
        if self.doubt && !self.begins_anew(said) {
            self.doubt = false;
            self.text.get(..self.at).unwrap_or_default().clone_into(&mut self.held);
            let held = self.held.clone();
            self.text.push_str(&held);
            self.text.push_str(said);
            self.at = self.text.len();
            return Heard::New;
        }
        let known = self.text.get(self.at..).unwrap_or_default();
        if known.is_empty() {
            self.text.push_str(said);
            self.at = self.text.len();
            return Heard::New;
        }
        if let Some(new) = said.strip_prefix(known) {
            self.text.push_str(new);
            self.at = self.text.len();
            return if new.is_empty() { Heard::Known } else { Heard::NewFrom(said.len() - new.len()) };
        }
        if known.starts_with(said) {
            self.at += said.len();
            return Heard::Known;
        }
        Heard::Differs
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

    /// Whether it has grown too long to be kept.
    pub(super) fn is_too_long(&self) -> bool {
        self.text.len() > Self::MOST
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
