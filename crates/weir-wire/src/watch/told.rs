//! What a client has been told of an answer so far, so that another stream can take it up where the first one broke off.

/// The text that has gone out, and how much of it the present stream has said as well.
#[derive(Clone, Debug)]
pub(super) struct Told {
    text: String,
    /// Bytes of `text` that this stream has repeated, or need not repeat.
    at: usize,
    /// This stream takes up an answer and nothing of it has gone out yet.
    joining: bool,
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

    /// Nothing yet.
    pub(super) fn nothing() -> Self {
        Told { text: String::new(), at: 0, joining: false }
    }

    /// All of `text`. With `repeats`, the present stream begins the answer anew; without, it goes on behind it.
    pub(super) fn joining(text: &str, repeats: bool) -> Self {
        Told { text: text.to_owned(), at: if repeats { 0 } else { text.len() }, joining: true }
    }

    /// Whether the present stream has yet to say what the client has.
    pub(super) fn is_repeating(&self) -> bool {
        self.at < self.text.len()
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

    /// Whether it has grown too long to be kept.
    pub(super) fn is_too_long(&self) -> bool {
        self.text.len() > Self::MOST
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
