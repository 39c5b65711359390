use super::*;
use proptest::prelude::*;

type Heard = Vec<(String, Option<String>)>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Pushes pieces; gives what a reader hears (data, name), what went out, and what was left over. Events whose data is
/// `drop`, `last` or `stop` meet that fate.
fn run<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Heard, String, String) {
    let mut splitter = Splitter::new(1 << 20);
    let (mut heard, mut out) = (Heard::new(), Pieces::new());
    for piece in pieces {
        let pushed = splitter.push(Bytes::copy_from_slice(piece), &mut out, &mut |event| {
            let Some(data) = &event.data else { return Fate::Keep };
            heard.push((text(data), event.name.map(text)));
            match &**data {
                b"drop" => Fate::Drop,
                b"last" => Fate::Last,
                b"stop" => Fate::Stop,
                _ => Fate::Keep,
            }
        });
        pushed.unwrap();
    }
    (heard, text(&out.concat()), text(&splitter.finish()))
}

/// `expect`: the data of each event heard (`name=data` with a name), and what is left over. Nothing but the left-over
/// may be missing on the way out. The same must come out of every cut into two and into single bytes.
fn check(stream: &str, expect: &[&str], left: &str) {
    let whole = run([stream.as_bytes()]);
    let named: Vec<String> = whole
        .0
        .iter()
        .map(|(data, name)| name.as_ref().map_or(data.clone(), |n| format!("{n}={data}")))
        .collect();
    assert_eq!(named, expect, "{stream:?}");
    assert_eq!(whole.1, &stream[..stream.len() - left.len()], "{stream:?}");
    assert_eq!(whole.2, left, "{stream:?}");
    for cut in 1..stream.len() {
        let (a, b) = stream.as_bytes().split_at(cut);
        assert_eq!(run([a, b]), whole, "{stream:?} cut at {cut}");
        assert_eq!(run([a, b"", b]), whole, "{stream:?} cut at {cut}, with nothing between");
    }
    assert_eq!(run(stream.as_bytes().chunks(1)), whole, "{stream:?} byte by byte");
}

#[test]
fn the_examples_of_the_specification() {
    check("data: YHOO\ndata: +2\ndata: 10\n\n", &["YHOO\n+2\n10"], "");
    check(
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        &["first event", "second event", " third event"],
        "",
    );
    check("data\n\ndata\ndata\n\ndata:", &["", "\n"], "data:");
    check("data:test\n\ndata: test\n\n", &["test", "test"], "");
}

#[test]
fn line_ends_comments_names_and_marks() {
    check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"], "");
    check("data: a\r\rdata: b\r\r", &["a", "b"], "");
    check("data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", &["a", "b", "c"], "");
    check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["a"], "");
    check("\u{feff}\n\ndata: a\n\n", &["a"], "");
    check("event: error\ndata: {}\n\n", &["error={}"], "");
    check("event:\ndata: x\n\n", &["x"], "");
    check("\n\n\ndata: a\n\n\n\n:\n\n", &["a"], "");
    check(": ping\ndata: a\nretry: 5\nunknown: x\ndatax: y\n\n", &["a"], "");
    check(" data: a\n\nData: b\n\n", &[], "");
    check("data: é€😀\n\ndata:😀", &["é€😀"], "data:😀");
}

#[test]
fn an_end_without_a_blank_line_is_left_over() {
    check("data: a\n\ndata: b\n", &["a"], "data: b\n");
    check("data: a\r\n\r\ndata: b\r\n", &["a"], "data: b\r\n");
    check("data: b", &[], "data: b");
    check("", &[], "");
}

#[test]
fn fates_hold_however_the_stream_is_cut() {
    let stream = b"data: a\n\ndata: drop\n\ndata: b\n\ndata: drop\n\ndata: last\n\ndata: never\n\n";
    for cut in 0..stream.len() {
        let (a, b) = stream.split_at(cut);
        let (heard, out, left) = run([a, b]);
        assert_eq!(heard.len(), 5, "cut at {cut}");
        assert_eq!(out, "data: a\n\ndata: b\n\ndata: last\n\n", "cut at {cut}");
        assert_eq!(left, "", "cut at {cut}");
        let stream = text(stream).replace("last", "stop");
        let (a, b) = stream.as_bytes().split_at(cut);
        assert_eq!(run([a, b]).1, "data: a\n\ndata: b\n\n", "cut at {cut}");
    }
}

