//! Reading the head of a request, strictly.
//!
//! Two readers that see different requests in the same bytes are the root of request smuggling (RFC 9112 §11.2). So what
//! no honest client does is refused, even where a recipient may be lenient: bare line ends, a length stated twice or in
//! any way but digits, a transfer coding other than one `chunked`, a coding and a length together, folded lines, and
//! anything but exactly one host.

use bytes::{Buf, Bytes, BytesMut};
use http::header;
use std::ops::Range;
use weir_core::text::{is_named, number};
use weir_core::{Class, Fault};
use weir_engine::Address;
use weir_net::{FieldLine, FieldLines, NoField, end_of_line, end_of_token, line_feed};
use weir_wire::Headers;
use weir_wire::headers::Fields;

/// Header fields of a request at most.
const MOST_FIELDS: usize = 100;

/// The methods that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Delete,
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
    /// Where the target ends.
    target_end: usize,
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

    /// What stands between the path's `?` and the fragment, as it was written; nothing where there is none.
    pub(crate) fn query(&self) -> &str {
        let rest = self.headers.part(self.path.end..self.target_end);
        let query = rest.strip_prefix(b"?").unwrap_or_default().split(|b| *b == b'#').next();
        std::str::from_utf8(query.unwrap_or_default()).unwrap_or_default()
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
    let mut at = from;
    while let Some(end) = line_feed(text, at) {
        at = end + 1;
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
    too_many()
}

fn malformed(why: &'static str) -> Fault {
    Fault::new(Class::Caller, 400, "malformed_http", why)
}

/// What is found in a complete head.
struct Found {
    method: Method,
    method_name: Range<usize>,
    path: Range<usize>,
    target_end: usize,
    fields: Fields,
    stated: Stated,
    version: Version,
}

impl Found {
    fn read(text: &[u8]) -> Result<Found, Fault> {
        let (method_name, target, version, at) = request_line(text).ok_or_else(not_well_formed)?;
        let mut stated =
            Stated { length: Length::Sized(0), keep_alive: version == Version::Http11, expects: false };
        let (mut counted, mut fields) = (Counted::default(), Fields::default());
        for line in FieldLines::new(text, at) {
            let FieldLine { name, value } = line.map_err(|NoField| not_well_formed())?;
            if fields.len() == MOST_FIELDS {
                return Err(too_many());
            }
            let part = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
            stated.take(part(&name), part(&value), version, &mut counted)?;
            fields.push(name, value);
        }
        stated.agree(&counted, version)?;
        let part = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let method = match part(&method_name) {
            b"POST" => Method::Post,
            b"GET" => Method::Get,
            b"DELETE" => Method::Delete,
            b"HEAD" => Method::Head,
            b"OPTIONS" => Method::Options,
            _ => Method::Other,
        };
        let path = path(part(&target))?;
        let path = target.start + path.start..target.start + path.end;
        Ok(Found { method, method_name, path, target_end: target.end, fields, stated, version })
    }

    fn head(self, text: Bytes) -> Head {
        let Found { method, method_name, path, target_end, fields, stated, version } = self;
        let headers = Headers::new(text, fields);
        Head {
            request: RequestHead { method, method_name, path, target_end, headers },
            length: stated.length,
            keep_alive: stated.keep_alive,
            expects: stated.expects && version == Version::Http11,
            version,
        }
    }
}

/// Where method and target stand, the version, and where the fields begin: one blank between them and nothing else.
fn request_line(text: &[u8]) -> Option<(Range<usize>, Range<usize>, Version, usize)> {
    let method = 0..end_of_token(text, 0);
    let from = method.end + 1;
    let length = text.get(from..)?.iter().take_while(|b| **b > b' ' && **b != 0x7f).count();
    let target = from..from + length;
    let version = match text.get(target.end..)? {
        [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', ..] => Version::Http11,
        [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', ..] => Version::Http10,
        _ => return None,
    };
    let fields = end_of_line(text, target.end + 9)?;
    let blank = text.get(method.end) == Some(&b' ');
    (blank && !method.is_empty() && !target.is_empty()).then_some((method, target, version, fields))
}

fn not_well_formed() -> Fault {
    malformed("the request is not well-formed HTTP/1.1")
}

fn too_many() -> Fault {
    let message = "the request's headers are too large or too many; send fewer or shorter ones";
    Fault::new(Class::Caller, 431, "headers_too_large", message)
}

/// Where the path stands in a request's target, which is a path and query or a whole URL (RFC 9112 §3.2).
fn path(target: &[u8]) -> Result<Range<usize>, Fault> {
    let goes_on = |b: &u8| b.is_ascii_graphic() && *b != b'?' && *b != b'#';
    if target.starts_with(b"/") && target.iter().all(goes_on) {
        return Ok(0..target.len()); // as nearly all are
    }
    if !target.iter().all(u8::is_ascii_graphic) {
        return Err(malformed("the request's address holds characters that no address may hold"));
    }
    let begin = match memchr::memmem::find(target, b"://") {
        Some(at) if !target.starts_with(b"/") => {
            let host = target.get(at + 3..).unwrap_or_default();
            at + 3 + host.iter().take_while(|b| !matches!(b, b'/' | b'?' | b'#')).count()
        }
        _ => 0,
    };
    let path = target.get(begin..).unwrap_or_default();
    Ok(begin..begin + path.iter().take_while(|b| goes_on(b)).count())
}

/// What a head states about the body and the connection.
struct Stated {
    length: Length,
    keep_alive: bool,
    expects: bool,
}

/// How often a head has said something.
#[derive(Default)]
struct Counted {
    lengths: u32,
    hosts: u32,
    closes: bool,
}

impl Stated {
    /// One field of the head.
    #[inline]
    fn take(
        &mut self,
        name: &[u8],
        value: &[u8],
        version: Version,
        counted: &mut Counted,
    ) -> Result<(), Fault> {
        let is = |known: &http::HeaderName| is_named(name, known.as_str().as_bytes());
        match name.len() {
            4 if is(&header::HOST) => counted.hosts += 1,
            6 if is(&header::EXPECT) => self.expects = value.eq_ignore_ascii_case(b"100-continue"),
            10 if is(&header::CONNECTION) => {
                for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    counted.closes |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is(&header::CONTENT_LENGTH) => {
                counted.lengths += 1;
                let length =
                    number(value).ok_or_else(|| malformed("the request's length is not a number"))?;
                self.length = Length::Sized(length);
            }
            17 if is(&header::TRANSFER_ENCODING) => {
                if !value.eq_ignore_ascii_case(b"chunked") || version == Version::Http10 {
                    let why = "the only Transfer-Encoding taken is one \"chunked\", in HTTP/1.1";
                    return Err(malformed(why));
                }
                counted.lengths += 1;
                self.length = Length::Chunked;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether all fields together say one thing.
    fn agree(&mut self, counted: &Counted, version: Version) -> Result<(), Fault> {
        self.keep_alive &= !counted.closes;
        if counted.lengths > 1 {
            return Err(malformed("the request states its length more than once"));
        }
        if counted.hosts > 1 || (counted.hosts == 0 && version == Version::Http11) {
            return Err(malformed("an HTTP/1.1 request has to have exactly one Host header"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
