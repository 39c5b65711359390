//! The one command that decides whether a change is good: phases, each timed, all of them run even after a failure,
//! the test runner's own summary last.

use crate::clients::{self, Clients, quietly, run as show};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

struct Run {
    root: PathBuf,
    long: bool,
    clients: Option<Clients>,
    /// The test runner's closing lines.
    summary: Vec<String>,
}

struct Phase {
    name: &'static str,
    run: fn(&mut Run) -> Result<(), String>,
}

const PHASES: &[Phase] = &[
    Phase { name: "set-up", run: Run::set_up },
    Phase { name: "format", run: Run::format },
    Phase { name: "clippy", run: Run::clippy },
    Phase { name: "tidy", run: Run::tidy },
    Phase { name: "tests", run: Run::tests },
    Phase { name: "doc tests", run: Run::doc_tests },
    Phase { name: "docs", run: Run::docs },
];

/// Runs every phase.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let long = match args {
        [] => false,
        [long] if long == "--long" => true,
        _ => return Err("usage: cargo xtask ci [--long]".to_owned()),
    };
    let mut run = Run { root: crate::root(), long, clients: None, summary: Vec::new() };
    let mut rows: Vec<(&str, Duration, Result<(), String>)> = Vec::new();
    for phase in PHASES {
        println!("\n== {}", phase.name);
        let start = Instant::now();
        let result = (phase.run)(&mut run);
        if let Err(error) = &result {
            println!("{error}");
        }
        rows.push((phase.name, start.elapsed(), result));
    }
    println!("\n{:<12}{:>8}  result", "phase", "seconds");
    for (name, time, result) in &rows {
        println!("{name:<12}{:>8.1}  {}", time.as_secs_f64(), if result.is_ok() { "ok" } else { "FAILED" });
    }
    let failed: Vec<&str> =
        rows.iter().filter(|(_, _, result)| result.is_err()).map(|(name, ..)| *name).collect();
    let total: Duration = rows.iter().map(|(_, time, _)| *time).sum();
    let verdict = if failed.is_empty() { "ok".to_owned() } else { format!("FAILED: {}", failed.join(", ")) };
    println!("{:<12}{:>8.1}  {verdict}\n", "total", total.as_secs_f64());
    for line in &run.summary {
        println!("{line}");
    }
    if failed.is_empty() { Ok(()) } else { Err(String::new()) }
}

impl Run {
    fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args).current_dir(&self.root);
        command
    }

    fn set_up(&mut self) -> Result<(), String> {
        self.clients = Some(clients::install(&self.root)?);
        Ok(())
    }

    fn format(&mut self) -> Result<(), String> {
        show(&mut self.cargo(&["fmt", "--all", "--check"]))
    }

    fn clippy(&mut self) -> Result<(), String> {
        show(&mut self.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    }

    fn tidy(&mut self) -> Result<(), String> {
        crate::tidy::run(&[])
    }

    fn tests(&mut self) -> Result<(), String> {
        let nextest = quietly(&mut self.cargo(&["nextest", "--version"]));
        let mut command = if nextest {
            self.cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])
        } else {
            self.cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"])
        };
        command.envs(self.clients.iter().flat_map(Clients::environment));
        if self.long {
            command.env("WEIR_LONG", "1");
        }
        let (result, lines) = heard(&mut command, nextest);
        self.summary = if nextest { nextest_summary(&lines) } else { cargo_summary(&lines) };
        if result.is_ok() && self.summary.is_empty() {
            return Err("the test runner gave no summary: no test ran".to_owned());
        }
        result
    }

    fn doc_tests(&mut self) -> Result<(), String> {
        show(&mut self.cargo(&["test", "--doc", "--workspace", "--locked"]))
    }

    fn docs(&mut self) -> Result<(), String> {
        let mut command = self.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        show(command.env("RUSTDOCFLAGS", "-D warnings"))
    }
}

/// Runs a command, shows what it says and keeps the lines of the output on which it reports results: standard error
/// for nextest, standard output for cargo.
fn heard(command: &mut Command, on_stderr: bool) -> (Result<(), String>, Vec<String>) {
    command.stdin(Stdio::null());
    if on_stderr {
        command.stderr(Stdio::piped())
    } else {
        command.stdout(Stdio::piped())
    };
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (Err(format!("{command:?}: {error}")), Vec::new()),
    };
    let mut lines = Vec::new();
    let stdout = child.stdout.take().map(|out| Box::new(out) as Box<dyn std::io::Read>);
    let reports = stdout.or_else(|| child.stderr.take().map(|err| Box::new(err) as Box<dyn std::io::Read>));
    let mut show = std::io::stdout();
    for line in reports.into_iter().flat_map(|out| BufReader::new(out).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        // A terminal that is gone is no reason to leave the tests unread.
        let _ = writeln!(show, "{line}");
        lines.push(line);
    }
    let result = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the tests ended with {status}")),
        Err(error) => Err(format!("the tests: {error}")),
    };
    (result, lines)
}

/// From nextest's summary on: the counts, then the tests that failed.
fn nextest_summary(lines: &[String]) -> Vec<String> {
    let from = lines.iter().rposition(|line| line.trim_start().starts_with("Summary ["));
    let lines = from.and_then(|from| lines.get(from..)).unwrap_or_default();
    lines.iter().filter(|line| !line.starts_with("error:")).cloned().collect()
}

/// Cargo's result of every test program that had tests to run.
fn cargo_summary(lines: &[String]) -> Vec<String> {
    let results = lines.iter().filter(|line| line.starts_with("test result:"));
    results.filter(|line| !line.contains(" 0 passed; 0 failed;")).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(summary: fn(&[String]) -> Vec<String>, said: &str, expect: &[&str]) {
        let lines: Vec<String> = said.lines().map(str::to_owned).collect();
        assert_eq!(summary(&lines), expect);
    }

    #[test]
    fn the_runners_own_summary_is_kept() {
        let good = "  PASS a\n------\n     Summary [ 1.0s] 2 tests run: 2 passed, 0 skipped";
        check(nextest_summary, good, &["     Summary [ 1.0s] 2 tests run: 2 passed, 0 skipped"]);
        let bad =
            "     Summary [ 1.0s] 1 test run: 0 passed, 1 failed\n  FAIL x y::z\nerror: test run failed";
        check(
            nextest_summary,
            bad,
            &["     Summary [ 1.0s] 1 test run: 0 passed, 1 failed", "  FAIL x y::z"],
        );
        check(nextest_summary, "error: could not compile", &[]);
        let cargo =
            "test result: ok. 0 passed; 0 failed; 0 ignored\ntest result: ok. 3 passed; 0 failed; 0 ignored";
        check(cargo_summary, cargo, &["test result: ok. 3 passed; 0 failed; 0 ignored"]);
    }
}
