//! The process starts, ends and endures in good order: what it says, what it exits with, what it does for those it serves
//! meanwhile.

use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use weir_testkit::client::call;
use weir_testkit::weir::Start;
use weir_testkit::{Answer, Gate, How, Process, RawClient, RunningWeir, Scratch, Upstream, free_port};

const CHAT: &str = "/v1/chat/completions";

fn config(upstream: &Upstream, server: &str) -> String {
    format!(
        "server: {{ listen: @public@, admin: {{ listen: @admin@, token: testkit-admin-token }}, {server} }}\n\
         providers: {{ up: {{ kind: openai, base_url: \"{}\" }} }}\n\
         deployments: {{ one: {{ provider: up, model: upstream-model }} }}\n\
         routes: {{ chat: {{ deployments: [one] }} }}\n",
        upstream.url()
    )
}

fn start(upstream: &Upstream, server: &str) -> RunningWeir {
    Start::new(Path::new(env!("CARGO_BIN_EXE_weir")), &config(upstream, server)).start()
}

fn chat(stream: bool) -> Value {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": "hi" }], "stream": stream })
}

/// A stream of which the client has read the beginning.
fn open_stream(weir: &RunningWeir) -> RawClient {
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &chat(true)).unwrap();
    client.read_head().unwrap();
    client.read_event().unwrap().unwrap();
    client
}

fn refuses(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn wait_until_refused(weir: &RunningWeir) {
    let refused = weir.process.eventually(|| refuses(weir.public).then_some(()));
    assert!(refused.is_some(), "still listens; {:?}", weir.process);
}

/// Waits until the connection has been accepted and all that was sent on it has been read. The kernel knows: a socket that
/// nobody has accepted yet has no inode (proc(5), `/proc/net/tcp`).
fn wait_until_read(weir: &RunningWeir, client: &RawClient) {
    let port = client.local_addr().unwrap().port();
    let (own, peer) = (format!(":{:04X}", weir.public.port()), format!(":{port:04X}"));
    let read = weir.process.eventually(|| {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row.len() > 9 && row[1].ends_with(&own) && row[2].ends_with(&peer))?;
        (row[4].ends_with(":00000000") && row[9] != "0").then_some(())
    });
    assert!(read.is_some(), "not accepted; {:?}", weir.process);
}

/// L2. Asked to end, it takes nothing new and says so, lets a hundred streams finish, and exits with 0.
#[test]
fn draining_finishes_what_has_begun() {
    const STREAMS: usize = 100;
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.always(Answer::stream(["a", "b", "c"]).without_role().gate(&gate));
    let mut weir = start(&upstream, "grace: 10m");
    let mut streams: Vec<RawClient> = (0..STREAMS).map(|_| open_stream(&weir)).collect();
    assert_eq!(weir.get("/health/ready").status, 200);
    // Asks for readiness on a connection that is open before the end begins.
    let mut asking = weir.connect().unwrap();
    asking.send(b"GET /health/ready HTTP/1.1\r\n").unwrap();
    wait_until_read(&weir, &asking);
    weir.signal("TERM");
    wait_until_refused(&weir);
    asking.send(b"host: weir\r\n\r\n").unwrap();
    let reply = asking.read_reply().unwrap();
    assert_eq!((reply.status, &reply.json()["status"]), (503, &json!("draining")));
    asking.wait_for_close().unwrap();
    let reply = weir.admin("GET", "/health/ready");
    assert_eq!((reply.status, &reply.json()["status"]), (503, &json!("draining")));
    weir.wait_for_metric("weir_requests_in_flight", &[], STREAMS as f64);
    assert_eq!(upstream.log().in_flight(), STREAMS);
    gate.open();
    for stream in &mut streams {
        let events = stream.read_events().unwrap();
        assert_eq!(events.iter().map(weir_testkit::client::Event::text).collect::<String>(), "bc");
        assert_eq!(events.last().unwrap().data, "[DONE]");
    }
    drop(streams);
    assert_eq!(weir.wait_for_exit().code(), Some(0));
    let answered = weir.access_log().iter().filter(|line| line["outcome"] == "ok").count();
    assert_eq!(answered, STREAMS, "the log is written to its end");
}

