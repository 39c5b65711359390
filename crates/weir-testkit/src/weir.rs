//! A running `weir` process, as a user runs it: a file, a command, two ports.

use crate::client::{Reply, call};
use crate::{Process, RawClient, Scratch, free_port};
use serde_json::Value;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The admin token of the `server` section that is put before configurations without one.
pub const ADMIN_TOKEN: &str = "testkit-admin-token";

/// Ports that another process took between being found and being used make a start fail: this often it is tried.
const TRIES: usize = 3;

/// How a `weir` is to be started.
#[derive(Clone, Debug)]
pub struct Start {
    binary: PathBuf,
    config: String,
    env: Vec<(String, OsString)>,
    token: String,
    open_files: Option<u32>,
    memory: Option<u32>,
}

impl Start {
    /// `weir serve -c FILE` with this configuration, in which `@public@` and `@admin@` stand for the listeners'
    /// addresses. A configuration without a `server` section gets one with both listeners and [`ADMIN_TOKEN`].
    pub fn new(binary: &Path, config: &str) -> Self {
        Start {
            binary: binary.to_owned(),
            config: config.to_owned(),
            env: Vec::new(),
            token: ADMIN_TOKEN.to_owned(),
            open_files: None,
            memory: None,
        }
    }

    /// Adds to its environment, which is otherwise the test's own.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The admin token of a configuration with its own `server` section.
    #[must_use]
    pub fn admin_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// The system lets it open so many files, sockets among them, and no more.
    #[must_use]
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// The system gives it so many MiB of memory for data, and no more.
    #[must_use]
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = Some(mebibytes);
        self
    }

    /// Starts it and waits until it is ready. Panics, with what it said, when it does not become so.
    pub fn start(self) -> RunningWeir {
        let mut said = String::new();
        for _ in 0..TRIES {
            let weir = self.launch();
            let answers =
                |addr| call(addr, "GET", "/health/ready", &[], b"").ok().filter(|r| r.status == 200);
            // Both of them: another test's `weir` that took one of the ports would answer there as well, while this
            // one is about to say that the port is in use.
            let ready = || answers(weir.public).and_then(|_| answers(weir.admin));
            if weir.process.eventually(ready).is_some() {
                return weir;
            }
            said = format!("{:?}", weir.process);
            if !said.contains("in use") {
                break;
            }
        }
        panic!("weir did not get ready; {said}");
    }

    fn launch(&self) -> RunningWeir {
        let addr = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let (public, admin) = (addr(), addr());
        let scratch = Scratch::new();
        let config = scratch.write("weir.yaml", &fill(&self.config, public, admin));
        let files = self.open_files.map(|most| format!("ulimit -n {most} && "));
        let memory = self.memory.map(|mebibytes| format!("ulimit -d {} && ", mebibytes * 1024));
        let limits: String = [files, memory].into_iter().flatten().collect();
        let mut command = if limits.is_empty() {
            Command::new(&self.binary)
        } else {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("{limits}exec \"$0\" \"$@\"")).arg(&self.binary);
            shell
        };
        command.arg("serve").arg("-c").arg(&config).current_dir(scratch.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let process = Process::start(&mut command);
        RunningWeir { public, admin, config, process, token: self.token.clone(), scratch }
    }
}

fn fill(config: &str, public: SocketAddr, admin: SocketAddr) -> String {
    let own = config.lines().any(|line| line.starts_with("server:"));
    let section =
        format!("server: {{ listen: {public}, admin: {{ listen: {admin}, token: {ADMIN_TOKEN} }} }}\n");
    let config = config.replace("@public@", &public.to_string()).replace("@admin@", &admin.to_string());
    if own { config } else { section + &config }
}

/// [`Start`] with nothing but a configuration.
pub fn start(binary: &Path, config: &str) -> RunningWeir {
    Start::new(binary, config).start()
}

/// A `weir` that was ready when it was handed out. Killed when dropped.
#[derive(Debug)]
pub struct RunningWeir {
    /// The public listener.
    pub public: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// Its configuration file.
    pub config: PathBuf,
    /// The process itself.
    pub process: Process,
    token: String,
    scratch: Scratch,
}

impl RunningWeir {
    /// The base URL of its public API, as SDKs want it.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.public)
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// A new connection to the public listener.
    pub fn connect(&self) -> io::Result<RawClient> {
        RawClient::connect(self.public)
    }

    /// Gets a path of the public listener.
    pub fn get(&self, path: &str) -> Reply {
        self.ask(self.public, "GET", path, &[])
    }

    /// Posts JSON to the public listener.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let post = || {
            let mut client = self.connect()?;
            client.post(path, headers, body)?;
            client.read_reply()
        };
        post().unwrap_or_else(|error| panic!("POST {path}: {error}; {:?}", self.process))
    }

    /// Sends a bodiless request to the admin listener, with the token.
    pub fn admin(&self, method: &str, path: &str) -> Reply {
        self.ask(self.admin, method, path, &[("authorization", &format!("Bearer {}", self.token))])
    }

    fn ask(&self, addr: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        call(addr, method, path, headers, b"")
            .unwrap_or_else(|error| panic!("{method} {path}: {error}; {:?}", self.process))
    }

    /// Replaces the configuration file, filled in as at the start. Weir reads it when it notices or is told.
    pub fn rewrite(&self, config: &str) {
        self.scratch.write("weir.yaml", &fill(config, self.public, self.admin));
    }

    /// Tells it to read its configuration again.
    pub fn reload(&self) -> Reply {
        self.admin("POST", "/admin/reload")
    }

    /// Its metrics as text.
    pub fn metrics(&self) -> String {
        let reply = self.admin("GET", "/metrics");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text()
    }

    /// The sum of a metric's samples that carry all these labels; `None` when there is no such sample.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        sum(&self.metrics(), name, labels)
    }

    /// Waits until a metric's sum is `expect` (0 when there is no sample). Metrics announce nothing, so this looks
    /// again and again. Panics when it stays different.
    pub fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], expect: f64) {
        let mut last = None;
        let met = self.process.eventually(|| {
            last = self.metric(name, labels);
            ((last.unwrap_or_default() - expect).abs() < 1e-9).then_some(())
        });
        assert!(met.is_some(), "{name} {labels:?} is {last:?} instead of {expect}; {:?}", self.process);
    }

    /// The access log so far: every line of standard output that is a JSON object.
    pub fn access_log(&self) -> Vec<Value> {
        self.process.stdout().lines().filter_map(object).collect()
    }

    /// Waits for a line of the access log. Panics when none comes.
    pub fn wait_for_log(&self, what: &str, when: impl Fn(&Value) -> bool) -> Value {
        self.process.wait_for_line(what, |line| object(line).filter(|entry| when(entry)))
    }

    /// Everything it said on standard error.
    pub fn logs(&self) -> String {
        self.process.stderr()
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        self.process.wait_for_exit()
    }

    /// Ends it as an operator would (SIGTERM) and waits for that.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_for_exit()
    }
}

fn object(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok().filter(Value::is_object)
}

/// Sums samples of the Prometheus text format.
fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (set, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let carries = |(label, value): &(&str, &str)| {
            let pair = format!("{label}=\"{value}\"");
            set.match_indices(&pair).any(|(at, _)| at == 0 || set.as_bytes().get(at - 1) == Some(&b','))
        };
        if !labels.iter().all(carries) {
            return None;
        }
        value.split(' ').next()?.parse::<f64>().ok()
    });
    samples.reduce(|a, b| a + b)
}

#[cfg(test)]
mod tests;
