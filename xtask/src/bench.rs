//! Speed, compared within one run: Weir beside nginx's bare `proxy_pass` and no gateway at all, then the pure parts
//! alone. Loopback, one core for the gateway and one for load and upstream, so only ratios mean anything elsewhere.

mod load;
mod prompt;
mod table;
mod target;
mod upstream;

use load::{Shot, What};
use prompt::Text;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use table::Row;
use target::Target;
use upstream::Upstream;

/// Seconds of measuring that the comparison takes when nothing else is said.
const SECONDS: f64 = 40.0;
/// How often each target is measured in each scenario; ratios are taken within a repetition.
const REPETITIONS: usize = 3;
/// How long each scenario is served to learn what the program does.
const TRAINING: Duration = Duration::from_secs(4);
/// The environment's way to name a rig.
const RIG: &str = "WEIR_BENCH_RIG";
const USAGE: &str = "usage: cargo xtask bench [--secs N] [--only compare|pure] [--shipped] [--rig PATH]";

struct Scenario {
    name: &'static str,
    /// Characters of the prompt, and what they are.
    prompt: usize,
    text: Text,
    stream: bool,
    connections: usize,
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "small", prompt: 90, text: Text::Plain, stream: false, connections: 32 },
    Scenario { name: "prompt 8k", prompt: 8_000, text: Text::Plain, stream: false, connections: 32 },
    Scenario { name: "prompt 100k", prompt: 100_000, text: Text::Escapes, stream: false, connections: 16 },
    Scenario { name: "SSE event", prompt: 90, text: Text::Plain, stream: true, connections: 64 },
];

impl Scenario {
    fn asked_of(&self, target: &Target) -> What {
        let body = prompt::body(self.prompt, self.text, self.stream);
        What { addr: target.addr, body, stream: self.stream }
    }
}

/// What the arguments ask for.
#[derive(Debug, PartialEq)]
struct Wish {
    seconds: f64,
    compare: bool,
    pure: bool,
    /// The program as it ships, for which it is built twice (`cargo xtask dist`).
    shipped: bool,
    rig: Option<PathBuf>,
}

/// Measures.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let rig = std::env::var_os(RIG).filter(|path| !path.is_empty()).map(PathBuf::from);
    let wish = Wish::read(args, rig)?;
    let root = crate::root();
    if let Some(rig) = &wish.rig {
        return run_rig(rig, &root, wish.shipped);
    }
    if wish.compare {
        compare(&root, wish.seconds, wish.shipped)?;
    }
    if wish.pure {
        pure(&root)?;
    }
    Ok(())
}

