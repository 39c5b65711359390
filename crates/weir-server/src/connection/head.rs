//! Reading the head of a request, strictly.
//!
//! Two readers that see different requests in the same bytes are the root of request smuggling (RFC 9112 §11.2). So what
//! no honest client does is refused, even where a recipient may be lenient: bare line ends, a length stated twice or in
//! any way but digits, a transfer coding other than one `chunked`, a coding and a length together, folded lines, and
//! anything but exactly one host.

use bytes::{Buf, Bytes, BytesMut};
use http::header;
use std::mem::MaybeUninit;
use std::ops::Range;
use weir_core::text::{is_named, number};
use weir_core::{Class, Fault};
use weir_engine::Address;
use weir_wire::Headers;
use weir_wire::headers::{Fields, place_in};

/// Header fields of a request at most.
const MOST_FIELDS: usize = 100;

/// The methods that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Options,
    Other,
}

/// What a request says about itself.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// Where method and path stand in the buffer of the headers. Both are visible ASCII.
    method_name: Range<usize>,
    path: Range<usize>,
    pub(crate) headers: Headers,
}

impl RequestHead {
    /// The method as it was written.
    pub(crate) fn method_name(&self) -> &str {
        std::str::from_utf8(self.headers.part(self.method_name.clone())).unwrap_or_default()
    }

    /// The path without the query, as it was written: visible ASCII. An empty one is `/` (RFC 9110 §4.2.3).
    pub(crate) fn path(&self) -> &str {
        match std::str::from_utf8(self.headers.part(self.path.clone())) {
            Ok(path) if !path.is_empty() => path,
            _ => "/",
        }
    }
}

/// How the body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Sized(u64),
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
}

/// A head, with what belongs to the connection.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) request: RequestHead,
    pub(crate) length: Length,
    /// Whether the client is ready to send another request afterwards.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for a `100 Continue` before it sends the body.
    pub(crate) expects: bool,
    pub(crate) version: Version,
}

/// Why a request was refused before or because of its head.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) fault: Fault,
    /// Where it went, as far as its first line told.
    pub(crate) address: Option<Box<Address>>,
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What has come while it is not complete.
    part: BytesMut,
}

impl Reader {
    /// Whether a part of a head has come.
    pub(crate) fn has_begun(&self) -> bool {
        !self.part.is_empty()
    }

    /// Takes what has come; the head once it is complete, leaving what lies behind it.
    ///
    /// # Errors
    /// Why the request is refused: 400, 414 or 431.
    pub(crate) fn push(&mut self, come: &mut Bytes, most: usize) -> Result<Option<Head>, Refused> {
        if self.part.is_empty() {
            // Empty lines before a request are passed over (RFC 9112 §2.2).
            let blank = come.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            come.advance(blank);
            if come.is_empty() {
                return Ok(None);
            }
            return match end_of_head(come, 0).map_err(|fault| Refused::of(fault, come))? {
                Some(end) => head(come.split_to(end), most).map(Some),
                None => self.keep(come, most),
            };
        }
        let searched = self.part.len().saturating_sub(3);
        self.part.extend_from_slice(&std::mem::take(come));
        match end_of_head(&self.part, searched).map_err(|fault| self.refused(fault))? {
            Some(end) => {
                *come = std::mem::take(&mut self.part).freeze();
                head(come.split_to(end), most).map(Some)
            }
            None => self.keep(come, most),
        }
    }

    /// Keeps what is not a whole head yet.
    fn keep(&mut self, come: &mut Bytes, most: usize) -> Result<Option<Head>, Refused> {
        self.part.extend_from_slice(&std::mem::take(come));
        if self.part.len() <= most { Ok(None) } else { Err(self.refused(too_large(&self.part, most))) }
    }

    /// A fault of the head that has come in part.
    pub(crate) fn refused(&self, fault: Fault) -> Refused {
        Refused::of(fault, &self.part)
    }
}

impl Refused {
    fn of(fault: Fault, sent: &[u8]) -> Refused {
        Refused { fault, address: first_line(sent) }
    }
}

/// Reads a complete head of at most `most` bytes.
fn head(text: Bytes, most: usize) -> Result<Head, Refused> {
    let found = if text.len() > most { Err(too_large(&text, most)) } else { Found::read(&text) };
    match found {
        Ok(found) => Ok(found.head(text)),
        Err(fault) => Err(Refused::of(fault, &text)),
    }
}

