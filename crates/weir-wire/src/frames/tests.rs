use super::*;
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;

type Told = Vec<(String, String)>;

/// How a stream ended that is none.
#[derive(Debug, PartialEq)]
enum Bad {
    Fault(FrameFault),
    Cut,
}

fn split(stream: &[u8], size: usize) -> (Told, Result<(), Bad>) {
    let mut frames = Frames::new(LIMIT);
    let (mut got, mut raw) = (Vec::new(), Vec::new());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut give = |frame: &Frame<'_>| {
        raw.extend_from_slice(frame.raw);
        got.push((text(&frame.name), text(&frame.data)));
    };
    let taken = stream.chunks(size).try_for_each(|piece| frames.push(piece, &mut give));
    let rest = frames.finish();
    if taken.is_ok() {
        assert_eq!([raw, rest.clone()].concat(), stream);
    }
    (got, taken.map_err(Bad::Fault).and(if rest.is_empty() { Ok(()) } else { Err(Bad::Cut) }))
}

fn stream() -> Vec<u8> {
    let mut stream = Vec::new();
    write(&mut stream, "messageStart", br#"{"role":"assistant"}"#);
    write(&mut stream, "metadata", b"");
    write(&mut stream, "!throttlingException", br#"{"message":"Slow down"}"#);
    stream
}

/// The messages of botocore's own tests (`tests/unit/test_eventstream.py`), which AWS's clients share.
#[test]
fn messages_of_others() {
    let empty = b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff";
    assert_eq!(split(empty, 1), (vec![(String::new(), String::new())], Ok(())));
    let number = b"\x00\x00\x00+\x00\x00\x00\x0e4\x8b\xec{\x08event-id\x04\x00\x00\xa0\x0c{'foo':'bar'}\xd3\x89\x02\x85";
    assert_eq!(split(number, 7), (vec![(String::new(), "{'foo':'bar'}".to_owned())], Ok(())));
}

#[test]
fn messages_are_the_same_however_they_are_cut() {
    let stream = stream();
    let told = [
        ("messageStart", r#"{"role":"assistant"}"#),
        ("metadata", ""),
        ("!throttlingException", r#"{"message":"Slow down"}"#),
    ]
    .map(|(name, data)| (name.to_owned(), data.to_owned()));
    for size in 1..=stream.len() {
        assert_eq!(split(&stream, size), (told.to_vec(), Ok(())), "in pieces of {size}");
    }
}

#[test]
fn a_message_that_is_cut_is_told() {
    let stream = stream();
    let ends: Vec<usize> = (1..stream.len()).filter(|end| split(&stream[..*end], LIMIT).1.is_ok()).collect();
    let mut whole = Vec::new();
    write(&mut whole, "messageStart", br#"{"role":"assistant"}"#);
    let first = whole.len();
    write(&mut whole, "metadata", b"");
    assert_eq!(ends, [first, whole.len()]);
    assert_eq!(split(&stream[..first - 1], 5), (vec![], Err(Bad::Cut)));
}

#[test]
fn every_kind_of_header_is_stepped_over() {
    let mut headers = Vec::new();
    for (kind, value) in [
        (0, &b""[..]),
        (1, b""),
        (2, b"1"),
        (3, b"12"),
        (4, b"1234"),
        (5, b"12345678"),
        (6, b"\x00\x03abc"),
        (8, b"12345678"),
        (9, b"1234567890123456"),
    ] {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.extend_from_slice(value);
    }
    headers.extend_from_slice(b"\x0b:event-type\x07\x00\x04last");
    let mut stream = Vec::new();
    message(&mut stream, &headers, b"{}");
    assert_eq!(split(&stream, 3), (vec![("last".to_owned(), "{}".to_owned())], Ok(())));

    for end in [1, 2, 20, headers.len() - 1] {
        let mut stream = Vec::new();
        message(&mut stream, &headers[..end], b"");
        let cut = split(&stream, LIMIT);
        assert_eq!(cut.1, Err(Bad::Fault(FrameFault::Damaged("a header is cut"))), "{end}");
    }
}

#[test]
fn errors_without_a_model_of_their_own_are_told_as_well() {
    let mut headers = Vec::new();
    for (name, value) in
        [(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "so \"so\"")]
    {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.extend_from_slice(&[TEXT, 0, u8::try_from(value.len()).unwrap()]);
        headers.extend_from_slice(value.as_bytes());
    }
    let mut stream = Vec::new();
    message(&mut stream, &headers, b"");
    let told = ("!InternalFailure".to_owned(), r#"{"message":"so \"so\""}"#.to_owned());
    assert_eq!(split(&stream, LIMIT), (vec![told], Ok(())));
}

#[test]
fn what_is_damaged_ends_the_stream() {
    let whole = stream();
    for at in 0..whole.len() {
        let mut stream = whole.clone();
        stream[at] ^= 0x10;
        let (told, end) = split(&stream, 9);
        assert!(end.is_err() && told.len() < 3, "byte {at} changed and {told:?} was told");
    }
}

#[test]
fn a_message_is_refused_for_its_size_before_it_comes() {
    let mut whole = Vec::new();
    message(&mut whole, b"", &[b' '; 100]);
    let mut frames = Frames::new(99);
    let mut none = |_: &Frame<'_>| panic!("there is no message");
    assert_eq!(frames.push(&whole[..11], &mut none), Ok(()));
    let refused = Err(FrameFault::TooLarge { limit: 99 });
    assert_eq!(frames.push(&whole[11..12], &mut none), refused);
    assert_eq!(frames.push(b"", &mut none), refused);
    assert!(frames.finish().is_empty());
}

proptest! {
    #[test]
    fn any_bytes_can_be_split(stream: Vec<u8>, size in 1_usize..9) {
        prop_assert_eq!(split(&stream, size), split(&stream, stream.len().max(1)));
    }

    #[test]
    fn what_is_written_is_read(
        said in prop::collection::vec(("!?[a-zA-Z]{1,40}", ".{0,200}"), 0..6),
        size in 1_usize..400,
    ) {
        let mut stream = Vec::new();
        for (name, data) in &said {
            write(&mut stream, name, data.as_bytes());
        }
        prop_assert_eq!(split(&stream, size), (said, Ok(())));
    }
}