impl Wish {
    fn read(args: &[String], rig: Option<PathBuf>) -> Result<Self, String> {
        let mut wish = Wish { seconds: SECONDS, compare: true, pure: true, shipped: false, rig };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            if arg == "--shipped" {
                wish.shipped = true;
                continue;
            }
            match (arg, args.next()) {
                ("--secs", Some(seconds)) => {
                    let seconds = seconds.parse().ok().filter(|seconds| (1.0..=3600.0).contains(seconds));
                    wish.seconds = seconds.ok_or("--secs wants a number from 1 to 3600")?;
                }
                ("--only", Some("compare")) => wish.pure = false,
                ("--only", Some("pure")) => wish.compare = false,
                ("--rig", Some(path)) => wish.rig = Some(path.into()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(wish)
    }
}

/// Runs the repository's targets on a rig: a folder whose `run.sh` measures target files.
fn run_rig(rig: &Path, root: &Path, shipped: bool) -> Result<(), String> {
    let script = rig.join("run.sh");
    if !script.is_file() {
        let (rig, script) = (rig.display(), script.display());
        return Err(format!(
            "{rig} is no rig: there is no {script}; --rig or {RIG} names a folder that has one"
        ));
    }
    let binary = build(root, shipped)?;
    let cache = root.join(".cache/bench");
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let mut command = Command::new("bash");
    command.arg(script).env("CARGO_TARGET_DIR", cache.join("rig")).env("BENCH_WORK", cache.join("work"));
    command.env("BENCH_TARGET_DIRS", root.join("bench/targets"));
    command.env("BENCH_PATH_X", binary.parent().unwrap_or(root));
    let set = |name: &str| std::env::var_os(name).is_some();
    if !set("BENCH_TARGETS") {
        command.env("BENCH_TARGETS", if target::has_nginx() { "direct,nginx,weir" } else { "direct,weir" });
    }
    if !set("BENCH_BASE") && !target::has_nginx() {
        command.env("BENCH_BASE", "direct");
    }
    crate::clients::run(&mut command)
}

fn build(root: &Path, shipped: bool) -> Result<PathBuf, String> {
    if shipped { crate::dist::build(root) } else { crate::running::build(root, "dist") }
}

/// Has a program serve every scenario for a few seconds, and end in good order.
pub(crate) fn train(root: &Path, work: &Path, binary: &Path) -> Result<(), String> {
    let upstream = Upstream::start()?;
    let weir = target::start_weir(root, work, binary, upstream.port)?;
    for scenario in SCENARIOS {
        upstream.answer_streams(scenario.stream);
        load::closed(&scenario.asked_of(&weir), scenario.connections, TRAINING, || 0)
            .map_err(|error| format!("{}: {error}", scenario.name))?;
    }
    weir.stop()
}

fn compare(root: &Path, seconds: f64, shipped: bool) -> Result<(), String> {
    let binary = build(root, shipped)?;
    let work = root.join(".cache/bench/compare");
    fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    let pinned = target::pin_self();
    let upstream = Upstream::start()?;
    let mut targets = target::start_all(root, &work, &binary, upstream.port, pinned)?;
    for target in &targets {
        check(target, &upstream)?;
    }
    let runs = SCENARIOS.len() * targets.len() * REPETITIONS;
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let each = Duration::from_secs_f64(seconds / runs as f64);
    let start = Instant::now();
    let mut rows = Vec::new();
    for repetition in 0..REPETITIONS {
        for scenario in SCENARIOS {
            upstream.answer_streams(scenario.stream);
            // There and back again, so that no target is always first.
            let mut order: Vec<&Target> = targets.iter().collect();
            if repetition % 2 == 1 {
                order.reverse();
            }
            for target in order {
                rows.push(measure(target, scenario, repetition, each)?);
            }
        }
    }
    println!("{}", table::head(pinned, REPETITIONS, start.elapsed()));
    let names: Vec<&str> = targets.iter().map(|target| target.name).collect();
    for scenario in SCENARIOS {
        println!("{}", table::scenario(scenario.name, scenario.stream, &names, &rows));
    }
    for target in &mut targets {
        if let Some(kib) = target.resident_kib() {
            println!("{:<12} {kib} KiB resident after all this", target.name);
        }
    }
    Ok(())
}

/// What comes through must be what the upstream said, or speed means nothing.
fn check(target: &Target, upstream: &Upstream) -> Result<(), String> {
    for scenario in SCENARIOS {
        upstream.answer_streams(scenario.stream);
        load::one(&scenario.asked_of(target))
            .map_err(|error| format!("{}, {}: {error}", target.name, scenario.name))?;
    }
    Ok(())
}

fn measure(target: &Target, scenario: &Scenario, repetition: usize, time: Duration) -> Result<Row, String> {
    let what = scenario.asked_of(target);
    let name = |error| format!("{}, {}: {error}", target.name, scenario.name);
    let Shot { before, after, requests, events, elapsed, latencies } =
        load::closed(&what, scenario.connections, time, || target.cpu_nanos()).map_err(name)?;
    let work = if scenario.stream { events } else { requests };
    #[expect(clippy::cast_precision_loss, reason = "counts of one short run")]
    let (cpu, work) = (after.saturating_sub(before) as f64 / 1e3, work.max(1) as f64);
    Ok(Row {
        target: target.name,
        scenario: scenario.name,
        repetition,
        cpu_micros: target.has_process().then_some(cpu / work),
        per_second: work / elapsed.as_secs_f64(),
        p50_micros: load::quantile(&latencies, 0.50),
        p99_micros: load::quantile(&latencies, 0.99),
    })
}

/// The pure parts, each alone.
fn pure(root: &Path) -> Result<(), String> {
    println!("\nthe pure parts");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["bench", "--quiet", "--locked"]);
    for (package, bench) in
        [("weir-wire", "wire"), ("weir-routing", "routing"), ("weir-telemetry", "telemetry")]
    {
        cargo.args(["--package", package, "--bench", bench]);
    }
    crate::clients::run(cargo.args(["--", "--quick", "--quiet", "--noplot"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_say_what_is_measured() {
        let check = |args: &[&str], expect: Option<Wish>| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(Wish::read(&args, None).ok(), expect, "{args:?}");
        };
        let all = || Wish { seconds: SECONDS, compare: true, pure: true, shipped: false, rig: None };
        check(&[], Some(all()));
        check(&["--secs", "5"], Some(Wish { seconds: 5.0, ..all() }));
        check(&["--only", "pure"], Some(Wish { compare: false, ..all() }));
        check(&["--shipped", "--secs", "5"], Some(Wish { seconds: 5.0, shipped: true, ..all() }));
        check(&["--rig", "a/b"], Some(Wish { rig: Some("a/b".into()), ..all() }));
        for wrong in [&["--secs"][..], &["--secs", "0"], &["--secs", "NaN"], &["--only", "x"], &["--fast"]] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_folder_without_a_rig_is_said_to_be_none() {
        let error = run_rig(Path::new("no/such/rig"), Path::new("."), false).unwrap_err();
        assert!(error.contains("no/such/rig is no rig"), "{error}");
    }

    #[test]
    fn load_and_upstream_understand_each_other() {
        let upstream = Upstream::start().unwrap();
        for stream in [false, true] {
            upstream.answer_streams(stream);
            let what = What {
                addr: crate::running::local(upstream.port),
                body: prompt::body(300, Text::Escapes, stream),
                stream,
            };
            load::one(&what).unwrap();
            let shot = load::closed(&what, 2, Duration::ZERO, || 0).unwrap();
            let per_request = if stream { upstream::EVENTS } else { 0 };
            assert_eq!(shot.events, shot.requests * per_request);
            assert_eq!(shot.latencies.len() as u64, shot.requests);
            assert!(shot.requests >= 2, "each connection asks at least once");
        }
    }
}