/// Method and path, as far as they can be told, of a request whose head is not read in full.
fn first_line(sent: &[u8]) -> Option<Box<Address>> {
    let begin = sent.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
    let line = sent.get(begin..)?.split(|b| matches!(b, b'\r' | b'\n')).next()?;
    let mut words = line.splitn(3, |b| *b == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.split(|b| matches!(b, b'?' | b'#')).next()?;
    // Another form of target may hold credentials (RFC 9112 §3.2.2).
    let told = method.iter().all(u8::is_ascii_uppercase) && path.starts_with(b"/");
    told.then_some(Address::new(std::str::from_utf8(method).ok()?, std::str::from_utf8(path).ok()?))
}

/// Where the head ends, looking from `from` on.
fn end_of_head(text: &[u8], from: usize) -> Result<Option<usize>, Fault> {
    for end in memchr::memchr_iter(b'\n', text.get(from..).unwrap_or_default()) {
        let end = from + end;
        if end == 0 || text[end - 1] != b'\r' {
            return Err(malformed("every line of a request's head has to end in CR LF"));
        }
        if text[..end - 1].ends_with(b"\r\n") {
            return Ok(Some(end + 1));
        }
    }
    Ok(None)
}

/// Which part of a head is larger than `most`: its first line or all of it.
fn too_large(head: &[u8], most: usize) -> Fault {
    if memchr::memchr(b'\n', &head[..most.min(head.len())]).is_none() {
        return Fault::new(Class::Caller, 414, "uri_too_long", "the request's address is too long");
    }
    let message = "the request's headers are too large or too many; send fewer or shorter ones";
    Fault::new(Class::Caller, 431, "headers_too_large", message)
}

fn malformed(why: &'static str) -> Fault {
    Fault::new(Class::Caller, 400, "malformed_http", why)
}

/// What is found in a complete head.
struct Found {
    method: Method,
    method_name: Range<usize>,
    path: Range<usize>,
    fields: Fields,
    stated: Stated,
    version: Version,
}

impl Found {
    fn read(text: &[u8]) -> Result<Found, Fault> {
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(text, &mut fields) {
            Ok(httparse::Status::Complete(_)) => {}
            Err(httparse::Error::TooManyHeaders) => {
                let message = "the request's headers are too large or too many; send fewer or shorter ones";
                return Err(Fault::new(Class::Caller, 431, "headers_too_large", message));
            }
            Ok(httparse::Status::Partial) | Err(_) => {
                return Err(malformed("the request is not well-formed HTTP/1.1"));
            }
        }
        let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
        let stated = Stated::read(request.headers, version)?;
        let place = |part: &str| place_in(text, part.as_bytes()).unwrap_or_default();
        let path = place(path(request.path.unwrap_or_default())?);
        let method = match request.method {
            Some("POST") => Method::Post,
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("OPTIONS") => Method::Options,
            _ => Method::Other,
        };
        let method_name = place(request.method.unwrap_or_default());
        let fields =
            Fields::of(text, request.headers.iter().map(|field| (field.name.as_bytes(), field.value)));
        Ok(Found { method, method_name, path, fields, stated, version })
    }

    fn head(self, text: Bytes) -> Head {
        let Found { method, method_name, path, fields, stated, version } = self;
        Head {
            request: RequestHead { method, method_name, path, headers: Headers::new(text, fields) },
            length: stated.length,
            keep_alive: stated.keep_alive,
            expects: stated.expects && version == Version::Http11,
            version,
        }
    }
}

/// The path of a request's target, which is a path and query or a whole URL (RFC 9112 §3.2).
fn path(target: &str) -> Result<&str, Fault> {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'?' && b != b'#';
    if target.starts_with('/') && target.bytes().all(plain) {
        return Ok(target); // as nearly all are
    }
    if target.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(malformed("the request's address holds characters that no address may hold"));
    }
    let path = match target.split_once("://") {
        Some((_, after)) if !target.starts_with('/') => match after.find(['/', '?', '#']) {
            Some(at) => &after[at..],
            None => return Ok(""),
        },
        _ => target,
    };
    let end = path.find(['?', '#']).unwrap_or(path.len());
    Ok(&path[..end])
}

/// What a head states about the body and the connection.
struct Stated {
    length: Length,
    keep_alive: bool,
    expects: bool,
}

impl Stated {
    fn read(fields: &[httparse::Header<'_>], version: Version) -> Result<Stated, Fault> {
        let mut stated =
            Stated { length: Length::Sized(0), keep_alive: version == Version::Http11, expects: false };
        let (mut lengths, mut hosts, mut closes) = (0, 0, false);
        for field in fields {
            let is = |name: &http::HeaderName| is_named(field.name.as_bytes(), name.as_str().as_bytes());
            match field.name.len() {
                4 if is(&header::HOST) => hosts += 1,
                6 if is(&header::EXPECT) => {
                    stated.expects = field.value.eq_ignore_ascii_case(b"100-continue");
                }
                10 if is(&header::CONNECTION) => {
                    for option in field.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                        closes |= option.eq_ignore_ascii_case(b"close");
                        stated.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                14 if is(&header::CONTENT_LENGTH) => {
                    lengths += 1;
                    let length = number(field.value)
                        .ok_or_else(|| malformed("the request's length is not a number"))?;
                    stated.length = Length::Sized(length);
                }
                17 if is(&header::TRANSFER_ENCODING) => {
                    if !field.value.eq_ignore_ascii_case(b"chunked") || version == Version::Http10 {
                        return Err(malformed(
                            "the only Transfer-Encoding taken is one \"chunked\", in HTTP/1.1",
                        ));
                    }
                    lengths += 1;
                    stated.length = Length::Chunked;
                }
                _ => {}
            }
        }
        stated.keep_alive &= !closes;
        if lengths > 1 {
            return Err(malformed("the request states its length more than once"));
        }
        if hosts > 1 || (hosts == 0 && version == Version::Http11) {
            return Err(malformed("an HTTP/1.1 request has to have exactly one Host header"));
        }
        Ok(stated)
    }
}

#[cfg(test)]
mod tests;
