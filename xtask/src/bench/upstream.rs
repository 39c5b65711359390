//! A provider's stand-in: answers every request with the same chat completion, or with the same stream at a steady
//! pace. A thread for each connection, all in this process.

use crate::running::{local, rest};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Events of one stream: pieces of text, the finish reason, usage, the end mark.
pub(super) const EVENTS: u64 = PIECES + 3;
const PIECES: u64 = 50;
/// Between two events of a stream.
const PACE: Duration = Duration::from_millis(10);
/// Every stream ends so.
pub(super) const END: &str = "data: [DONE]\n\n";
/// What every answer carries, to be looked for at the other end.
pub(super) const USAGE: &str = r#""usage":{"prompt_tokens":21,"completion_tokens":50,"total_tokens":71}"#;

/// Listens until this process ends.
pub(super) struct Upstream {
    pub(super) port: u16,
    streams: Arc<AtomicBool>,
}

impl Upstream {
    pub(super) fn start() -> Result<Self, String> {
        let listener = TcpListener::bind(local(0)).and_then(|l| l.local_addr().map(|addr| (l, addr)));
        let (listener, addr) = listener.map_err(|error| format!("the upstream: {error}"))?;
        let streams = Arc::new(AtomicBool::new(false));
        let answer_streams = streams.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let streams = answer_streams.clone();
                // A connection that breaks is seen at the other end, where everything is counted.
                thread::spawn(move || drop(serve(&stream, &streams)));
            }
        });
        Ok(Upstream { port: addr.port(), streams })
    }

    /// Whether requests are answered by streams from now on.
    pub(super) fn answer_streams(&self, yes: bool) {
        self.streams.store(yes, Ordering::Relaxed);
    }
}

fn serve(stream: &TcpStream, streams: &AtomicBool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    let mut writer = stream;
    let whole = whole();
    let mut body = Vec::new();
    loop {
        let Some(length) = read_head(&mut reader)? else { return Ok(()) };
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        if streams.load(Ordering::Relaxed) && length > 0 {
            stream_events(&mut writer)?;
        } else {
            writer.write_all(&whole)?;
        }
    }
}

/// Reads a request's head and returns the length of its body; nothing when the connection has ended.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut length = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line == b"\r\n" {
            return Ok(Some(length));
        }
        if let Some(value) = super::load::header(&line, "content-length") {
            length =
                value.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "content-length"))?;
        }
    }
}

/// An answer of about 900 bytes.
fn whole() -> Vec<u8> {
    let text = "A weir is a low dam across a river. ".repeat(15);
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1763717000,"model":"gpt-4o-mini","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"logprobs":null,"finish_reason":"stop"}}],{USAGE},"system_fingerprint":"fp_1"}}"#
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn stream_events(writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    let head = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1763717000,"model":"gpt-4o-mini","system_fingerprint":"fp_1","#;
    let piece = format!(
        "{head}\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" river\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
    );
    let start = Instant::now();
    for nth in 1..=PIECES {
        chunk(writer, &piece)?;
        let due = PACE.saturating_mul(u32::try_from(nth).unwrap_or(u32::MAX));
        rest(due.saturating_sub(start.elapsed()));
    }
    chunk(
        writer,
        &format!(
            "{head}\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}],\"usage\":null}}\n\n"
        ),
    )?;
    chunk(writer, &format!("{head}\"choices\":[],{USAGE}}}\n\n"))?;
    chunk(writer, END)?;
    writer.write_all(b"0\r\n\r\n")
}

fn chunk(writer: &mut impl Write, data: &str) -> io::Result<()> {
    writer.write_all(format!("{:x}\r\n{data}\r\n", data.len()).as_bytes())
}
