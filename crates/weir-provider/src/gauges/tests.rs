use super::*;
use proptest::prelude::*;

fn check(page: &str, model: &str, expect: Option<(f64, f64, Option<f64>, bool)>) {
    let got = load(page.as_bytes(), model).map(|l| (l.running, l.waiting, l.memory, l.of_model));
    assert_eq!(got, expect, "{page}");
}

const VLLM: &str = r#"# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="qwen3-8b"} 3.0
vllm:num_requests_running{engine="1",model_name="qwen3-8b"} 2.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="qwen3-8b"} 7.0
vllm:num_requests_waiting{engine="1",model_name="qwen3-8b"} 0.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="qwen3-8b"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="qwen3-8b"} 0.75
vllm:prefix_cache_queries_total{engine="0",model_name="qwen3-8b"} 1.234e+06
python_gc_objects_collected_total{generation="0"} 9876.0
"#;

#[test]
fn engines_of_one_model_are_added_up() {
    check(VLLM, "qwen3-8b", Some((5.0, 7.0, Some(0.75), true)));
    check(VLLM, "another name for it", Some((5.0, 7.0, Some(0.75), false)));
}

#[test]
fn each_engine_is_known_by_its_names() {
    let old =
        "vllm:num_requests_running{model_name=\"m\"} 1\nvllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n";
    check(old, "m", Some((1.0, 0.0, Some(0.5), true)));
    let sglang = "sglang:num_running_reqs{engine_type=\"unified\",model_name=\"m\",tp_rank=\"0\"} 4.0\n\
                  sglang:num_queue_reqs{engine_type=\"unified\",model_name=\"m\",tp_rank=\"0\"} 11.0\n\
                  sglang:token_usage{engine_type=\"unified\",model_name=\"m\",tp_rank=\"0\"} 0.28\n";
    check(sglang, "m", Some((4.0, 11.0, Some(0.28), true)));
    let tgi = "# TYPE tgi_batch_current_size gauge\ntgi_batch_current_size 6\n# TYPE tgi_queue_size gauge\ntgi_queue_size 2\n\
               tgi_batch_current_max_tokens 4096\n";
    check(tgi, "m", Some((6.0, 2.0, None, false)));
    let llama = "# HELP llamacpp:requests_processing Number of requests processing.\n\
                 # TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing 1\n\
                 llamacpp:requests_deferred 3\n";
    check(llama, "m", Some((1.0, 3.0, None, false)));
}

#[test]
fn models_of_one_server_are_told_apart() {
    let two =
        "vllm:num_requests_running{model_name=\"a\"} 1\nvllm:num_requests_running{model_name=\"b\"} 9\n";
    check(two, "a", Some((1.0, 0.0, None, true)));
    check(two, "b", Some((9.0, 0.0, None, true)));
    check(two, "c", Some((10.0, 0.0, None, false)));
}

#[test]
fn what_is_no_such_gauge_is_passed_over() {
    for page in [
        "",
        "<html>not found</html>",
        "vllm:num_requests_running",
        "vllm:num_requests_running{model_name=\"m\"",
        "vllm:num_requests_running{model_name=\"m\"} NaN",
        "vllm:num_requests_running +Inf",
        "vllm:num_requests_running -1",
        "vllm:num_requests_running one",
        "vllm:num_requests_running_by_lora 4",
        "# vllm:num_requests_running 4",
    ] {
        check(page, "m", None);
    }
    let hostile = "vllm:num_requests_running{a=\"}\\\"} 5\",model_name=\"m\"} 2 1700000000000\r\n";
    check(hostile, "m", Some((2.0, 0.0, None, true)));
}

proptest! {
    #[test]
    fn no_page_is_too_strange(page in ".{0,200}", cut in 0..VLLM.len()) {
        load(page.as_bytes(), "m");
        load(&VLLM.as_bytes()[..cut], "qwen3-8b");
        load(format!("vllm:num_requests_running{{{page}}} 1\n").as_bytes(), &page);
    }
}