/// L2. An idle connection does not hold up the end, and nor does one that was never used.
#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let upstream = Upstream::start();
    let mut weir = start(&upstream, "grace: 10m");
    let mut idle = weir.connect().unwrap();
    idle.post(CHAT, &[], &chat(false)).unwrap();
    assert_eq!(idle.read_reply().unwrap().status, 200);
    let mut unused = weir.connect().unwrap();
    wait_until_read(&weir, &unused);
    weir.signal("INT");
    idle.wait_for_close().unwrap();
    unused.wait_for_close().unwrap();
    assert_eq!(weir.wait_for_exit().code(), Some(0));
}

/// L2. A second signal ends it at once, with 1: streams were cut.
#[test]
fn a_second_signal_ends_at_once() {
    let upstream = Upstream::start();
    upstream.always(Answer::auto("a b c").pause_after_events(2));
    let mut weir = start(&upstream, "grace: 10m");
    let mut stream = open_stream(&weir);
    weir.signal("TERM");
    wait_until_refused(&weir);
    weir.signal("TERM");
    assert_eq!(weir.wait_for_exit().code(), Some(1));
    assert!(stream.read_events().is_err(), "a stream that was cut has no orderly end");
    assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
}

/// L2. When the grace period is over, what is left is cut, and its upstream call with it.
#[test]
fn the_grace_period_has_an_end() {
    let upstream = Upstream::start();
    upstream.always(Answer::auto("a b c").pause_after_events(2));
    let mut weir = start(&upstream, "grace: 300ms");
    let mut stream = open_stream(&weir);
    weir.signal("TERM");
    assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
    assert_eq!(weir.wait_for_exit().code(), Some(0));
    assert!(stream.read_events().is_err(), "a stream that was cut has no orderly end");
    assert!(weir.logs().contains("the grace period is over"), "{}", weir.logs());
    assert!(weir.access_log().iter().any(|line| line["route"] == "chat"), "what was cut is in the log, too");
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("WEIR_CONFIG")
        .output()
        .unwrap()
}

/// Exit codes: 0 fine, 1 failed while running, 2 wrong usage or configuration; and on which output the words are.
#[test]
fn exit_codes_tell_whose_fault_it_was() {
    let scratch = Scratch::new();
    let good = "server: { listen: 127.0.0.1:0, admin: { listen: 127.0.0.1:0 } }\n\
                providers: { up: { kind: openai, base_url: \"http://127.0.0.1:9/v1\" } }\n\
                deployments: { one: { provider: up, model: m } }\nroutes: { chat: { deployments: [one] } }\n";
    scratch.write("good.yaml", good);
    scratch.write("bad.yaml", &good.replace("routes", "ruotes"));
    scratch.write("kind.yaml", &good.replace("kind: openai", "kind: openia"));
    scratch
        .write("log.yaml", &format!("{good}telemetry: {{ access_log: {{ path: no/such/folder/log }} }}\n"));
    let check = |arguments: &[&str], code: i32, expect: &str| {
        let output = run(arguments, scratch.path());
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{err}");
        let (said, silent) = if code == 0 { (out, err) } else { (err, out) };
        assert!(said.contains(expect), "{arguments:?}: {said}");
        assert!(silent.is_empty(), "{arguments:?}: {silent}");
    };
    check(&["--version"], 0, env!("CARGO_PKG_VERSION"));
    check(&["--help"], 0, "Exit codes");
    check(&["serve", "--help"], 0, "--config");
    check(&["schema"], 0, "\"deployments\"");
    check(&["check", "-c", "good.yaml"], 0, "fine");
    check(&[], 2, "Usage");
    check(&["surf"], 2, "surf");
    check(&["serve", "--confgi", "good.yaml"], 2, "--config");
    for command in ["check", "serve"] {
        check(&[command, "-c", "bad.yaml"], 2, "bad.yaml:4:1");
        check(&[command, "-c", "bad.yaml"], 2, "did you mean \"routes\"");
        check(&[command, "-c", "kind.yaml"], 2, "did you mean \"openai\"");
        check(&[command, "-c", "none.yaml"], 2, "none.yaml");
    }
    check(&["serve", "-c", "log.yaml"], 2, "telemetry.access_log");
    check(&["serve", "-c", "good.yaml", "--listen", "0.0.0.0:1"], 2, "not a loopback address");
    check(&["serve", "-c", "good.yaml", "--listen", "7600"], 2, "--listen");
}

