//! An answer of the scripted upstream as data: what it says, and in what manner, good or bad.

use crate::{Gate, Said};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// What the upstream does with one call. Built by a constructor that says what is answered, and refined by methods
/// that say how. An *event* below is one SSE event of a stream; any other body is a single event, unless
/// [`Answer::in_pieces`] cuts it up.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
    pub(crate) manner: Manner,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Whatever was asked for, with this text.
    Auto(String),
    Chat(String),
    Completion(String),
    Embeddings(usize),
    /// A stream of these deltas in the format of the endpoint that was called.
    Stream(Vec<String>),
    /// SSE events with this data.
    Events(Vec<String>),
    /// These bytes, one piece after the other, called an event stream.
    EventBytes(Vec<Bytes>),
    /// What a model says, in the format of the call.
    Said(Box<Said>, Option<Failure>),
    /// An error in the format of the call.
    Refused(Failure),
    Whole {
        content_type: &'static str,
        body: Bytes,
    },
    Nothing,
    /// These bytes instead of an HTTP answer, then the end of the connection.
    Wire(Bytes),
}

/// An error, in no vendor's words.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) hold: Option<Gate>,
    pub(crate) gate: Option<Gate>,
    pub(crate) delay: Duration,
    pub(crate) pace: Duration,
    pub(crate) cut: Option<Cut>,
    pub(crate) framing: Framing,
    pub(crate) crlf: bool,
    pub(crate) done: bool,
    pub(crate) role: bool,
    pub(crate) usage: Option<(u64, u64)>,
    pub(crate) finish: Option<String>,
    pub(crate) piece: Option<usize>,
    pub(crate) byte_by_byte: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) says_close: bool,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) informational: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// `None`: before the head.
    pub(crate) after_events: Option<usize>,
    pub(crate) how: CutHow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CutHow {
    /// RST.
    Reset,
    /// FIN without the end that the framing promised.
    Broken,
    /// The body ends as its framing says, only too early.
    EarlyEnd,
    /// Nothing more, connection open.
    Silence,
    /// The last event again and again, as fast as the peer takes it.
    Endless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Content-Length for whole bodies, chunks for streams.
    Natural,
    Chunked,
    UntilClose,
    /// Content-Length larger than the body, by this much.
    Overstated(usize),
}

/// Tokens that an answer reports unless told otherwise: prompt, completion.
pub const TOKENS: (u64, u64) = (9, 5);

impl Answer {
    fn of(status: u16, content: Content) -> Self {
        let manner = Manner {
            hold: None,
            gate: None,
            delay: Duration::ZERO,
            pace: Duration::ZERO,
            cut: None,
            framing: Framing::Natural,
            crlf: false,
            done: true,
            role: true,
            usage: Some(TOKENS),
            finish: Some("stop".to_owned()),
            piece: None,
            byte_by_byte: false,
            idle: None,
            says_close: false,
            trailers: Vec::new(),
            informational: Vec::new(),
        };
        Answer { status, headers: Vec::new(), content, manner }
    }

    /// Whatever the call asks for (chat, completion or embedding, whole or streamed word by word, list of models),
    /// with `text` where text is wanted.
    pub fn auto(text: &str) -> Self {
        Answer::of(200, Content::Auto(text.to_owned()))
    }

    /// A whole chat completion.
    pub fn chat(text: &str) -> Self {
        Answer::of(200, Content::Chat(text.to_owned()))
    }

    /// A whole text completion.
    pub fn completion(text: &str) -> Self {
        Answer::of(200, Content::Completion(text.to_owned()))
    }

    /// One embedding of `dimensions` numbers for every input of the call.
    pub fn embeddings(dimensions: usize) -> Self {
        Answer::of(200, Content::Embeddings(dimensions))
    }

    /// A stream in the format of the endpoint that is called: for chats an event with the role, then one event per
    /// delta, one with the finish reason, one with usage when the call asked for it, and `[DONE]`.
    pub fn stream<T: Into<String>>(deltas: impl IntoIterator<Item = T>) -> Self {
        Answer::of(200, Content::Stream(deltas.into_iter().map(Into::into).collect()))
    }

