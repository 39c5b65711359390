//! What is measured: no gateway, nginx, Weir.

use crate::clients::quietly;
use crate::running::{Running, free_ports, get, local};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

/// The gateway has this core for itself; load and upstream share the other.
const GATEWAY_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// One place that answers requests.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) addr: SocketAddr,
    process: Option<Running>,
}

impl Target {
    /// Whether it is a process of its own, whose time can be told from the load's.
    pub(super) fn has_process(&self) -> bool {
        self.process.is_some()
    }

    /// Time on a core of all its threads so far, in nanoseconds.
    pub(super) fn cpu_nanos(&self) -> u64 {
        let Some(process) = &self.process else { return 0 };
        let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).into_iter().flatten();
        let spent = |task: std::io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        tasks.filter_map(spent).sum()
    }

    /// Ends it as an operator would.
    pub(super) fn stop(self) -> Result<(), String> {
        self.process.map_or(Ok(()), Running::stop)
    }

    /// Memory it occupies.
    pub(super) fn resident_kib(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.as_ref()?.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    }
}

/// Whether nginx is installed.
pub(super) fn has_nginx() -> bool {
    quietly(Command::new("nginx").arg("-v"))
}

/// Moves this process to its core, when there are two and taskset; whether that was done.
pub(super) fn pin_self() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let id = std::process::id().to_string();
    cores >= 2
        && quietly(Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", LOAD_CORE, &id]))
}

/// Starts them all and waits until they listen. nginx is left out where it is not installed.
pub(super) fn start_all(
    root: &Path,
    work: &Path,
    weir: &Path,
    upstream: u16,
    pinned: bool,
) -> Result<Vec<Target>, String> {
    let mut targets = vec![Target { name: "direct", addr: local(upstream), process: None }];
    if has_nginx() {
        targets.push(nginx(work, upstream, pinned)?);
    } else {
        println!(
            "nginx is not installed (apt-get install nginx): ratios are those of latency to a direct call"
        );
    }
    targets.push(self::weir(root, work, weir, upstream, pinned)?);
    Ok(targets)
}

/// Weir alone, wherever there is room for it.
pub(super) fn start_weir(root: &Path, work: &Path, weir: &Path, upstream: u16) -> Result<Target, String> {
    self::weir(root, work, weir, upstream, false)
}

/// A command on the gateway's core.
fn command(program: &Path, pinned: bool) -> Command {
    if !pinned {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", GATEWAY_CORE]).arg(program);
    command
}

fn nginx(work: &Path, upstream: u16, pinned: bool) -> Result<Target, String> {
    let [port] = free_ports()?;
    let config = work.join("nginx.conf");
    write(&config, &nginx_config(work, port, upstream))?;
    let mut command = command(Path::new("nginx"), pinned);
    command.arg("-e").arg("stderr").arg("-p").arg(work).arg("-c").arg(&config);
    let mut process = Running::start("nginx", &mut command, &work.join("nginx.log"))?;
    process.wait_for("it listened", || TcpStream::connect(local(port)).ok())?;
    Ok(Target { name: "nginx", addr: local(port), process: Some(process) })
}

/// A bare proxy: kept connections, no log, answers passed on as they come.
fn nginx_config(work: &Path, port: u16, upstream: u16) -> String {
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp: String =
        temp.iter().map(|kind| format!("  {kind}_temp_path {}/{kind};\n", work.display())).collect();
    format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {work}/nginx.pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 4096; multi_accept on; }}\nhttp {{\n  access_log off;\n  tcp_nodelay on;\n{temp}  \
         keepalive_requests 100000000;\n  client_body_buffer_size 256k;\n  client_max_body_size 16m;\n  upstream up {{ \
         server {upstream}; keepalive 512; keepalive_requests 100000000; }}\n  server {{\n    listen {listen} \
         backlog=1024;\n    location / {{\n      proxy_pass http://up;\n      proxy_http_version 1.1;\n      \
         proxy_set_header Connection \"\";\n      proxy_buffering off;\n    }}\n  }}\n}}\n",
        work = work.display(),
        upstream = local(upstream),
        listen = local(port),
    )
}

/// With everything switched on that the rig's target file has.
fn weir(root: &Path, work: &Path, binary: &Path, upstream: u16, pinned: bool) -> Result<Target, String> {
    let template = root.join("bench/targets/weir.yaml.in");
    let text = fs::read_to_string(&template).map_err(|error| format!("{}: {error}", template.display()))?;
    let [port, admin] = free_ports()?;
    let text = text.replace("@PORT@", &port.to_string()).replace("@PORT2@", &admin.to_string());
    let text = text.replace("@MOCK@", &upstream.to_string()).replace("@WORK@", &work.display().to_string());
    let config = work.join("weir.yaml");
    write(&config, &text)?;
    let mut command = command(binary, pinned);
    command.arg("serve").arg("-c").arg(&config).current_dir(work).env("RUST_LOG", "error");
    let mut process = Running::start("weir", &mut command, &work.join("weir.log"))?;
    process.wait_for("it was ready", || {
        get(local(port), "/health/ready").ok().filter(|(status, _)| *status == 200)
    })?;
    Ok(Target { name: "weir", addr: local(port), process: Some(process) })
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
