//! From an answer and the call it meets to the bytes for the wire. Pure; the server only plays the result.

use crate::answer::{Answer, Content, Framing};
use crate::openai::{Operation, Terms, words};
use bytes::Bytes;
use serde_json::Value;

/// An answer ready to be played.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// Informational answers and the head.
    pub(crate) head: Bytes,
    /// The events, each with its framing.
    pub(crate) events: Vec<Bytes>,
    /// What ends the body in order.
    pub(crate) end: Bytes,
    /// Whether the connection ends with the answer.
    pub(crate) closes: bool,
}

/// The parts of a call that an answer depends on.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a Value,
}

pub(crate) fn render(answer: &Answer, asked: &Asked<'_>) -> Rendered {
    if let Content::Wire(bytes) = &answer.content {
        return Rendered { head: Bytes::new(), events: vec![bytes.clone()], end: Bytes::new(), closes: true };
    }
    let (content_type, pieces) = pieces(answer, asked);
    let manner = &answer.manner;
    let framing = match manner.framing {
        Framing::Natural if content_type == EVENT_STREAM => Framing::Chunked,
        framing => framing,
    };
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let head = head(answer, content_type, framing, length, asked.method);
    let bodiless = asked.method == "HEAD" || matches!(answer.status, 204 | 304);
    let events = match framing {
        _ if bodiless => Vec::new(),
        Framing::Chunked => pieces.into_iter().filter(|p| !p.is_empty()).map(|piece| chunk(&piece)).collect(),
        _ => pieces,
    };
    let mut end = Vec::new();
    if framing == Framing::Chunked && !bodiless {
        end.extend_from_slice(b"0\r\n");
        for (name, value) in &manner.trailers {
            end.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        end.extend_from_slice(b"\r\n");
    }
    let closes = manner.says_close || matches!(framing, Framing::UntilClose | Framing::Overstated(_));
    Rendered { head, events, end: end.into(), closes }
}

const EVENT_STREAM: &str = "text/event-stream";
const JSON: &str = "application/json";

fn pieces(answer: &Answer, asked: &Asked<'_>) -> (&'static str, Vec<Bytes>) {
    let manner = &answer.manner;
    let terms = Terms {
        role: manner.role,
        model: asked.body["model"].as_str().unwrap_or("testkit"),
        usage: manner.usage,
        finish: manner.finish.as_deref(),
    };
    let operation = Operation::of(asked.path);
    let include_usage = asked.body["stream_options"]["include_usage"] == true;
    let json = |body: Value| (JSON, split(body.to_string().into(), manner.piece));
    let stream =
        |deltas: &[String]| (EVENT_STREAM, events(answer, &terms.stream(operation, deltas, include_usage)));
    match &answer.content {
        Content::Auto(text) if asked.body["stream"] == true => stream(&words(text)),
        Content::Auto(text) => match operation {
            Operation::Completion => json(terms.completion(text)),
            Operation::Embedding => json(terms.embeddings(asked.body, 4)),
            Operation::Models => json(terms.models()),
            Operation::Ranks => json(terms.ranks()),
            Operation::Judgements => json(terms.judgements()),
            Operation::Images => json(terms.images(asked.body)),
            Operation::Sound => ("audio/mpeg", split(Bytes::from(text.clone()), manner.piece)),
            Operation::Chat | Operation::Other => json(terms.chat(text)),
        },
        Content::Chat(text) => json(terms.chat(text)),
        Content::Completion(text) => json(terms.completion(text)),
        Content::Embeddings(dimensions) => json(terms.embeddings(asked.body, *dimensions)),
        Content::Stream(deltas) => stream(deltas),
        Content::Events(data) => (EVENT_STREAM, events(answer, data)),
        Content::EventBytes(pieces) => (EVENT_STREAM, pieces.clone()),
        Content::Whole { content_type, body } => (content_type, split(body.clone(), manner.piece)),
        Content::Nothing | Content::Wire(_) => ("", Vec::new()),
    }
}

fn events(answer: &Answer, data: &[String]) -> Vec<Bytes> {
    let eol = if answer.manner.crlf { "\r\n" } else { "\n" };
    let done = answer.manner.done.then_some("[DONE]");
    data.iter().map(String::as_str).chain(done).map(|d| format!("data: {d}{eol}{eol}").into()).collect()
}

fn split(body: Bytes, piece: Option<usize>) -> Vec<Bytes> {
    match piece {
        None => vec![body],
        Some(size) => body.chunks(size).map(Bytes::copy_from_slice).collect(),
    }
}

fn chunk(piece: &[u8]) -> Bytes {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat().into()
}

fn head(answer: &Answer, content_type: &str, framing: Framing, length: usize, method: &str) -> Bytes {
    let mut own: Vec<(&str, String)> = Vec::new();
    if !content_type.is_empty() {
        own.push(("content-type", content_type.to_owned()));
    }
    match framing {
        _ if matches!(answer.status, 204 | 304) => {}
        Framing::Natural => own.push(("content-length", length.to_string())),
        Framing::Overstated(by) => own.push(("content-length", (length + by).to_string())),
        Framing::Chunked if method != "HEAD" => own.push(("transfer-encoding", "chunked".to_owned())),
        Framing::Chunked | Framing::UntilClose => {}
    }
    if answer.manner.says_close || framing == Framing::UntilClose {
        own.push(("connection", "close".to_owned()));
    }
    let mut text = String::new();
    for status in &answer.manner.informational {
        text.push_str(&format!("HTTP/1.1 {status} Informational\r\n\r\n"));
    }
    text.push_str(&format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)));
    let said = |name: &str| answer.headers.iter().any(|(n, _)| n == name);
    let own = own.iter().filter(|(name, _)| !said(name)).map(|(name, value)| (*name, value));
    for (name, value) in own.chain(answer.headers.iter().map(|(name, value)| (name.as_str(), value))) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests;