    /// What a model says, whole or streamed, in the format of the call: OpenAI's chats and responses, Anthropic's
    /// messages, Gemini's. A call whose conversation no vendor would take is refused by 400.
    pub fn said(said: Said) -> Self {
        Answer::of(200, Content::Said(Box::new(said), None))
    }

    /// An error in the envelope of the API that is called, worded as its vendor would.
    pub fn refused(status: u16, code: &str, message: &str) -> Self {
        let failure = Failure { status, code: code.to_owned(), message: message.to_owned() };
        Answer::of(status, Content::Refused(failure))
    }

    /// Breaks a stream of [`Answer::said`] off by such an error when all was said, and before the end.
    #[must_use]
    pub fn breaks_off(mut self, status: u16, code: &str, message: &str) -> Self {
        if let Content::Said(_, failure) = &mut self.content {
            let (code, message) = (code.to_owned(), message.to_owned());
            *failure = Some(Failure { status, code, message });
        }
        self
    }

    /// A stream of events with exactly this data, then `[DONE]` (see [`Answer::without_done`]).
    pub fn events<T: Into<String>>(data: impl IntoIterator<Item = T>) -> Self {
        Answer::of(200, Content::Events(data.into_iter().map(Into::into).collect()))
    }

    /// An event stream of exactly these bytes; each piece counts as one event and is written by itself.
    pub fn event_bytes<T: Into<Bytes>>(pieces: impl IntoIterator<Item = T>) -> Self {
        Answer::of(200, Content::EventBytes(pieces.into_iter().map(Into::into).collect()))
    }

    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Answer::body(status, "application/json", body.to_string())
    }

    /// Any whole body.
    pub fn body(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Answer::of(status, Content::Whole { content_type, body: body.into() })
    }

    /// A status; from 400 on with an error in OpenAI's envelope, which [`Answer::error`] can word, else without a
    /// body.
    pub fn status(status: u16) -> Self {
        let answer = Answer::of(status, Content::Nothing);
        if status < 400 {
            answer
        } else {
            answer.error(&format!("upstream_{status}"), "The upstream says no.")
        }
    }

    /// A redirect (302).
    pub fn redirect(to: &str) -> Self {
        Answer::status(302).header("location", to)
    }

    /// A page of HTML, as proxies and crashed servers send it.
    pub fn html(status: u16) -> Self {
        let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
        Answer::body(status, "text/html", page)
    }

    /// 200 with a body that is not JSON although it says so.
    pub fn garbage() -> Self {
        Answer::body(200, "application/json", &b"\x00\xff{{{ not json \xfe"[..])
    }

    /// 200 with an empty body called JSON.
    pub fn empty() -> Self {
        Answer::body(200, "application/json", Bytes::new())
    }

    /// These bytes in place of an HTTP answer, then the connection closes.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Answer::of(200, Content::Wire(bytes.into()))
    }

    /// Reads the call and never answers, connection open.
    pub fn never() -> Self {
        Answer::auto("").cut(None, CutHow::Silence)
    }

    /// Reads the call and resets the connection.
    pub fn reset_before_headers() -> Self {
        Answer::auto("").cut(None, CutHow::Reset)
    }

    /// Reads the call and closes the connection.
    pub fn close_before_headers() -> Self {
        Answer::auto("").cut(None, CutHow::Broken)
    }

    /// The same with an error in OpenAI's envelope as its body.
    #[must_use]
    pub fn error(mut self, code: &str, message: &str) -> Self {
        let kind = if self.status < 500 { "invalid_request_error" } else { "server_error" };
        let body = json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
        self.content = Content::Whole { content_type: "application/json", body: body.to_string().into() };
        self
    }

    /// Adds a header; a name that the answer sets by itself (such as `content-type`) is replaced.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Sends the head only after a release of `gate`.
    #[must_use]
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.manner.hold = Some(gate.clone());
        self
    }

    /// Sends the head and the first event at once, and every later event only after one release each; so does the
    /// end of the body.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.manner.gate = Some(gate.clone());
        self
    }

    /// Waits before the head. For load and demonstration; tests of order use gates.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.manner.delay = delay;
        self
    }

    /// Waits between two events. For load and demonstration; tests of order use gates.
    #[must_use]
    pub fn pace(mut self, pace: Duration) -> Self {
        self.manner.pace = pace;
        self
    }

    /// Resets the connection after `n` events.
    #[must_use]
    pub fn reset_after_events(self, n: usize) -> Self {
        self.cut(Some(n), CutHow::Reset)
    }

    /// Ends the body after `n` events as if it were complete: the framing is right, only what should follow is
    /// missing.
    #[must_use]
    pub fn eof_after_events(self, n: usize) -> Self {
        self.cut(Some(n), CutHow::EarlyEnd)
    }

    /// Closes the connection in order after `n` events, with the body's framing unfinished.
    #[must_use]
    pub fn broken_after_events(self, n: usize) -> Self {
        self.cut(Some(n), CutHow::Broken)
    }

    /// Goes silent after `n` events, connection open.
    #[must_use]
    pub fn pause_after_events(self, n: usize) -> Self {
        self.cut(Some(n), CutHow::Silence)
    }

    /// Goes on after `n` events with the last of them, again and again, as fast as the peer takes it.
    #[must_use]
    pub fn endless_after_events(self, n: usize) -> Self {
        self.cut(Some(n), CutHow::Endless)
    }

    /// Cuts a whole body into pieces of `bytes` bytes, each of which counts as an event.
    #[must_use]
    pub fn in_pieces(mut self, bytes: usize) -> Self {
        self.manner.piece = Some(bytes.max(1));
        self
    }

    /// Writes every byte of head and body by itself.
    #[must_use]
    pub fn byte_by_byte(mut self) -> Self {
        self.manner.byte_by_byte = true;
        self
    }

    /// Ends the lines of events by CR LF.
    #[must_use]
    pub fn crlf(mut self) -> Self {
        self.manner.crlf = true;
        self
    }

    /// Leaves the chat's first event out, which has the role and no text.
    #[must_use]
    pub fn without_role(mut self) -> Self {
        self.manner.role = false;
        self
    }

    /// Leaves `[DONE]` out.
    #[must_use]
    pub fn without_done(mut self) -> Self {
        self.manner.done = false;
        self
    }

    /// Reports no usage, asked or not.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.manner.usage = None;
        self
    }

    /// Reports these tokens.
    #[must_use]
    pub fn usage(mut self, prompt: u64, completion: u64) -> Self {
        self.manner.usage = Some((prompt, completion));
        self
    }

    /// Gives this finish reason instead of `stop`.
    #[must_use]
    pub fn finish(mut self, reason: &str) -> Self {
        self.manner.finish = Some(reason.to_owned());
        self
    }

    /// Gives no finish reason.
    #[must_use]
    pub fn without_finish(mut self) -> Self {
        self.manner.finish = None;
        self
    }

    /// Closes the connection, unannounced, when it has been idle for this long after the answer. Zero closes it at
    /// once.
    #[must_use]
    pub fn keep_alive(mut self, idle: Duration) -> Self {
        self.manner.idle = Some(idle);
        self
    }

    /// Says `Connection: close` and closes after the answer.
    #[must_use]
    pub fn close(mut self) -> Self {
        self.manner.says_close = true;
        self
    }

    /// Sends a body in chunks that would naturally have a length.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.manner.framing = Framing::Chunked;
        self
    }

    /// Gives no length: the body ends with the connection.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.manner.framing = Framing::UntilClose;
        self
    }

    /// Declares 64 bytes more than it sends, then closes.
    #[must_use]
    pub fn content_length_too_long(mut self) -> Self {
        self.manner.framing = Framing::Overstated(64);
        self
    }

    /// Says that the body is gzip, which it is not.
    #[must_use]
    pub fn claims_gzip(self) -> Self {
        self.header("content-encoding", "gzip")
    }

    /// Ends with these trailers (in chunks).
    #[must_use]
    pub fn trailers<N: Into<String>, V: Into<String>>(
        mut self,
        trailers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.manner.trailers = trailers.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        self.chunked()
    }

    /// Sends an informational answer (1xx) first; may be called several times.
    #[must_use]
    pub fn informational(mut self, status: u16) -> Self {
        self.manner.informational.push(status);
        self
    }

    fn cut(mut self, after_events: Option<usize>, how: CutHow) -> Self {
        self.manner.cut = Some(Cut { after_events, how });
        self
    }
}