/// Warnings are told and fine; with `--strict` they are not. `--json` says both apart, on stdout alone.
#[test]
fn warnings_are_apart_from_problems() {
    let scratch = Scratch::new();
    let text = "providers: { up: { kind: openai, base_url: \"http://127.0.0.1:9\" } }\n\
                deployments: { one: { provider: up, model: m } }\nroutes: { chat: { deployments: [one] } }\n";
    scratch.write("warned.yaml", text);
    scratch.write("prefill.yaml", &text.replace("model: m }", "model: m, continues: prefill }"));
    scratch.write("wrong.yaml", &text.replace("[one]", "[noe], policy: weigthed"));
    let check = |arguments: &[&str], code: i32| {
        let output = run(&[&["check", "-c"], arguments].concat(), scratch.path());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{err}");
        (out, err)
    };
    let warning = "warning: warned.yaml:1:44: providers.up.base_url: no /v1";
    let (out, err) = check(&["warned.yaml"], 0);
    assert!(
        out.contains("fine (1 deployment, 1 route, 1 warning)") && err.starts_with(warning),
        "{out}{err}"
    );
    let (out, err) = check(&["warned.yaml", "--strict"], 2);
    assert!(out.is_empty() && err.starts_with(warning) && err.contains("\n1 warning in the"), "{out}{err}");
    let (_, err) = check(&["prefill.yaml"], 0);
    assert!(err.contains("deployments.one.continues: it is not known that servers of the kind"), "{err}");
    let (_, err) = check(&["wrong.yaml"], 2);
    assert!(
        err.contains("no deployment named \"noe\"") && err.contains("did you mean \"weighted\""),
        "{err}"
    );
    assert!(err.contains("\n2 problems and 1 warning in the configuration"), "{err}");
    for (arguments, code, problems) in [
        (["warned.yaml", "--json"].as_slice(), 0, 0),
        (&["warned.yaml", "--json", "--strict"], 2, 0),
        (&["wrong.yaml", "--json"], 2, 2),
    ] {
        let (out, err) = check(arguments, code);
        let said: Value = serde_json::from_str(&out).unwrap();
        let count = |what: &str| said[what].as_array().map(Vec::len);
        assert_eq!((count("problems"), count("warnings")), (Some(problems), Some(1)), "{arguments:?}: {out}");
        assert_eq!((&said["fine"], &said["warnings"][0]["line"]), (&json!(code == 0), &json!(1)), "{out}");
        assert!(err.is_empty(), "{err}");
    }
}

