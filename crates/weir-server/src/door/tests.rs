use super::*;
use http::{HeaderName, HeaderValue};

/// Gives the gate these pieces as they came from the socket, the first `before` of them in time for an earlier request,
/// and asks it about a `POST` with these headers, which are those that hyper would show.
fn objection(pieces: &[&str], before: usize, shown: &[(&'static str, &'static str)]) -> Option<&'static str> {
    let gate = Gate::new();
    let (earlier, own) = pieces.split_at(before);
    for piece in earlier {
        gate.received(piece.as_bytes());
        gate.serving();
        gate.move_to(Place::Idle);
    }
    for piece in own {
        gate.received(piece.as_bytes());
    }
    let mut headers = HeaderMap::new();
    for (name, value) in shown {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    gate.objection(&Method::POST, &headers)
}

fn check(pieces: &[&str], before: usize, shown: &[(&'static str, &'static str)], expect: &str) {
    let got = objection(pieces, before, shown);
    assert!(
        if expect.is_empty() { got.is_none() } else { got.is_some_and(|why| why.contains(expect)) },
        "{pieces:?}: {got:?}"
    );
}

#[test]
fn a_request_states_its_length_once() {
    let length = ("content-length", "2");
    let chunked = ("transfer-encoding", "chunked");
    let two = "more than once";
    check(&["POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"], 0, &[length], "");
    check(&["POST / HT", "TP/1.1\r\nContent-", "Length: 2\r\n\r", "\n{}"], 0, &[length], "");
    check(&["POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"], 0, &[chunked], "");
    check(&["\r\n\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"], 0, &[chunked], "");
    check(&["POST / HTTP/1.1\r\ncontent-length: 2\r\nCONTENT-LENGTH: 2\r\n\r\n{}"], 0, &[length], two);
    check(
        &["POST / HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"],
        0,
        &[chunked],
        two,
    );
    check(
        &["POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n", "content-length: x\r\n\r\n"],
        0,
        &[chunked],
        two,
    );
    // What stands in a body is no header.
    check(&["POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n\ncontent-length: 9\n"], 0, &[length], "");
    check(
        &["POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\ncontent-length: 1\r\n"],
        0,
        &[chunked],
        "",
    );
}

#[test]
fn chunks_are_the_only_coding() {
    let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for value in ["xchunked", "chunked, chunked", "gzip, chunked", "identity", "", "chunked;a=b"] {
        check(&[head], 0, &[("transfer-encoding", value)], "only Transfer-Encoding");
    }
    check(
        &[head],
        0,
        &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        "only Transfer-Encoding",
    );
    check(&[head], 0, &[("transfer-encoding", "Chunked")], "");
}

#[test]
fn lines_end_in_cr_lf() {
    let length = ("content-length", "2");
    check(&["POST / HTTP/1.1\ncontent-length: 2\r\n\r\n{}"], 0, &[length], "CR LF");
    check(&["POST / HTTP/1.1\r\nx: y\ncontent-length: 2\r\n\r\n{}"], 0, &[("x", "y"), length], "CR LF");
    check(&["POST / HTTP/1.1\r\ncontent-length: 2\r\n\n{}"], 0, &[length], "CR LF");
    check(&["POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{\n}\n"], 0, &[length], "");
}

/// A head whose beginning came with the request before it cannot be vouched for; only for chunks does that matter.
#[test]
fn chunks_need_a_head_that_was_seen_whole() {
    let chunked = [("x", "y"), ("transfer-encoding", "chunked")];
    let rest = "x: y\r\ntransfer-encoding: chunked\r\n\r\n";
    let earlier = "GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 5\r\n";
    check(&[earlier, rest], 1, &chunked, "shorter than 8 KiB");
    let mimicry = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    check(&[earlier, mimicry], 1, &chunked, "shorter than 8 KiB");
    check(
        &["GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"],
        1,
        &chunked[1..],
        "shorter",
    );
    let long =
        format!("POST / HTTP/1.1\r\nx: {}\r\ntransfer-encoding: chunked\r\n\r\n", "y".repeat(HEAD_KEPT));
    check(&[&long], 0, &chunked, "shorter than 8 KiB");
    check(&[earlier, "\r\n"], 1, &[("content-length", "5")], "");
}

#[test]
fn a_head_that_is_refused_still_tells_where_it_wanted_to_go() {
    let check = |sent: &str, expect: Option<(&str, &str)>| {
        assert_eq!(first_line(sent.as_bytes()), expect, "{sent:?}");
    };
    check("GET /v1/models?key=secret HTTP/1.1\r\nx-\0: a", Some(("GET", "/v1/models")));
    check("\r\nPOST /v1#a HTTP/1.1\n\n", Some(("POST", "/v1")));
    check("POST /v1/cha", Some(("POST", "/v1/cha")));
    check("GET http://user:secret@host/ HTTP/1.1\r\n", None);
    check("CONNECT host:443 HTTP/1.1\r\n", None);
    check("authorization: Bearer secret\r\n", None);
    check("\x16\x03\x01 /", None);
    check("POST", None);
    check("", None);
}
