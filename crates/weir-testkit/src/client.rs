//! An HTTP/1.1 client that hides nothing: tests send any bytes and see heads, chunks, events and ends as they come.

use crate::DEADLINE;
use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// In order; names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// In order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Unframed.
    pub body: Vec<u8>,
    /// In order; names in lower case.
    pub trailers: Vec<(String, String)>,
}

impl Reply {
    /// The header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Panics, showing the body, when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("status {}, not JSON ({error}): {}", self.status, self.text()))
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field.
    pub name: Option<String>,
    /// The `data:` lines, joined.
    pub data: String,
    /// As it came, the blank line included.
    pub raw: Vec<u8>,
}

impl Event {
    /// The data as JSON. Panics, showing the data, when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.data))
    }

    /// The text that a chunk of a chat or completion stream adds; empty when it adds none.
    pub fn text(&self) -> String {
        let value: Value = serde_json::from_str(&self.data).unwrap_or_default();
        let choice = &value["choices"][0];
        choice["delta"]["content"].as_str().or(choice["text"].as_str()).unwrap_or_default().to_owned()
    }
}

/// Where the body of the answer being read stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Bytes(usize),
    Chunks,
    UntilClose,
}

/// One connection. Every read gives up after [`DEADLINE`] with [`ErrorKind::TimedOut`]; a connection that ends where it
/// must not gives [`ErrorKind::UnexpectedEof`].
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    received: Vec<u8>,
    body: Vec<u8>,
    left: Left,
    trailers: Vec<(String, String)>,
    head_only: bool,
}

impl RawClient {
    /// Connects, without delay of small packets.
    pub fn connect(addr: SocketAddr) -> io::Result<Self> {
        RawClient::over(TcpStream::connect_timeout(&addr, DEADLINE)?)
    }

    /// Connects with a receive buffer of about `bytes` bytes, for clients that read slowly.
    pub fn connect_with_buffer(addr: SocketAddr, bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.set_recv_buffer_size(bytes)?;
        socket.connect(&addr.into())?;
        RawClient::over(socket.into())
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(RawClient {
            stream,
            received: Vec::new(),
            body: Vec::new(),
            left: Left::Nothing,
            trailers: Vec::new(),
            head_only: false,
        })
    }

