use super::*;
use http::header;

/// Reads `text`, cut into pieces of `step` bytes; a rest that is not needed for the head counts as its `ahead`.
fn read(text: &[u8], step: usize) -> Result<Option<(Read, Vec<u8>)>, String> {
    let mut reader = Reader::default();
    let mut pieces = text.chunks(step);
    while let Some(piece) = pieces.next() {
        if let Some(read) = reader.push(Bytes::copy_from_slice(piece))? {
            let ahead = [&read.ahead[..], &pieces.collect::<Vec<_>>().concat()].concat();
            return Ok(Some((read, ahead)));
        }
    }
    Ok(None)
}

#[track_caller]
fn check(text: &str, status: u16, framing: Framing, reusable: bool, ahead: &str) {
    for step in (1..=text.len()).rev() {
        let (read, rest) =
            read(text.as_bytes(), step).unwrap().unwrap_or_else(|| panic!("{text:?} by {step}"));
        let got = (read.head.status.as_u16(), read.framing, read.reusable);
        assert_eq!(got, (status, framing, reusable), "{text:?} by {step}");
        assert_eq!(String::from_utf8(rest).unwrap(), ahead, "{text:?} by {step}");
    }
}

#[track_caller]
fn refused(text: &str, part: &str) {
    for step in [1, 3, text.len()] {
        let why = read(text.as_bytes(), step).map(|read| read.map(|(read, _)| read)).unwrap_err();
        assert!(why.contains(part), "{text:?} by {step}: {why}");
    }
}

#[test]
fn heads_are_read_wherever_the_cuts_are() {
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, Framing::Sized(2), true, "{}");
    check("HTTP/1.1 200\r\ncontent-length:2\r\n\r\n{}", 200, Framing::Sized(2), true, "{}");
    check("HTTP/1.1 200 OK\nContent-Length: 0\n\n", 200, Framing::Sized(0), true, "");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0", 200, Framing::Chunked, true, "0");
    check("HTTP/1.1 200 OK\r\n\r\nall", 200, Framing::UntilClose, false, "all");
    check("HTTP/1.1 204 No Content\r\n\r\n", 204, Framing::None, true, "");
    check("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", 304, Framing::None, true, "");
}

#[test]
fn a_connection_is_used_again_only_when_both_sides_may() {
    let answer = |version: &str, connection: &str| {
        format!("HTTP/{version} 200 OK\r\nconnection: {connection}\r\ncontent-length: 0\r\n\r\n")
    };
    check(&answer("1.1", "close"), 200, Framing::Sized(0), false, "");
    check(&answer("1.1", "x, Close"), 200, Framing::Sized(0), false, "");
    check(&answer("1.1", "keep-alive"), 200, Framing::Sized(0), true, "");
    check(&answer("1.0", "Keep-Alive"), 200, Framing::Sized(0), true, "");
    check(&answer("1.0", "close, keep-alive"), 200, Framing::Sized(0), false, "");
    check("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", 204, Framing::None, false, "");
    check("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", 204, Framing::None, false, "");
    check(&answer("1.0", "x"), 200, Framing::Sized(0), false, "");
    // Two statements about where the body ends: the coding counts, once.
    let both = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
    check(both, 200, Framing::Chunked, false, "");
}

#[test]
fn informational_answers_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let text =
        format!("HTTP/1.1 100 Continue\r\n\r\n{early}HTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx");
    check(&text, 201, Framing::Sized(1), true, "x");
    refused(&early.repeat(20), "informational");
    refused("HTTP/1.1 101 Switching Protocols\r\n\r\n", "informational");
}

#[test]
fn what_is_not_http_is_refused() {
    refused("HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n", "not a number");
    refused("HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n", "not a number");
    refused("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", "two lengths");
    refused("HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\n", "two lengths");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "transfer coding");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n", "transfer coding");
    refused("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "HTTP/1.0");
    refused("SSH-2.0-OpenSSH_9.2\r\n\r\n", "head of the answer");
    refused("HTTP/1.1 99 Odd\r\n\r\n", "status");
    refused("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "head of the answer");
    refused("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "head of the answer");
    refused("HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", "head of the answer");
    refused(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200)), "head of the answer");
}

#[test]
fn a_head_without_end_is_refused_in_time() {
    let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(40_000)].concat();
    assert!(read(&endless, 1000).unwrap_err().contains("larger than"));
}

#[test]
fn headers_are_found_whatever_their_case() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Type:  text/x \r\nx-a: 1\r\nX-A: 2\r\ncontent-length: 0\r\n\r\n";
    let (read, _) = read(text, text.len()).unwrap().unwrap();
    assert_eq!(read.head.get(&header::CONTENT_TYPE), Some(&b"text/x"[..]));
    assert_eq!(read.head.get(&header::RETRY_AFTER), None);
    let headers = read.head.headers();
    assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(headers.len(), 4);
}