/// What only the policies know: settings and hints that lead nowhere. And how many routes the file has.
#[test]
fn policies_are_doubted_and_routes_counted() {
    let scratch = Scratch::new();
    let check = |routes: &str, told: &str, expect: &[&str]| {
        let text = format!(
            "providers: {{ p: {{ kind: openai }} }}\ndeployments: {{ a: {{ provider: p, model: m, class: [fast, coding] }} }}\n\
             routes:\n  r: {{ deployments: [a] }}\n{routes}"
        );
        scratch.write("doubts.yaml", &text);
        let output = run(&["check", "-c", "doubts.yaml"], scratch.path());
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(out.contains(told), "{text}: {out}{err}");
        let lines: Vec<&str> = err.lines().collect();
        let same =
            lines.len() == expect.len() && lines.iter().zip(expect).all(|(got, part)| got.contains(part));
        assert!(same, "{text}\nexpected {expect:#?}\ngot {lines:#?}");
    };
    check("", "fine (1 deployment, 1 route, 2 classes of models)", &[]);
    check("  class:fast: { policy: cost }\n", "fine (1 deployment, 2 routes, 1 class of models)", &[]);
    let policy = |policy: &str| format!("  s: {{ deployments: [a], policy: {policy} }}\n");
    check(&policy("prefix"), "1 warning", &["5:34: routes.s.policy: without `cache_blocks`"]);
    check(&policy("{ kind: prefix, cache_blocks: 100 }"), "classes of models)", &[]);
    check(
        &policy("{ kind: sticky, over: prefix }"),
        "1 warning",
        &["routes.s.policy: without `cache_blocks`"],
    );
    check(
        &policy("{ kind: sticky, over: sticky }"),
        "1 warning",
        &["routes.s.policy: `sticky` over `sticky`"],
    );
    let pool = "  s: { deployments: [a], rules: [{ use: x }], pools: { x: { deployments: [a], policy: prefix } } }\n";
    check(pool, "1 warning", &["routes.s.pools.x.policy: without `cache_blocks`"]);
    let hints = |more: &str| format!("  s: {{ deployments: [a], hints: [latency_budget] {more} }}\n");
    check(&hints(""), "1 warning", &["routes.s.hints: requests may state a `latency_budget`, and no policy"]);
    check(&hints(", policy: latency_budget"), "classes of models)", &[]);
    let to = "  t: { deployments: [a], policy: { kind: sticky, over: latency_budget } }\n";
    check(&format!("{}{to}", hints(", fallbacks: [t]")), "classes of models)", &[]);
    check(&format!("{}{to}", hints(", rules: [{ use: t }]")), "classes of models)", &[]);
    check("  s: { deployments: [a], hints: [latency_budget, policy] }\n", "classes of models)", &[]);
}

/// What the command line says goes before the file, and a reload does not undo it.
#[test]
fn listeners_may_be_moved_from_the_command_line() {
    let upstream = Upstream::start();
    let (scratch, [public, admin]) =
        (Scratch::new(), [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port()))));
    let text = config(&upstream, "").replace("@public@", "127.0.0.1:1").replace("@admin@", "127.0.0.1:2");
    let path = scratch.write("weir.yaml", &text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("serve").arg("-c").arg(path);
    command.arg("--listen").arg(public.to_string()).arg("--admin-listen").arg(admin.to_string());
    let process = Process::start(&mut command);
    process.wait_for_line("the start", |line| line.contains("weir serves").then_some(()));
    assert_eq!(call(public, "GET", "/health/ready", &[], b"").unwrap().status, 200);
    let token = [("authorization", "Bearer testkit-admin-token")];
    let reply = call(admin, "POST", "/admin/reload", &token, b"").unwrap();
    assert_eq!((reply.status, &reply.json()["needs_restart"]), (200, &json!([])), "{}", reply.text());
}

/// One line says what began to serve, one what came of it.
#[test]
fn it_says_what_began_and_how_it_ended() {
    let upstream = Upstream::start();
    let mut weir = start(&upstream, "cores: 1");
    for _ in 0..3 {
        assert_eq!(weir.post(CHAT, &[], &chat(false)).status, 200);
    }
    weir.signal("TERM");
    assert_eq!(weir.wait_for_exit().code(), Some(0));
    let logs = weir.logs();
    let line = |what: &str| {
        let lines: Vec<&str> = logs.lines().filter(|line| line.contains(what)).collect();
        assert_eq!(lines.len(), 1, "{what}: {logs}");
        lines[0].to_owned()
    };
    let (began, ended) = (line("weir serves"), line("weir has ended"));
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    for part in [
        &version,
        "weir.yaml",
        "routes=1",
        "deployments=1",
        &weir.public.to_string(),
        &weir.admin.to_string(),
    ] {
        assert!(began.contains(part), "{part}: {began}");
    }
    let served = weir.access_log().len();
    for part in ["signal=\"SIGTERM\"", &format!("served={served} "), "cut=0", "drained_seconds="] {
        assert!(ended.contains(part), "{part}: {ended}");
    }
}