    /// This end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Changes how long a read waits.
    pub fn set_deadline(&self, deadline: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(deadline))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a whole request with `Host`, a length and these headers.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        self.head_only = method == "HEAD";
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.stream.peer_addr()?);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Posts JSON.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &Value) -> io::Result<()> {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.request("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Reads the next head, informational ones (1xx) included.
    pub fn read_any_head(&mut self) -> io::Result<Head> {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.received.drain(..end + 4).collect();
        let text = String::from_utf8_lossy(&head);
        let mut lines = text.trim_end().split("\r\n");
        let line = lines.next().unwrap_or_default();
        let status =
            line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| wrong(&format!("status line {line:?}")))?;
        let headers = lines.map(header).collect::<io::Result<Vec<_>>>()?;
        let head = Head { status, headers };
        self.body.clear();
        self.trailers.clear();
        self.left = self.framing(&head)?;
        Ok(head)
    }

    /// Reads the head of the answer proper.
    pub fn read_head(&mut self) -> io::Result<Head> {
        loop {
            let head = self.read_any_head()?;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    fn framing(&self, head: &Head) -> io::Result<Left> {
        let chunked = head.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        Ok(match head.header("content-length") {
            _ if self.head_only || head.status < 200 || matches!(head.status, 204 | 304) => Left::Nothing,
            Some(_) if chunked => return Err(wrong("both a length and chunks")),
            Some(length) => Left::Bytes(length.parse().map_err(|_| wrong("content-length"))?),
            None if chunked => Left::Chunks,
            None => Left::UntilClose,
        })
    }

    /// Reads the next piece of the body: a chunk when it comes in chunks, else what has arrived. `None` at the body's
    /// orderly end.
    pub fn read_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.left {
            Left::Nothing | Left::Bytes(0) => Ok(None),
            Left::Bytes(left) => {
                if self.received.is_empty() {
                    self.more()?;
                }
                let piece: Vec<u8> = self.received.drain(..left.min(self.received.len())).collect();
                self.left = Left::Bytes(left - piece.len());
                Ok(Some(piece))
            }
            Left::UntilClose => {
                if self.received.is_empty() && !self.fill()? {
                    self.left = Left::Nothing;
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.received)))
            }
            Left::Chunks => self.framed_chunk(),
        }
    }

    fn framed_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).map_err(|_| wrong(&format!("chunk size {line:?}")))?;
        if size == 0 {
            loop {
                let line = self.line()?;
                if line.is_empty() {
                    self.left = Left::Nothing;
                    return Ok(None);
                }
                self.trailers.push(header(&line)?);
            }
        }
        while self.received.len() < size + 2 {
            self.more()?;
        }
        let mut piece: Vec<u8> = self.received.drain(..size + 2).collect();
        if piece.split_off(size) != b"\r\n" {
            return Err(wrong("a chunk is longer than its size"));
        }
        Ok(Some(piece))
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.received.windows(2).position(|w| w == b"\r\n") {
                let line: Vec<u8> = self.received.drain(..at + 2).take(at).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.more()?;
        }
    }

    /// Reads the rest of the body.
    pub fn read_body(&mut self) -> io::Result<Vec<u8>> {
        let mut body = std::mem::take(&mut self.body);
        while let Some(piece) = self.read_chunk()? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Reads the next server-sent event; comments alone are passed over. `None` at the body's orderly end.
    pub fn read_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(end) = blank_line(&self.body) {
                let raw: Vec<u8> = self.body.drain(..end).collect();
                match event(raw) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            match self.read_chunk()? {
                Some(piece) => self.body.extend_from_slice(&piece),
                None if self.body.is_empty() => return Ok(None),
                None => {
                    let left = String::from_utf8_lossy(&self.body);
                    return Err(wrong(&format!("the body ends inside an event: {left:?}")));
                }
            }
        }
    }

    /// Reads events to the body's orderly end.
    pub fn read_events(&mut self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(event) = self.read_event()? {
            events.push(event);
        }
        Ok(events)
    }

    /// The trailers of the body that was read last.
    pub fn trailers(&self) -> &[(String, String)] {
        &self.trailers
    }

    /// Reads head and body.
    pub fn read_reply(&mut self) -> io::Result<Reply> {
        let Head { status, headers } = self.read_head()?;
        let body = self.read_body()?;
        Ok(Reply { status, headers, body, trailers: self.trailers.clone() })
    }

    /// Reads everything until the peer closes, unread bytes first. A reset is an error.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? {}
        Ok(std::mem::take(&mut self.received))
    }

    /// Waits for the peer to close or reset the connection. An error says that it sent something instead, or nothing
    /// within the deadline.
    pub fn wait_for_close(&mut self) -> io::Result<()> {
        match self.fill() {
            Ok(false) => Ok(()),
            Ok(true) => Err(wrong(&format!("still talking: {:?}", String::from_utf8_lossy(&self.received)))),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends this side of the connection in order; the other side can still be read.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Ends the connection with an RST.
    pub fn reset(self) -> io::Result<()> {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }

    fn more(&mut self) -> io::Result<()> {
        if self.fill()? { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Receives something; false at the end of the connection.
    fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(n) => {
                self.received.extend_from_slice(buffer.get(..n).unwrap_or_default());
                Ok(true)
            }
            // The kernel's word for a read timeout.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
            Err(error) => Err(error),
        }
    }
}

/// One request on a connection of its own, answered in whole.
pub fn call(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let mut client = RawClient::connect(addr)?;
    client.request(method, path, headers, body)?;
    client.read_reply()
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn header(line: &str) -> io::Result<(String, String)> {
    let (name, value) = line.split_once(':').ok_or_else(|| wrong(&format!("header line {line:?}")))?;
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

/// The offset behind the first blank line.
fn blank_line(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(length) = bytes.get(start..)?.iter().position(|&b| b == b'\n') {
        let line = bytes.get(start..start + length)?;
        start += length + 1;
        if line.is_empty() || line == b"\r" {
            return Some(start);
        }
    }
    None
}

/// An event from its bytes; `None` when it has neither a name nor data.
fn event(raw: Vec<u8>) -> Option<Event> {
    let text = String::from_utf8_lossy(&raw);
    let mut name = None;
    let mut data: Vec<&str> = Vec::new();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = Some(value.to_owned()),
            "data" => data.push(value),
            _ => {}
        }
    }
    let data = data.join("\n");
    (name.is_some() || !data.is_empty()).then_some(Event { name, data, raw })
}
