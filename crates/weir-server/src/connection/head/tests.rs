use super::*;
use proptest::prelude::*;

const MOST: usize = 8 * 1024;

/// Reads `text`, cut into pieces of `step` bytes; the head and what lies behind it.
fn read(text: &[u8], step: usize) -> Result<Option<(Head, Vec<u8>)>, Refused> {
    let mut reader = Reader::default();
    let mut pieces = text.chunks(step);
    while let Some(piece) = pieces.next() {
        let mut come = Bytes::copy_from_slice(piece);
        if let Some(head) = reader.push(&mut come, MOST)? {
            return Ok(Some((head, [&come[..], &pieces.collect::<Vec<_>>().concat()].concat())));
        }
        assert!(come.is_empty());
    }
    Ok(None)
}

#[track_caller]
fn accepted(text: &str, expect: (Method, &str, Length, bool), behind: &str) -> Head {
    for step in 1..=text.len() {
        let (head, rest) =
            read(text.as_bytes(), step).unwrap().unwrap_or_else(|| panic!("{text:?} by {step}"));
        let got = (head.request.method, head.request.path(), head.length, head.keep_alive);
        assert_eq!(got, expect, "{text:?} by {step}");
        assert_eq!(String::from_utf8(rest).unwrap(), behind, "{text:?} by {step}");
    }
    read(text.as_bytes(), text.len()).unwrap().unwrap().0
}

#[track_caller]
fn refused(text: &str, status: u16, part: &str) {
    for step in [1, 2, 7, text.len()] {
        let Err(Refused { fault, .. }) = read(text.as_bytes(), step) else {
            panic!("{text:?} by {step} is taken")
        };
        assert_eq!(fault.status, status, "{text:?} by {step}");
        assert!(fault.message.contains(part), "{text:?} by {step}: {}", fault.message);
    }
}

/// A head with these lines between the request's line and the empty one.
fn post(lines: &str) -> String {
    format!("POST /v1/x HTTP/1.1\r\nhost: h\r\n{lines}\r\n")
}

#[test]
fn heads_are_read_wherever_the_cuts_are() {
    let none = Length::Sized(0);
    accepted("GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", (Method::Get, "/a", none, true), "");
    accepted("\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\nGET", (Method::Get, "/a", none, true), "GET");
    accepted("GET http://h/a/b#c HTTP/1.1\r\nhost: h\r\n\r\n", (Method::Get, "/a/b", none, true), "");
    accepted("GET http://h HTTP/1.1\r\nhost: h\r\n\r\n", (Method::Get, "/", none, true), "");
    accepted("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n", (Method::Options, "*", none, true), "");
    accepted("BREW /pot HTTP/1.0\r\n\r\n", (Method::Other, "/pot", none, false), "");
    let sized = post("content-length: 5\r\n") + "hello";
    accepted(&sized, (Method::Post, "/v1/x", Length::Sized(5), true), "hello");
    let chunked = post("Transfer-Encoding: Chunked\r\n") + "0\r\n\r\n";
    accepted(&chunked, (Method::Post, "/v1/x", Length::Chunked, true), "0\r\n\r\n");
}

#[test]
fn both_sides_say_whether_a_connection_goes_on() {
    let none = Length::Sized(0);
    for (version, connection, expect) in [
        ("1.1", "close", false),
        ("1.1", "x, Close", false),
        ("1.1", "close, keep-alive", false),
        ("1.1", "keep-alive", true),
        ("1.0", "keep-alive", true),
        ("1.0", "close, keep-alive", false),
        ("1.0", "x", false),
    ] {
        let text = format!("HEAD / HTTP/{version}\r\nhost: h\r\nconnection: {connection}\r\n\r\n");
        accepted(&text, (Method::Head, "/", none, expect), "");
    }
}

#[test]
fn a_client_may_ask_before_it_sends() {
    let head = |text: &str| read(text.as_bytes(), text.len()).unwrap().unwrap().0;
    assert!(head(&post("expect: 100-Continue\r\n")).expects);
    assert!(!head(&post("expect: tea\r\n")).expects);
    assert!(!head("POST / HTTP/1.0\r\nexpect: 100-continue\r\n\r\n").expects);
}

