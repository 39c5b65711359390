//! What is kept after a restart, and what happens where it cannot be.

use serde_json::json;
use std::path::Path;
use weir_testkit::{RunningWeir, Upstream, weir};

const CHAT: &str = "/v1/chat/completions";

fn start(upstream: &Upstream, store: &str) -> RunningWeir {
    let config = format!(
        "providers: {{ up: {{ kind: openai, base_url: \"{}\" }} }}\n\
         deployments: {{ one: {{ provider: up, model: upstream-model }} }}\n\
         routes: {{ chat: {{ deployments: [one] }} }}\n\
         {store}\n",
        upstream.url()
    );
    weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn chats(weir: &RunningWeir) -> bool {
    let body = json!({ "model": "chat", "messages": [{ "role": "user", "content": "hi" }] });
    weir.post(CHAT, &[], &body).status == 200
}

#[test]
fn without_a_section_nothing_is_opened() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    assert!(chats(&weir));
    assert_eq!(weir.metric("weir_store_up", &[]), None);
    assert!(!weir.folder().join("weir.db").exists());
}

#[test]
fn the_file_is_made_beside_the_configuration() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "store: {}");
    assert_eq!(weir.metric("weir_store_up", &[]), Some(1.0));
    assert!(weir.folder().join("weir.db").exists());
    weir.rewrite(
        &std::fs::read_to_string(&weir.config).unwrap().replace("store: {}", "store: { keep_days: 7 }"),
    );
    let reloaded = weir.reload();
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());
    assert!(reloaded.text().contains("\"store\""), "what waits for a restart is told: {}", reloaded.text());
}

#[test]
fn a_store_that_cannot_be_opened_stops_nothing_else() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "store: { path: not/there/weir.db }");
    assert!(chats(&weir));
    assert_eq!(weir.metric("weir_store_up", &[]), Some(0.0));
    assert!(weir.process.stderr().contains("the folder") && weir.process.stderr().contains("is not there"));
    // It is opened as soon as that can be.
    std::fs::create_dir_all(weir.folder().join("not/there")).unwrap();
    let up = weir.process.eventually(|| (weir.metric("weir_store_up", &[]) == Some(1.0)).then_some(()));
    assert!(up.is_some(), "{:?}", weir.process);
}
