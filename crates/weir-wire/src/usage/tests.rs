use super::*;

fn usage(input: u64, cache_read: u64, output: u64, reasoning: u64) -> Stated {
    Stated::Counted(Usage { input, cache_read, output, reasoning, ..Usage::default() })
}

fn check(text: &str, expect: Stated) {
    let mut reader = Reader::new(text.as_bytes()).unwrap();
    assert_eq!(read(&mut reader), Ok(expect), "{text}");
}

#[test]
fn dialects_come_to_the_same_figures() {
    check("null", Stated::Nothing);
    check("5", Stated::Nothing);
    check(r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}"#, usage(9, 0, 12, 0));
    check(r#"{"prompt_tokens":8,"total_tokens":8}"#, usage(8, 0, 0, 0));
    // OpenAI
    check(
        r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":
            {"cached_tokens":64,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30}}"#,
        usage(100, 64, 50, 30),
    );
    // vLLM without details; llama.cpp
    check(r#"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":null}"#, usage(5, 0, 1, 0));
    // DeepSeek
    check(
        r#"{"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":40,"prompt_cache_miss_tokens":60,
            "prompt_tokens_details":{"cached_tokens":40}}"#,
        usage(100, 40, 5, 0),
    );
    // xAI: reasoning stands beside the completion, as the total shows.
    check(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}"#,
        usage(10, 0, 105, 100),
    );
    let sound = Usage { input: 10, audio_input: 6, output: 20, audio_output: 15, ..Usage::default() };
    check(
        r#"{"prompt_tokens":10,"completion_tokens":20,"prompt_tokens_details":{"audio_tokens":6},
            "completion_tokens_details":{"audio_tokens":15,"reasoning_tokens":0}}"#,
        Stated::Counted(sound),
    );
    check(
        r#"{"prompt_tokens":10,"completion_tokens":20,"prompt_tokens_details":{"audio_tokens":"6"}}"#,
        usage(10, 0, 20, 0),
    );
    let written = Usage { input: 10, cache_write: 4, output: 1, ..Usage::default() };
    check(
        r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cache_write_tokens":4}}"#,
        Stated::Counted(written),
    );
}

#[test]
fn a_zero_is_a_figure() {
    check(r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#, usage(0, 0, 0, 0));
    check(r#"{"prompt_tokens":0,"total_tokens":0}"#, usage(0, 0, 0, 0));
}

#[test]
fn figures_that_cannot_be_true_do_not_count() {
    for text in [
        "{}",
        r#"{"total_tokens":21}"#,
        r#"{"prompt_tokens":null,"completion_tokens":null,"total_tokens":0}"#,
        r#"{"prompt_tokens":0,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":6}}"#,
        r#"{"prompt_tokens":-1,"completion_tokens":5}"#,
        r#"{"prompt_tokens":1.5,"completion_tokens":5}"#,
        r#"{"prompt_tokens":"7","completion_tokens":5}"#,
        r#"{"prompt_tokens":1e400,"completion_tokens":5}"#,
        r#"{"prompt_tokens":100000001,"completion_tokens":5}"#,
        r#"{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615}"#,
        r#"{"prompt_tokens":5,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":6}}"#,
        r#"{"prompt_tokens":5,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}}"#,
    ] {
        check(text, Stated::Useless);
    }
}

#[test]
fn an_estimate_says_that_it_is_one() {
    let estimate = estimate(401, 80, 7);
    assert_eq!((estimate.input, estimate.output), (101, 20));
    assert_eq!(estimate.source, UsageSource::Estimated);
    assert_eq!(super::estimate(0, 8, 7).output, 7);
}