#[test]
fn a_length_is_stated_once_and_in_digits() {
    let twice = "more than once";
    refused(&post("content-length: 5\r\ncontent-length: 5\r\n"), 400, twice);
    refused(&post("content-length: 5\r\ntransfer-encoding: chunked\r\n"), 400, twice);
    refused(&post("transfer-encoding: chunked\r\nContent-Length: 5\r\n"), 400, twice);
    refused(&post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"), 400, twice);
    for length in ["5, 5", "+5", "-5", "0x5", "", "5 5", "99999999999999999999999", "٥"] {
        refused(&post(&format!("content-length: {length}\r\n")), 400, "not a number");
    }
    for coding in ["xchunked", "chunked, chunked", "gzip, chunked", "identity", "", "chunked;a=b"] {
        refused(&post(&format!("transfer-encoding: {coding}\r\n")), 400, "only Transfer-Encoding");
    }
    refused("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400, "only Transfer-Encoding");
}

#[test]
fn lines_end_in_cr_lf_and_stand_alone() {
    refused("GET / HTTP/1.1\nhost: h\r\n\r\n", 400, "CR LF");
    refused("GET / HTTP/1.1\r\nhost: h\r\n\n", 400, "CR LF");
    refused("GET / HTTP/1.1\r\nhost: h\nx: y\r\n\r\n", 400, "CR LF");
    for line in ["x : y", " x: y", "x: y\r\n folded", "x\0: y", "x: \0", "x: a\rb", "nonsense", ": a"] {
        refused(&post(&format!("{line}\r\n")), 400, "well-formed");
    }
    refused("GET /  HTTP/1.1\r\nhost: h\r\n\r\n", 400, "well-formed");
    refused("PRI * HTTP/2.0\r\n\r\n", 400, "well-formed");
    refused("\x16\x03\x01\x02\r\n\r\n", 400, "well-formed");
    refused("GET /é HTTP/1.1\r\nhost: h\r\n\r\n", 400, "address");
}

#[test]
fn there_is_exactly_one_host() {
    refused("GET / HTTP/1.1\r\n\r\n", 400, "Host");
    refused(&post("Host: other\r\n"), 400, "Host");
    refused("GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", 400, "Host");
}

#[test]
fn heads_are_bounded() {
    refused(&post(&"x: y\r\n".repeat(MOST_FIELDS)), 431, "too many");
    refused(&post(&format!("x: {}\r\n", "y".repeat(MOST))), 431, "too large");
    refused(&format!("GET /{}", "y".repeat(MOST)), 414, "address");
    refused(&format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(MOST)), 431, "too large");
}

/// What a lenient reader would see in the same bytes: request line, fields, and whether the head ends there.
type Fields = Vec<(String, Vec<u8>)>;

fn as_httparse_reads(text: &[u8]) -> Option<(usize, Fields)> {
    let mut fields = [httparse::EMPTY_HEADER; 200];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(end)) = request.parse(text) else { return None };
    Some((end, request.headers.iter().map(|f| (f.name.to_ascii_lowercase(), f.value.to_vec())).collect()))
}

proptest! {
    /// Whatever is accepted ends where another reader sees its end, and has the same fields.
    #[test]
    fn no_two_readings_of_what_is_accepted(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "host: h", "content-length: 5", "content-length: 7", "transfer-encoding: chunked", "x: y", "connection: close",
                "x:", "Content-Length:5", "transfer-encoding: identity", "x: a, b",
            ]),
            0..6,
        ),
        at in 0usize..200,
        byte in prop::sample::select(b"\r\n\0 :\t,;+x5\x7f\x80".to_vec()),
        insert: bool,
        step in 1usize..64,
    ) {
        let mut text = format!("POST /v1/x HTTP/1.1\r\n{}\r\n\r\nhello", lines.join("\r\n")).into_bytes();
        let at = at % text.len();
        if insert { text.insert(at, byte) } else { text[at] = byte }
        if let Ok(Some((head, behind))) = read(&text, step) {
            let begin = text.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap();
            let (end, fields) = as_httparse_reads(&text[begin..]).unwrap();
            prop_assert_eq!(&text[begin + end..], &behind[..]);
            let got: Vec<_> = head
                .request
                .headers
                .iter()
                .map(|(n, v)| (String::from_utf8_lossy(n).to_ascii_lowercase(), v.to_vec()))
                .collect();
            prop_assert_eq!(&got, &fields);
            let count = |name: &str| got.iter().filter(|(n, _)| n == name).count();
            prop_assert!(count("content-length") + count("transfer-encoding") <= 1);
            prop_assert_eq!(count("host"), 1);
        }
    }
}
