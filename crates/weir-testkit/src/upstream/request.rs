//! Reads one HTTP/1.1 request (RFC 9112), no more leniently than a careful server would.

use bytes::{Buf, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const MOST_HEAD: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn says_close(&self) -> bool {
        self.values("connection").any(|value| value.to_ascii_lowercase().contains("close"))
    }
}

/// Why no request was read.
#[derive(Debug)]
pub(crate) enum NoRequest {
    /// The connection ended between two requests.
    End,
    /// What came is not a request, in words.
    Malformed(String),
}

impl From<io::Error> for NoRequest {
    fn from(error: io::Error) -> Self {
        NoRequest::Malformed(format!("the connection broke: {error}"))
    }
}

pub(crate) async fn read(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Request, NoRequest> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if buffer.len() > MOST_HEAD {
            return Err(NoRequest::Malformed("a head of more than 1 MiB".to_owned()));
        }
        match socket.read_buf(buffer).await {
            Ok(0) | Err(_) if buffer.is_empty() => return Err(NoRequest::End),
            Ok(0) => return Err(NoRequest::Malformed("the connection ended inside a head".to_owned())),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let head = buffer.split_to(end);
    buffer.advance(4);
    let mut request = parse(&head).map_err(NoRequest::Malformed)?;
    let lengths: Vec<&str> = request.values("content-length").collect();
    let codings: Vec<&str> = request.values("transfer-encoding").collect();
    request.body = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Bytes::new(),
        ([length], []) => {
            let length =
                length.parse().map_err(|_| NoRequest::Malformed(format!("content-length {length:?}")))?;
            take(socket, buffer, length).await?
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => chunks(socket, buffer).await?,
        _ => return Err(NoRequest::Malformed(format!("framing {lengths:?} {codings:?}"))),
    };
    Ok(request)
}

fn parse(head: &[u8]) -> Result<Request, String> {
    let text = std::str::from_utf8(head).map_err(|_| "a head that is not UTF-8".to_owned())?;
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, path, "HTTP/1.1"] = parts.as_slice() else {
        return Err(format!("request line {line:?}"));
    };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("header line {line:?}"))?;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(format!("header name {name:?}"));
        }
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Request { method: (*method).to_owned(), path: (*path).to_owned(), headers, body: Bytes::new() })
}

async fn take(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    length: usize,
) -> Result<Bytes, NoRequest> {
    while buffer.len() < length {
        if socket.read_buf(buffer).await? == 0 {
            return Err(NoRequest::Malformed(format!(
                "a body of {} bytes instead of {length}",
                buffer.len()
            )));
        }
    }
    Ok(buffer.split_to(length).freeze())
}

async fn line(socket: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Result<String, NoRequest> {
    loop {
        if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line = buffer.split_to(at);
            buffer.advance(2);
            return Ok(String::from_utf8_lossy(&line).into_owned());
        }
        if socket.read_buf(buffer).await? == 0 {
            return Err(NoRequest::Malformed("the connection ended inside a chunked body".to_owned()));
        }
    }
}

async fn chunks(socket: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Result<Bytes, NoRequest> {
    let mut body = BytesMut::new();
    loop {
        let head = line(socket, buffer).await?;
        let digits = head.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| NoRequest::Malformed(format!("chunk size {digits:?}")))?;
        if size == 0 {
            while !line(socket, buffer).await?.is_empty() {}
            return Ok(body.freeze());
        }
        body.extend_from_slice(&take(socket, buffer, size).await?);
        let end = line(socket, buffer).await?;
        if !end.is_empty() {
            return Err(NoRequest::Malformed(format!("{end:?} after a chunk")));
        }
    }
}