/// A port that is taken is named, with the key that moves it; the exit code is 1, since the file is fine.
#[test]
fn a_taken_port_is_said_with_the_way_out() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let both = [
        (format!("listen: {addr}, admin: {{ listen: 127.0.0.1:0 }}"), "server.listen"),
        (format!("listen: 127.0.0.1:0, admin: {{ listen: {addr} }}"), "server.admin.listen"),
    ];
    for (server, key) in both {
        scratch.write(
            "weir.yaml",
            &format!(
                "server: {{ {server} }}\nproviders: {{ up: {{ kind: openai, base_url: \"http://127.0.0.1:9/v1\" }} }}\n\
                 deployments: {{ one: {{ provider: up, model: m }} }}\nroutes: {{ chat: {{ deployments: [one] }} }}\n"
            ),
        );
        let output = run(&["serve", "-c", "weir.yaml"], scratch.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in [addr.to_string().as_str(), "in use", &format!("set {key} to a free port")] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    // Another weir is another process, too, although both would allow their ports to be shared.
    let upstream = Upstream::start();
    let first = start(&upstream, "cores: 1");
    let output = run(&["serve", "-c", first.config.to_str().unwrap()], scratch.path());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

/// When it says that it serves, it does: nobody has to try twice.
#[test]
fn it_serves_when_it_says_so() {
    let upstream = Upstream::start();
    let (scratch, [public, admin]) =
        (Scratch::new(), [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port()))));
    let text =
        config(&upstream, "").replace("@public@", &public.to_string()).replace("@admin@", &admin.to_string());
    let path = scratch.write("weir.yaml", &text);
    let process = Process::start(Command::new(env!("CARGO_BIN_EXE_weir")).arg("serve").arg("-c").arg(path));
    process.wait_for_line("the start", |line| line.contains("weir serves").then_some(()));
    assert_eq!(call(public, "GET", "/health/ready", &[], b"").unwrap().status, 200);
    assert_eq!(call(admin, "GET", "/metrics", &[], b"").unwrap().status, 200);
    let mut client = RawClient::connect(public).unwrap();
    client.post(CHAT, &[], &chat(false)).unwrap();
    assert_eq!(client.read_reply().unwrap().status, 200);
}

/// A `weir` with its access log on a pipe that only the test may read.
struct Piped {
    public: SocketAddr,
    admin: SocketAddr,
    process: Process,
    pipe: PathBuf,
    _scratch: Scratch,
}

