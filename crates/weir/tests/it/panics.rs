//! L5: a panic in one request is that request's 500 and nothing else.
//!
//! Nothing in the program panics on demand, so here its data plane runs inside the test, with a roster that holds one
//! policy more.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::task::LocalSet;
use weir_engine::{Core, Engine, Rosters};
use weir_routing::policy::{Ask, Order};
use weir_routing::{Chance, Kind, POLICIES, Policy};
use weir_server::{Phase, Stop, listen, public};
use weir_telemetry::{LogTarget, Settings, Telemetry};
use weir_testkit::{Answer, Gate, RawClient, Scratch, Upstream};

const CHAT: &str = "/v1/chat/completions";

struct Panics;

impl Policy for Panics {
    fn order(&self, _: &Ask<'_, '_>, _: &mut dyn Chance, _: &mut Order) {
        panic!("scripted");
    }
}

static PANICS: Kind = Kind {
    name: "panics",
    description: "Panics whenever it is asked.",
    settings: &[],
    build: |_| Box::new(Panics),
};

static WITH_PANICS: LazyLock<Vec<&'static Kind>> =
    LazyLock::new(|| POLICIES.iter().copied().chain([&PANICS]).collect());

/// The data plane on one core, so that everything here has that core's thread in common.
struct OneCore {
    addr: SocketAddr,
    telemetry: Arc<Telemetry>,
    stop: Stop,
    thread: JoinHandle<()>,
    scratch: Scratch,
}

impl OneCore {
    fn start(upstream: &Upstream) -> OneCore {
        let yaml = format!(
            "providers: {{ p: {{ kind: openai, base_url: '{}' }} }}\n\
             deployments: {{ d: {{ provider: p, model: up }} }}\n\
             routes: {{ m: {{ deployments: [d] }}, broken: {{ deployments: [d], policy: panics }} }}\n",
            upstream.url()
        );
        let config = weir_config::parse("weir.yaml", &yaml, &weir_config::ProcessEnvironment).unwrap();
        let scratch = Scratch::new();
        let access_log = Some(LogTarget::File(scratch.path().join("access.log")));
        let telemetry = Telemetry::start(&Settings { access_log, spans: false }).unwrap();
        let engine = Engine::new(&config, Rosters { policies: &WITH_PANICS }, telemetry.clone()).unwrap();
        let listener = listen::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap().remove(0);
        let addr = listener.local_addr().unwrap();
        let (stop, drain) = Stop::new();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let core = Core::new(engine, 1);
            LocalSet::new().block_on(&runtime, public::run(core, listener, Arc::default(), drain)).unwrap();
        });
        OneCore { addr, telemetry, stop, thread, scratch }
    }

    /// Ends it in good order; the lines of its access log, and its metrics.
    fn end(self) -> (Vec<Value>, String) {
        self.stop.advance(Phase::Draining);
        self.thread.join().unwrap();
        assert!(self.telemetry.flush(Duration::from_secs(10)));
        let log = std::fs::read_to_string(self.scratch.path().join("access.log")).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines, self.telemetry.render())
    }
}

fn call(model: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "hi" }] })
}

#[test]
fn a_panic_in_one_request_is_that_requests_500() {
    let upstream = Upstream::start();
    let weir = OneCore::start(&upstream);
    let gate = Gate::new();
    upstream.script([(); 3].map(|()| Answer::stream(["one ", "two ", "three"]).without_role().gate(&gate)));
    let mut neighbours: Vec<RawClient> = (0..3).map(|_| RawClient::connect(weir.addr).unwrap()).collect();
    for client in &mut neighbours {
        client.post(CHAT, &[], &call("m", true)).unwrap();
    }
    (0..3).for_each(|_| gate.release());
    for client in &mut neighbours {
        assert_eq!(client.read_head().unwrap().status, 200);
        client.read_event().unwrap().unwrap();
    }

    let mut client = RawClient::connect(weir.addr).unwrap();
    let mut ids = Vec::new();
    for stream in [false, true] {
        client.post(CHAT, &[], &call("broken", stream)).unwrap();
        let reply = client.read_reply().unwrap();
        assert_eq!(reply.status, 500, "{}", reply.text());
        let error = reply.json()["error"].clone();
        assert_eq!((&error["code"], &error["type"]), (&json!("internal_error"), &json!("server_error")));
        assert!(!reply.text().contains("scripted"), "what a panic says is for the log: {error}");
        let id = reply.header("x-request-id").unwrap().to_owned();
        assert_eq!(error["request_id"], id.as_str());
        ids.push(id);
    }
    // Its connection is good for another call, and its neighbours' streams go on to their ends.
    client.post(CHAT, &[], &call("m", false)).unwrap();
    assert_eq!(client.read_reply().unwrap().status, 200);
    gate.open();
    for client in &mut neighbours {
        let events = client.read_events().unwrap();
        assert_eq!(events.last().unwrap().data, "[DONE]", "{events:?}");
    }
    drop((client, neighbours));

    let (lines, metrics) = weir.end();
    assert_eq!(lines.len(), 6, "one line for each request: {lines:?}");
    for id in ids {
        let told: Vec<&Value> = lines.iter().filter(|line| line["request_id"] == id.as_str()).collect();
        let [line] = told[..] else { panic!("{id} has {} lines: {lines:?}", told.len()) };
        let said = json!({ "status": 500, "outcome": "gateway", "code": "internal_error", "cause": "scripted",
                           "model": "broken", "route": "broken", "attempts": 0 });
        for (member, value) in said.as_object().unwrap() {
            assert_eq!(&line[member], value, "{member}: {line}");
        }
    }
    let failed: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("weir_requests_total{") && line.contains("outcome=\"gateway\""))
        .collect();
    assert!(matches!(failed[..], [line] if line.ends_with(" 2")), "{failed:?}");
    assert!(metrics.contains("\nweir_requests_in_flight 0\n"), "{metrics}");
    assert_eq!(upstream.calls().len(), 4, "nobody was called for the two that panicked");
}
