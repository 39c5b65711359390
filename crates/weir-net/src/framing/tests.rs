use super::*;

/// Decodes `body`, cut into pieces of `step` bytes: the data, whether it ended, the trailers' number and surplus.
fn decode(body: &[u8], step: usize) -> Result<(Vec<u8>, bool, usize, bool), &'static str> {
    let mut chunks = Chunks::default();
    let mut data = Vec::new();
    let mut surplus = false;
    for piece in body.chunks(step) {
        let mut come = Bytes::copy_from_slice(piece);
        data.extend_from_slice(&chunks.push(&mut come)?);
        assert!(come.is_empty() || chunks.has_ended());
        surplus |= !come.is_empty();
    }
    let trailers = chunks.take_trailers().map_or(0, |t| t.len());
    Ok((data, chunks.has_ended(), trailers, surplus))
}

#[track_caller]
fn check(body: &str, expect: Result<(&str, bool, usize, bool), &str>) {
    for step in (1..=body.len().max(1)).rev() {
        let got = decode(body.as_bytes(), step);
        match (got, &expect) {
            (Ok((data, ended, trailers, surplus)), Ok(expect)) => {
                let data = String::from_utf8(data).unwrap();
                assert_eq!((data.as_str(), ended, trailers, surplus), *expect, "{body:?} by {step}");
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{body:?} by {step}: {why}"),
            (got, expect) => panic!("{body:?} by {step}: {got:?} instead of {expect:?}"),
        }
    }
}

#[test]
fn chunks_are_joined_wherever_the_cuts_are() {
    check("5\r\nhello\r\n0\r\n\r\n", Ok(("hello", true, 0, false)));
    check("5;a=b\r\nhello\r\n00A \r\n world....\r\n0\r\n\r\n", Ok(("hello world....", true, 0, false)));
    check("5\r\nhello\r\n0\r\nx: 1\r\ny: 2\r\n\r\n", Ok(("hello", true, 2, false)));
    check("0\r\n\r\n", Ok(("", true, 0, false)));
}

#[test]
fn what_follows_the_end_is_noticed_and_not_data() {
    check("1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", Ok(("a", true, 0, true)));
}

#[test]
fn an_end_too_soon_is_no_end() {
    for cut in [
        "",
        "5",
        "5\r\nhel",
        "5\r\nhello",
        "5\r\nhello\r\n",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\nx: 1\r\n",
    ] {
        let (_, ended, ..) = decode(cut.as_bytes(), usize::MAX).unwrap();
        assert!(!ended, "{cut:?}");
    }
}

#[test]
fn broken_codings_are_refused() {
    check("x\r\n", Err("hexadecimal"));
    check("\r\n", Err("hexadecimal"));
    check("-1\r\n", Err("hexadecimal"));
    check("+1\r\na\r\n", Err("hexadecimal"));
    check("1 1\r\na\r\n", Err("hexadecimal"));
    check("5\nhello\r\n", Err("CR LF"));
    check("5\r\r\nhello\r\n", Err("control character"));
    check("5 \u{c}\r\nhello\r\n", Err("control character"));
    check("5;a\rb\r\nhello\r\n", Err("control character"));
    check("5;a\nb\r\nhello\r\n", Err("CR LF"));
    check("0\r\nx: y\n\nGET / HTTP/1.1\r\n\r\n", Err("CR LF"));
    check("0\r\n\n\r\n", Err("CR LF"));
    check("0\r\nx: y\r\n folded\r\n\r\n", Err("trailers"));
    check("10000000000000000\r\n", Err("hexadecimal"));
    check("5\r\nhello!\r\n0\r\n\r\n", Err("longer than it says"));
    check("0\r\nno colon\r\n\r\n", Err("trailers"));
    assert!(decode(&vec![b'1'; 5000], 100).unwrap_err().contains("too long"));
    let endless = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(5000)].concat();
    assert!(decode(&endless, 100).unwrap_err().contains("too long"));
}
