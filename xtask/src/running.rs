//! Programs that a chore starts, asks over loopback and ends. Only these are ever signalled.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take until it is ready.
const START: Duration = Duration::from_secs(120);

/// A program started by this chore. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Held open as long as it runs: a program that reads its standard input to the end ends with this chore.
    _stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts it; what it says goes to a file.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self, String> {
        let file = || File::options().create(true).append(true).open(log);
        let outputs = file().and_then(|out| file().map(|err| (out, err)));
        let (out, err) = outputs.map_err(|error| format!("{}: {error}", log.display()))?;
        let child = command.stdin(Stdio::piped()).stdout(out).stderr(err).spawn();
        let mut child = child.map_err(|error| format!("{name}: {error}"))?;
        Ok(Running { name, _stdin: child.stdin.take(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Looks every few milliseconds until `look` finds something.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, String> {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            let ended = self.child.try_wait().map_err(|error| format!("{}: {error}", self.name))?;
            let log = self.log.display();
            if let Some(status) = ended {
                return Err(format!("{} ended with {status} before {what}; see {log}", self.name));
            }
            if start.elapsed() > START {
                return Err(format!("{}: waited in vain for {what}; see {log}", self.name));
            }
            rest(Duration::from_millis(5));
        }
    }

    /// Kills it at once (SIGKILL) and waits for its end.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map(drop)
            .map_err(|e| format!("{}: {e}", self.name))
    }

    /// Ends it as an operator would (SIGTERM) and waits for that.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        // Every shell has kill built in; the program of that name is not installed everywhere.
        let term = format!("kill -TERM {}", self.id());
        crate::clients::run(Command::new("sh").arg("-c").arg(term))?;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} ended with {status}; see {}", self.name, self.log.display())),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error says that it has ended by itself; either way it is reaped.
        if let Ok(None) = self.child.try_wait() {
            let killed = self.child.kill();
            if let Err(error) = self.child.wait() {
                eprintln!("{}: kill {killed:?}, wait {error}", self.name);
            }
        }
    }
}

/// Waits so long.
#[expect(clippy::disallowed_methods, reason = "a chore has a thread of its own to wait on")]
pub(crate) fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// A loopback address with this port.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Whether a program could listen at this port now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(local(port)).is_ok()
}

/// Ports that are free now, no two of them the same.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(local(0)).map_err(|error| format!("no free port: {error}"))?;
        *port = listener.local_addr().map_err(|error| format!("no free port: {error}"))?.port();
        listeners.push(listener); // all are held until the last is found
    }
    Ok(ports)
}

/// Status and body of a GET.
pub(crate) fn get(addr: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).ok_or_else(broken)?;
    Ok((status, body))
}

/// Builds the program by a profile and says where it is.
pub(crate) fn build(root: &Path, profile: &str) -> Result<PathBuf, String> {
    let mut cargo = cargo(root);
    cargo.args(["build", "--quiet", "--locked", "--package", "weir", "--profile", profile]);
    crate::clients::run(&mut cargo)?;
    Ok(target_folder(root)?.join(profile).join("weir"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf, String> {
    let output = cargo(root).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).output();
    let output = output.map_err(|error| format!("cargo metadata: {error}"))?;
    let value: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    value["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or("cargo metadata names no target folder".into())
}

/// Cargo, the one that runs this chore, at the root.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let check = |answer: &'static str, expect: Option<(u16, &str)>| {
            let listener = TcpListener::bind(local(0)).unwrap();
            let addr = listener.local_addr().unwrap();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 1024];
                let read = stream.read(&mut asked).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&asked[..read]).into_owned()
            });
            let got = get(addr, "/health").ok();
            assert_eq!(got.as_ref().map(|(status, body)| (*status, body.as_str())), expect, "{answer}");
            assert!(server.join().unwrap().starts_with("GET /health HTTP/1.1\r\n"));
        };
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Some((200, "ok")));
        check("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some((503, "")));
        check("nonsense", None);
    }
}