#[test]
fn the_last_event_keeps_its_crlf_however_it_is_cut() {
    let check = |stream: &[u8], expect: &str| {
        for cut in 0..stream.len() {
            let (a, b) = stream.split_at(cut);
            assert_eq!(run([a, b]).1, expect, "cut at {cut}");
            assert_eq!(run([a, b"", b]).1, expect, "cut at {cut}");
        }
        assert_eq!(run(stream.chunks(1)).1, expect, "byte by byte");
    };
    check(b"data: last\r\n\r\n\r\ndata: never\r\n\r\n", "data: last\r\n\r\n");
    check(b"data: last\r\rdata: never\r\r", "data: last\r\r");
    check(b"data: last\n\n\n", "data: last\n\n");
    for cut in 0.."data: stop\r\n\r\n\r\n".len() {
        let (a, b) = b"data: stop\r\n\r\n\r\n".split_at(cut);
        assert_eq!(run([a, b]).1, "", "cut at {cut}");
    }
}

#[test]
fn whole_events_leave_as_one_uncopied_slice() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n: c\n\ndata: d\n\n");
    let mut out = Pieces::new();
    let mut splitter = Splitter::new(16);
    splitter.push(chunk.clone(), &mut out, &mut |_| Fate::Keep).unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].as_ptr(), out[0].len()), (chunk.as_ptr(), chunk.len()));
    out.clear();
    let drop_b = &mut |event: &Event<'_>| if event.raw == b"data: b\n\n" { Fate::Drop } else { Fate::Keep };
    splitter.push(chunk.clone(), &mut out, drop_b).unwrap();
    assert_eq!(out.len(), 2);
    assert!(chunk.as_ptr_range().contains(&out[1].as_ptr()));
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut splitter = Splitter::new(100);
    let mut out = Pieces::new();
    let mut heard = 0;
    let judge = &mut |_: &Event<'_>| {
        heard += 1;
        Fate::Keep
    };
    // A whole event in one chunk is never held back, so it may be larger.
    splitter.push(Bytes::from(format!("data: {}\n\n", "x".repeat(500))), &mut out, judge).unwrap();
    splitter.push(Bytes::from("x".repeat(60)), &mut out, judge).unwrap();
    let too_large = splitter.push(Bytes::from("x".repeat(60)), &mut out, judge);
    assert_eq!(too_large, Err(EventTooLarge { limit: 100 }));
    splitter.push(Bytes::from_static(b"data: a\n\n"), &mut out, judge).unwrap();
    assert_eq!(heard, 1);
}

#[test]
fn a_large_event_in_small_pieces_arrives_whole() {
    let event = format!("data: {}\n\n", "0123456789abcdef".repeat(3 * 1024 * 64));
    let mut splitter = Splitter::new(Splitter::LIMIT);
    let mut out = Pieces::new();
    let mut sizes = Vec::new();
    for piece in event.as_bytes().chunks(16 * 1024) {
        let judge = &mut |event: &Event<'_>| {
            sizes.push(event.data.as_ref().map(|data| data.len()));
            Fate::Keep
        };
        splitter.push(Bytes::copy_from_slice(piece), &mut out, judge).unwrap();
    }
    assert_eq!(sizes, [Some(3 * 1024 * 1024)]);
    assert_eq!(out.concat(), event.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn cuts_change_nothing(stream in "(data:?|event|:| |x|\n|\r|\r\n|\n\n){0,24}", cuts in prop::collection::vec(0usize..60, 0..6)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        let mut at = 0;
        let mut pieces = Vec::new();
        for cut in cuts.into_iter().chain([stream.len()]) {
            pieces.push(&stream.as_bytes()[at..cut]);
            at = cut;
        }
        let whole = run([stream.as_bytes()]);
        prop_assert_eq!(format!("{}{}", whole.1, whole.2), &*stream);
        prop_assert_eq!(run(pieces), whole);
    }
}
