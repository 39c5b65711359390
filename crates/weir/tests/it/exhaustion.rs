//! More than the process has room for: of requests, and of sockets. Nothing breaks, what is refused is told so at once, and
//! with room again everything is as before.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use weir_testkit::weir::Start;
use weir_testkit::{Answer, Gate, RawClient, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

fn start(upstream: &Upstream, server: &str) -> Start {
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }}, {server} }}\n\
         providers: {{ p: {{ kind: openai, base_url: '{}' }} }}\n\
         deployments: {{ d: {{ provider: p, model: up }} }}\nroutes: {{ m: {{ deployments: [d] }} }}\n",
        upstream.url()
    );
    Start::new(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn call() -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] })
}

fn connect(addr: SocketAddr) -> RawClient {
    RawClient::connect(addr).unwrap()
}

/// Resident memory, in KiB, and the processor time used so far, in ticks of the system's clock (10 ms).
fn used(weir: &RunningWeir) -> (u64, u64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", weir.process.id())).unwrap();
    let status = read("status");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident = resident.split_whitespace().next().unwrap().parse().unwrap();
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (resident, fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
}

/// R10: five times as many requests at once as there is room for, again and again. Those that were let in are answered, the
/// others refused at once with the time to come back, memory stays where it was, and afterwards there is room again.
#[test]
fn overload_is_refused_and_leaves_no_trace() {
    const ROOM: usize = 40;
    let upstream = Upstream::start();
    let weir = start(&upstream, &format!("limits: {{ max_requests: {ROOM} }}")).start();
    let mut clients: Vec<RawClient> = (0..5 * ROOM).map(|_| connect(weir.public)).collect();
    let mut before = None;
    for round in 0..6 {
        let gate = Gate::new();
        upstream.always(Answer::auto("at last").hold(&gate));
        let earlier = upstream.calls().len();
        let (let_in, refused) = clients.split_at_mut(ROOM);
        let_in.iter_mut().for_each(|client| client.post(CHAT, &[], &call()).unwrap());
        upstream.wait_for_calls(earlier + ROOM);
        refused.iter_mut().for_each(|client| client.post(CHAT, &[], &call()).unwrap());
        // While every place is still taken.
        for client in refused {
            let reply = client.read_reply().unwrap();
            assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{}", reply.text());
        }
        gate.open();
        for client in let_in {
            assert_eq!(client.read_reply().unwrap().status, 200, "round {round}");
        }
        weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
        let (resident, _) = used(&weir);
        let first = *before.get_or_insert(resident);
        assert!(resident < first + 16 * 1024, "round {round}: {first} KiB have become {resident}");
    }
    assert_eq!(weir.post(CHAT, &[], &call()).status, 200);
}

/// How the calls of one client went: how long each answer took, and each refusal.
#[derive(Default)]
struct Went {
    answered: Vec<Duration>,
    refused: Vec<Duration>,
}

impl Went {
    fn p99(times: &mut [Duration]) -> Duration {
        times.sort_unstable();
        times[(times.len() * 99).div_ceil(100) - 1]
    }
}

/// Calls again and again until `until`, one each `every`, or as soon as the one before is over.
#[allow(clippy::disallowed_methods, reason = "what is tested is a load in real time; no core is blocked")]
fn call_until(addr: SocketAddr, until: Instant, every: Duration) -> Went {
    let mut went = Went::default();
    let mut client = connect(addr);
    while Instant::now() < until {
        let began = Instant::now();
        client.post(CHAT, &[], &call()).unwrap();
        let reply = client.read_reply().unwrap();
        let took = began.elapsed();
        match reply.status {
            200 => went.answered.push(took),
            429 | 503 => {
                assert!(reply.header("retry-after").is_some(), "{}", reply.text());
                went.refused.push(took);
            }
            _ => panic!("{}", reply.text()),
        }
        std::thread::sleep(every.saturating_sub(took));
    }
    went
}

/// R10 as it happens: a minute of five times the load there is room for, with 512 MiB of memory. Who is let in waits less
/// than twice as long as without the load, the others are refused within a tenth of a second, and when the load ends there
/// is room within five seconds. Runs when `WEIR_LONG` is set.
#[test]
fn a_minute_of_overload_is_borne_in_little_memory() {
    if std::env::var_os("WEIR_LONG").is_none() {
        eprintln!("skipped: takes a minute of real time; `cargo xtask ci --long` runs it");
        return;
    }
    const ROOM: usize = 40;
    const TAKES: Duration = Duration::from_millis(500);
    let upstream = Upstream::start();
    upstream.always(Answer::auto("at last").delay(TAKES));
    let limits = format!("limits: {{ max_requests: {ROOM} }}");
    let weir = start(&upstream, &limits).memory(512).start();
    // Forty places and half a second for each answer: the load is two hundred clients that call twice a second.
    let load = |clients: usize, lasts: Duration| {
        let until = Instant::now() + lasts;
        let one = || call_until(weir.public, until, TAKES);
        let mut all = Went::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
            for thread in threads {
                let went = thread.join().unwrap();
                all.answered.extend(went.answered);
                all.refused.extend(went.refused);
            }
        });
        all
    };
    let mut calm = load(ROOM / 2, Duration::from_secs(5));
    assert!(calm.refused.is_empty(), "there is room for these");
    let mut crowded = load(5 * ROOM, Duration::from_secs(60));
    let ended = Instant::now();
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    assert_eq!(weir.post(CHAT, &[], &call()).status, 200);
    assert!(ended.elapsed() < Duration::from_secs(5), "room again after {:?}", ended.elapsed());
    let (calm, let_in) = (Went::p99(&mut calm.answered), Went::p99(&mut crowded.answered));
    assert!(let_in < calm * 2, "{let_in:?} under load, {calm:?} without");
    assert!(crowded.refused.len() > crowded.answered.len(), "it was no overload");
    let refused = Went::p99(&mut crowded.refused);
    assert!(refused < Duration::from_millis(100), "{refused:?}");
    let (resident, _) = used(&weir);
    assert!(resident < 512 * 1024, "{resident} KiB");
}

/// R12: out of file descriptors no more connections are taken for a while. Those that are there are served, nothing spins
/// or ends, and with descriptors again the waiting ones have their turn.
#[test]
fn without_descriptors_connections_wait() {
    let upstream = Upstream::start();
    upstream.always(Answer::auto("hello"));
    let weir = start(&upstream, "").open_files(96).start();
    let mut known = connect(weir.public);
    let mut ask = || {
        known.post(CHAT, &[], &call()).unwrap();
        known.read_reply().unwrap().status
    };
    assert_eq!(ask(), 200);
    let mut others: Vec<RawClient> = (0..160).map(|_| connect(weir.public)).collect();
    let mut last = others.pop().unwrap();
    last.post(CHAT, &[], &call()).unwrap();
    let (_, before) = used(&weir);
    last.set_deadline(Duration::from_millis(700)).unwrap();
    assert!(last.read_reply().is_err(), "there was no descriptor for it");
    let (_, after) = used(&weir);
    assert!(after - before < 20, "{} ms of work for nothing", (after - before) * 10);
    for _ in 0..5 {
        assert_eq!(ask(), 200);
    }
    drop(others);
    last.set_deadline(Duration::from_secs(20)).unwrap();
    assert_eq!(last.read_reply().unwrap().status, 200);
    assert_eq!(weir.post(CHAT, &[], &call()).status, 200);
}
