use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const LINES: &str = "\
    {\"timestamp\": 3000, \"input_length\": 700, \"output_length\": 5, \"hash_ids\": [0, 2]}\n\
    \n\
    {\"timestamp\": 0, \"input_length\": 600, \"output_length\": 9, \"hash_ids\": [0, 1]}\n";

fn parse(text: &str) -> Result<Trace, Problem> {
    Trace::parse("a trace".to_owned(), text.as_bytes())
}

#[test]
fn lines_become_requests_in_the_order_of_their_times() {
    let trace = parse(LINES).unwrap();
    let times: Vec<_> = trace.requests.iter().map(|r| (r.at.as_nanos() / 1_000_000, r.tokens)).collect();
    assert_eq!(times, [(0, 600), (3000, 700)]);
    assert_eq!((trace.span(), trace.blocks(), trace.common_blocks()), (Duration::from_secs(3), 4, 1));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let check = |text: &str, expect: &[&str]| {
        let said = parse(text).unwrap_err().to_string();
        assert!(expect.iter().all(|part| said.contains(part)), "{said}");
    };
    check("", &["a trace holds no request"]);
    check(&format!("{LINES}{{\"timestamp\": 1}}"), &["line 4", "input_length", "a line is wanted like"]);
    check("{\"timestamp\": -1, \"input_length\": 1, \"hash_ids\": []}", &["line 1", "-1"]);
    check("no json", &["line 1"]);
}

#[test]
fn files_are_read_plain_and_packed() {
    let folder = std::env::temp_dir().join(format!("weir-sim-trace-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (plain, packed) = (folder.join("a.jsonl"), folder.join("a.jsonl.gz"));
    std::fs::write(&plain, LINES).unwrap();
    let mut encoder = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
    encoder.write_all(LINES.as_bytes()).unwrap();
    encoder.finish().unwrap();
    let (one, other) = (Trace::read(&plain).unwrap(), Trace::read(&packed).unwrap());
    assert_eq!(one.requests, other.requests);
    assert_eq!((one.name.as_str(), other.name.as_str()), ("a.jsonl", "a.jsonl.gz"));
    let missing = Trace::read(&folder.join("b.jsonl")).unwrap_err().to_string();
    assert!(missing.contains("b.jsonl") && missing.contains("No such file"), "{missing}");
    std::fs::write(&packed, "not packed").unwrap();
    assert!(Trace::read(&packed).unwrap_err().to_string().contains("a.jsonl.gz"));
    std::fs::remove_dir_all(&folder).unwrap();
}