impl Piped {
    /// Gives the reading end, too: nothing is read from it unless the test does.
    fn start(upstream: &Upstream) -> (Piped, File) {
        let scratch = Scratch::new();
        let [public, admin] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let text = config(upstream, "cores: 1");
        let text = text.replace("@public@", &public.to_string()).replace("@admin@", &admin.to_string());
        scratch.write("weir.yaml", &text);
        let pipe = scratch.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Open for both, so that opening does not wait for the other end.
        let reader = File::options().read(true).write(true).open(&pipe).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" serve -c weir.yaml > pipe", env!("CARGO_BIN_EXE_weir")]);
        let process = Process::start(shell.current_dir(scratch.path()));
        process.wait_for_line("the start", |line| line.contains("weir serves").then_some(()));
        (Piped { public, admin, process, pipe, _scratch: scratch }, reader)
    }

    fn dropped(&self) -> f64 {
        let text = call(self.admin, "GET", "/metrics", &[], b"").unwrap().text();
        let line = text.lines().find_map(|line| line.strip_prefix("weir_log_lines_dropped_total "));
        line.unwrap_or_else(|| panic!("no such metric: {text}")).parse().unwrap()
    }

    /// Makes log lines, many at a time, until some are dropped.
    fn log_until_dropped(&self) {
        const BATCH: usize = 100;
        let name = "x".repeat(128);
        let batch = format!("GET /v1/models/{name} HTTP/1.1\r\nhost: weir\r\n\r\n").repeat(BATCH);
        let mut client = RawClient::connect(self.public).unwrap();
        for _ in 0..500 {
            client.send(batch.as_bytes()).unwrap();
            for _ in 0..BATCH {
                assert_eq!(client.read_reply().unwrap().status, 404);
            }
            if self.dropped() > 0.0 {
                return;
            }
        }
        panic!("fifty thousand lines without a reader, and none dropped");
    }

    fn serves(&self) {
        let mut client = RawClient::connect(self.public).unwrap();
        for stream in [false, true] {
            client.post(CHAT, &[], &chat(stream)).unwrap();
            assert_eq!(client.read_head().unwrap().status, 200);
            assert!(!client.read_body().unwrap().is_empty());
        }
    }
}

/// D5. Nobody reads the access log: serving goes on, the lines that find no room are counted, and when the reader comes back
/// it gets whole lines again.
#[test]
fn a_blocked_log_stops_nobody() {
    let upstream = Upstream::start();
    let (mut weir, reader) = Piped::start(&upstream);
    weir.log_until_dropped();
    weir.serves();
    let before = weir.dropped();
    assert!(weir.process.resident_bytes() < 200 << 20, "what waits to be written is bounded");
    // The reader comes back: a line made from now on arrives.
    let lines = read_lines(reader);
    let found = weir.process.eventually(|| {
        weir.serves();
        let mut lines = lines.try_iter().map(|line| {
            serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error} in the line {line}"))
        });
        lines.find(|line| line["route"] == "chat")
    });
    let line = found.unwrap_or_else(|| panic!("no line came; {before} were dropped"));
    assert_eq!(line["status"], 200, "{line}");
    weir.process.signal("TERM");
    assert_eq!(weir.process.wait_for_exit().code(), Some(0));
}

/// D5. A log that stays blocked does not hold up the end, either.
#[test]
fn a_blocked_log_does_not_hold_up_the_end() {
    let upstream = Upstream::start();
    let (mut weir, reader) = Piped::start(&upstream);
    weir.log_until_dropped();
    weir.process.signal("TERM");
    assert_eq!(weir.process.wait_for_exit().code(), Some(0));
    drop(reader);
}

/// D5. The reader of the access log is gone for good: serving goes on, every line is counted as dropped.
#[test]
fn a_closed_log_stops_nobody() {
    let upstream = Upstream::start();
    let (mut weir, reader) = Piped::start(&upstream);
    weir.serves();
    drop(reader);
    let dropped = weir.process.eventually(|| {
        weir.serves();
        (weir.dropped() > 0.0).then_some(())
    });
    assert!(dropped.is_some(), "lines into a closed pipe are dropped; {:?}", weir.process);
    assert!(weir.pipe.exists());
    weir.process.signal("TERM");
    assert_eq!(weir.process.wait_for_exit().code(), Some(0));
}

/// Reads lines on a thread of its own, so that a test can look whether there are any.
fn read_lines(mut from: File) -> std::sync::mpsc::Receiver<String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut kept, mut piece) = (Vec::new(), [0; 16 * 1024]);
        while let Ok(n) = from.read(&mut piece) {
            kept.extend_from_slice(&piece[..n]);
            while let Some(end) = kept.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = kept.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap();
                if sender.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
            }
        }
    });
    receiver
}
