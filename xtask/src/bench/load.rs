//! Closed-loop load: every connection asks again as soon as it has its answer. Answers are read whole and looked at.

use super::upstream::{END, EVENTS, USAGE};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// The key that the target's configuration knows.
const KEY: &str = "sk-user-777";
/// No answer takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked, and of whom.
pub(super) struct What {
    pub(super) addr: SocketAddr,
    pub(super) body: Vec<u8>,
    /// Whether the answer is a stream.
    pub(super) stream: bool,
}

/// What one run came to.
#[derive(Debug)]
pub(super) struct Shot {
    /// What the meter showed when the load began and when it had ended.
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) requests: u64,
    /// Events of streams.
    pub(super) events: u64,
    pub(super) elapsed: Duration,
    /// Until the whole answer was there, or a stream's first bytes; in ascending order.
    pub(super) latencies: Vec<Duration>,
}

/// One connection's part.
#[derive(Default)]
struct Part {
    events: u64,
    latencies: Vec<Duration>,
}

/// Loads with so many connections for so long. Connections are opened, and have been answered once, before the meter is
/// read; requests that have begun are finished. The first failed request fails the run.
pub(super) fn closed(
    what: &What,
    connections: usize,
    time: Duration,
    meter: impl Fn() -> u64,
) -> Result<Shot, String> {
    let go = Barrier::new(connections + 1);
    let client = || -> Result<Part, String> {
        let opened = Connection::open(what).and_then(|mut connection| connection.ask().map(|_| connection));
        go.wait();
        let mut connection = opened?;
        let mut part = Part::default();
        let start = Instant::now();
        loop {
            let (latency, events) = connection.ask()?;
            part.latencies.push(latency);
            part.events += events;
            if start.elapsed() >= time {
                return Ok(part);
            }
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..connections).map(|_| scope.spawn(client)).collect();
        go.wait();
        let start = Instant::now();
        let before = meter();
        let (mut events, mut latencies) = (0, Vec::new());
        for client in clients {
            let part = client.join().map_err(|_| "a connection's thread panicked".to_owned())??;
            events += part.events;
            latencies.extend(part.latencies);
        }
        let (elapsed, after) = (start.elapsed(), meter());
        latencies.sort_unstable();
        Ok(Shot { before, after, requests: latencies.len() as u64, events, elapsed, latencies })
    })
}

/// Asks once.
pub(super) fn one(what: &What) -> Result<(), String> {
    Connection::open(what)?.ask().map(drop)
}

/// The value below which this share of sorted values lies, in microseconds; 0 when there are none.
pub(super) fn quantile(sorted: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count is a count"
    )]
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
}

/// A header's value, when the line is that header.
pub(super) fn header<'l>(line: &'l [u8], name: &str) -> Option<&'l str> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = found.eq_ignore_ascii_case(name.as_bytes()).then(|| rest.strip_prefix(b":")).flatten()?;
    std::str::from_utf8(value).ok().map(str::trim)
}

struct Connection<'w> {
    what: &'w What,
    reader: BufReader<TcpStream>,
    request: Vec<u8>,
    line: Vec<u8>,
    body: Vec<u8>,
}

impl<'w> Connection<'w> {
    fn open(what: &'w What) -> Result<Self, String> {
        let open = || -> io::Result<TcpStream> {
            let stream = TcpStream::connect(what.addr)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let stream = open().map_err(|error| error.to_string())?;
        let mut request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {KEY}\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n",
            what.addr,
            what.body.len()
        )
        .into_bytes();
        request.extend_from_slice(&what.body);
        let reader = BufReader::with_capacity(16 * 1024, stream);
        Ok(Connection { what, reader, request, line: Vec::new(), body: Vec::new() })
    }

    /// Asks and reads the whole answer: how long it took, and how many events it had.
    fn ask(&mut self) -> Result<(Duration, u64), String> {
        let start = Instant::now();
        let first = self.exchange().map_err(|error| error.to_string())?;
        let body = std::str::from_utf8(&self.body).map_err(|error| error.to_string())?;
        let events = body.matches("data: ").count() as u64;
        let whole = !self.what.stream || (events == EVENTS && body.ends_with(END));
        if !whole || !body.contains(USAGE) {
            return Err(format!("an answer that is not the upstream's: {body}"));
        }
        let latency = if self.what.stream { first.duration_since(start) } else { start.elapsed() };
        Ok((latency, events))
    }

    /// Sends the request and reads the answer's body; returns when its first bytes were there.
    fn exchange(&mut self) -> io::Result<Instant> {
        self.reader.get_mut().write_all(&self.request)?;
        let broken = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let status = self.read_line()?;
        if status.split(' ').nth(1) != Some("200") {
            return Err(broken(format!("answered {status}")));
        }
        let (mut length, mut chunked) = (0, false);
        while !matches!(self.read_line()?.as_str(), "") {
            if let Some(value) = header(&self.line, "content-length") {
                length = value.parse().map_err(|_| broken(format!("content-length {value}")))?;
            }
            chunked |= header(&self.line, "transfer-encoding").is_some();
        }
        self.body.clear();
        if !chunked {
            self.append(length)?;
            return Ok(Instant::now());
        }
        let mut first = None;
        loop {
            let size = self.read_line()?;
            let size = size.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(|_| broken(format!("a chunk of {size:?}")))?;
            self.append(size)?;
            first.get_or_insert_with(Instant::now);
            if size == 0 {
                // Trailers were not asked for, so one empty line ends the body.
                self.read_line()?;
                return first.ok_or_else(|| broken("an empty body".to_owned()));
            }
            self.read_line()?;
        }
    }

    /// One line without its end.
    fn read_line(&mut self) -> io::Result<String> {
        self.line.clear();
        self.reader.read_until(b'\n', &mut self.line)?;
        let Some(line) = self.line.strip_suffix(b"\r\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    fn append(&mut self, length: usize) -> io::Result<()> {
        let from = self.body.len();
        self.body.resize(from + length, 0);
        self.reader.read_exact(self.body.get_mut(from..).unwrap_or_default())
    }
}
