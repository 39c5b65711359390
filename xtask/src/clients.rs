//! Installs what the tests need and a fresh machine lacks: clients of many makers, in a private folder, at pinned
//! versions. When everything is there nothing is fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the tests find the clients; handed to them through the environment.
#[derive(Debug)]
pub(crate) struct Clients {
    python: Python,
    others: Python,
    node_modules: PathBuf,
}

/// A Python that can import certain packages.
#[derive(Debug)]
pub(crate) struct Python {
    packages: PathBuf,
}

impl Python {
    /// A command that runs it; only arguments are missing.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.packages);
        command
    }

    fn imports(&self, module: &str) -> bool {
        quietly(self.command().arg("-c").arg(format!("import {module}")))
    }
}

impl Clients {
    /// The variables by which tests find them: folders of packages for Python, two of them since not all clients agree on
    /// the versions they need, and the `node_modules` folder for Node.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("WEIR_PYTHON_PATH", self.python.packages.clone()),
            ("WEIR_PYTHON_PATH_OTHERS", self.others.packages.clone()),
            ("WEIR_NODE_PATH", self.node_modules.clone()),
        ]
    }
}

/// Installs what is missing, then runs the tests that need it and no others.
pub(crate) fn test(args: &[String]) -> Result<(), String> {
    if !args.is_empty() {
        return Err("usage: cargo xtask clients".to_owned());
    }
    let root = crate::root();
    let clients = install(&root)?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--locked", "-p", "weir", "--test", "it", "clients::"]).current_dir(&root);
    run(command.envs(clients.environment()))
}

/// Installs what is missing.
pub(crate) fn install(root: &Path) -> Result<Clients, String> {
    let pins = root.join("xtask/clients/requirements-others.txt");
    let others = python(&pins, &root.join(".cache/clients/python-others"), "openai")?;
    let node_modules = node(&root.join("xtask/clients"), &root.join(".cache/clients/node"))?;
    Ok(Clients { python: python_client(root)?, others, node_modules })
}

/// Installs OpenAI's client for Python, and those that go with it, when it is missing.
pub(crate) fn python_client(root: &Path) -> Result<Python, String> {
    let pins = root.join("xtask/clients/requirements.txt");
    python(&pins, &root.join(".cache/clients/python"), "openai")
}

/// Installs the packages of a complete list of pins into a folder of their own, unless they are there. `module` is one
/// of theirs.
pub(crate) fn python(pins: &Path, folder: &Path, module: &str) -> Result<Python, String> {
    let stamp = folder.join("requirements.txt");
    let python = Python { packages: folder.join("packages") };
    if same(pins, &stamp) && python.imports(module) {
        return Ok(python);
    }
    need("python3", &["-m", "pip", "--version"], &["python3", "python3-pip"]);
    clear(folder)?;
    println!("installing {}", pins.display());
    // The list is complete, so that there is nothing to resolve.
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--root-user-action=ignore", "--requirement"];
    run(Command::new("python3")
        .args(pip)
        .arg(pins)
        .arg("--target")
        .arg(&python.packages)
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1"))?;
    if !python.imports(module) {
        return Err(format!("{module} was installed for Python but cannot be imported"));
    }
    copy(pins, &stamp)?;
    Ok(python)
}

fn node(wanted: &Path, folder: &Path) -> Result<PathBuf, String> {
    let lock = wanted.join("package-lock.json");
    let stamp = folder.join("installed.json");
    let modules = folder.join("node_modules");
    let works = || quietly(Command::new("node").args(["-e", "require('openai')"]).env("NODE_PATH", &modules));
    if same(&lock, &stamp) && works() {
        return Ok(modules);
    }
    need("node", &["--version"], &["nodejs"]);
    need("npm", &["--version"], &["npm"]);
    clear(folder)?;
    println!("installing {}", lock.display());
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    copy(&wanted.join("package.json"), &folder.join("package.json"))?;
    copy(&lock, &folder.join("package-lock.json"))?;
    run(Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder))?;
    if !works() {
        return Err("Node's clients were installed but cannot be loaded".to_owned());
    }
    copy(&lock, &stamp)?;
    Ok(modules)
}

/// Installs Debian packages when a program does not run. What cannot be installed is said, and shows in what follows.
fn need(program: &str, args: &[&str], packages: &[&str]) {
    if quietly(Command::new(program).args(args)) {
        return;
    }
    let list = packages.join(" ");
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0");
    if !root || !quietly(Command::new("apt-get").arg("--version")) {
        println!("{program} is missing or incomplete; on Debian: apt-get install {list}");
        return;
    }
    println!("installing {list}");
    let apt =
        |args: &[&str]| run(Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"));
    let installed = apt(&["update", "-qq"])
        .and_then(|()| apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat()));
    if let Err(error) = installed {
        println!("{error}");
    }
}

/// Runs a command with its output shown.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.stdin(Stdio::null()).status();
    let shown = format!("{command:?}");
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Whether a command succeeds; its output is not shown.
pub(crate) fn quietly(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn same(a: &Path, b: &Path) -> bool {
    fs::read(a).is_ok_and(|a| fs::read(b).is_ok_and(|b| a == b))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

fn clear(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}
