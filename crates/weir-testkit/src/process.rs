//! Child processes that tests start: ready when they say so, their words kept, ended with the test.

use crate::DEADLINE;
use std::fmt;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is kept of each of a child's two outputs: the last so many bytes.
pub const KEPT: usize = 8 << 20;

/// How often a fact is looked at that announces itself by no event.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where [`free_port`] looks: below the ports that systems give to outgoing connections and to listeners on port 0
/// (Linux: from 32768 on, IANA: from 49152 on), so that neither takes a port between its being found and being used.
const FREE_PORTS: Range<u16> = 10_000..30_000;

/// The ports that this process has been given, each held against other processes by a UDP socket of the same number.
static HELD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A loopback port that nothing listens on, and that nobody else is given by this function, in this process or in
/// another, as long as this one lives.
pub fn free_port() -> u16 {
    let address = |port| (Ipv4Addr::LOCALHOST, port);
    let width = u32::from(FREE_PORTS.end - FREE_PORTS.start);
    // Each process begins somewhere else: that spares looking through what others hold, and ports whose last
    // connections have not been forgotten yet.
    let first = std::process::id().wrapping_mul(7919);
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    for step in 0..width {
        let port = FREE_PORTS.start + u16::try_from(first.wrapping_add(step) % width).unwrap_or_default();
        let Ok(hold) = UdpSocket::bind(address(port)) else { continue };
        if TcpListener::bind(address(port)).is_ok() {
            held.push(hold);
            return port;
        }
    }
    panic!("no free port in {FREE_PORTS:?}")
}

#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Outputs {
    /// Standard output and standard error.
    both: Mutex<[Output; 2]>,
    changed: Condvar,
}

impl Outputs {
    fn lock(&self) -> MutexGuard<'_, [Output; 2]> {
        self.both.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(self: Arc<Self>, which: usize, mut from: impl Read) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer);
            if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
                continue;
            }
            let mut both = self.lock();
            let Some(output) = both.get_mut(which) else { return };
            match read {
                Ok(n) if n > 0 => {
                    output.bytes.extend_from_slice(buffer.get(..n).unwrap_or_default());
                    let over = output.bytes.len().saturating_sub(KEPT);
                    output.bytes.drain(..over);
                }
                _ => output.ended = true,
            }
            let ended = output.ended;
            drop(both);
            self.changed.notify_all();
            if ended {
                return;
            }
        }
    }
}

/// A running child. Killed, if it still runs, when dropped.
pub struct Process {
    name: String,
    child: Child,
    outputs: Arc<Outputs>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts it, with no input and both outputs kept.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let outputs = Arc::new(Outputs::default());
        if let Some(stdout) = child.stdout.take() {
            let outputs = outputs.clone();
            std::thread::spawn(move || outputs.collect(0, stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            let outputs = outputs.clone();
            std::thread::spawn(move || outputs.collect(1, stderr));
        }
        Process { name, child, outputs, status: None }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.output(0)
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.output(1)
    }

    fn output(&self, which: usize) -> String {
        self.outputs
            .lock()
            .get(which)
            .map(|o| String::from_utf8_lossy(&o.bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits for a whole line, on either output, for which `pick` gives something. Panics, with both outputs, when
    /// none comes within [`DEADLINE`] or before the process ends.
    pub fn wait_for_line<T>(&self, what: &str, pick: impl Fn(&str) -> Option<T>) -> T {
        let found = |outputs: &[Output; 2]| {
            outputs.iter().find_map(|output| {
                let text = String::from_utf8_lossy(&output.bytes);
                text.split_inclusive('\n')
                    .filter(|line| line.ends_with('\n'))
                    .find_map(|line| pick(line.trim_end()))
            })
        };
        let over = |outputs: &[Output; 2]| outputs.iter().all(|output| output.ended);
        let state = self
            .outputs
            .changed
            .wait_timeout_while(self.outputs.lock(), DEADLINE, |both| found(both).is_none() && !over(both))
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        let line = found(&state);
        drop(state);
        line.unwrap_or_else(|| panic!("waited in vain for {what}; {self:?}"))
    }

    /// Looks again and again until `look` finds something; for facts that no event announces. `None` when it finds
    /// nothing within [`DEADLINE`], or the process ended first.
    pub fn eventually<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return Some(found);
            }
            // A child that says something or ends is looked at again at once.
            let both = self.outputs.lock();
            if both.iter().all(|output| output.ended) || start.elapsed() > DEADLINE {
                return None;
            }
            drop(self.outputs.changed.wait_timeout(both, LOOK_EVERY));
        }
    }

    /// Waits until something accepts connections at `addr`. Panics, with both outputs, when nothing does.
    pub fn wait_for_port(&self, addr: SocketAddr) {
        if self.eventually(|| TcpStream::connect(addr).ok()).is_none() {
            panic!("nothing listens at {addr}; {self:?}");
        }
    }

    /// Sends a signal by its name without `SIG`, such as `TERM`.
    pub fn signal(&self, name: &str) {
        assert!(self.status.is_none(), "{} has ended already", self.name);
        // Every shell has kill built in; the program of that name is not installed everywhere.
        let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.id())).status();
        assert!(status.as_ref().is_ok_and(ExitStatus::success), "cannot send {name} to {self:?}: {status:?}");
    }

    /// Waits for its end. Panics, with both outputs, when it goes on past [`DEADLINE`].
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        // Its outputs end with it: that is the event waited for.
        let waited = self
            .outputs
            .changed
            .wait_timeout_while(self.outputs.lock(), DEADLINE, |both| !both.iter().all(|o| o.ended))
            .unwrap_or_else(PoisonError::into_inner)
            .1;
        assert!(!waited.timed_out(), "still runs; {self:?}");
        let status = self.child.wait().unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.status = Some(status);
        status
    }

    /// Kills it at once (SIGKILL) and waits for its end.
    pub fn kill(&mut self) -> ExitStatus {
        if self.status.is_none()
            && let Err(error) = self.child.kill()
        {
            panic!("cannot kill {}: {error}", self.name);
        }
        self.wait_for_exit()
    }

    /// Memory it occupies, in bytes (`VmRSS`).
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.id());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|rest| rest.trim().strip_suffix("kB")).and_then(|n| n.trim().parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no VmRSS in {path}: {text}")) * 1024
    }

    /// Files and sockets it has open.
    pub fn open_files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.id());
        std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{path}: {error}")).count()
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, stdout, stderr) = (&self.name, self.stdout(), self.stderr());
        write!(f, "{name}, process {}\n--- stdout:\n{stdout}\n--- stderr:\n{stderr}", self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.is_none() {
            // An error says that it has ended by itself; either way it is reaped.
            let killed = self.child.kill();
            if let Err(error) = self.child.wait() {
                eprintln!("{}: kill {killed:?}, wait {error}", self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_given_a_port_twice() {
        let many = || (0..50).map(|_| free_port()).collect::<Vec<_>>();
        let other = std::thread::spawn(many);
        let mut ports = many();
        ports.extend(other.join().unwrap());
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 100);
        assert!(ports.iter().all(|port| FREE_PORTS.contains(port)));
        let taken: Vec<u16> =
            ports.into_iter().filter(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).collect();
        assert_eq!(taken, [0; 0], "another process could be given these");
    }
}
