//! Installs what the tests need and a fresh machine lacks: OpenAI's clients, in a private folder, at pinned versions.
//! When everything is there nothing is fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the tests find the clients; handed to them through the environment.
#[derive(Debug)]
pub(crate) struct Clients {
    python: Python,
    node_modules: PathBuf,
}

/// A Python that can import certain packages.
#[derive(Debug)]
pub(crate) struct Python {
    program: PathBuf,
    /// Where it finds the packages when they are not in the interpreter's own environment.
    packages: Option<PathBuf>,
}

impl Python {
    /// A command that runs it; only arguments are missing.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.packages.iter().map(|packages| ("PYTHONPATH", packages)));
        command
    }

    fn imports(&self, module: &str) -> bool {
        quietly(self.command().arg("-c").arg(format!("import {module}")))
    }
}

impl Clients {
    /// The variables by which tests find them: `WEIR_PYTHON` is an interpreter that can import `openai` (with
    /// `PYTHONPATH` where that needs it), `WEIR_NODE_PATH` the `node_modules` folder that holds `openai`.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let mut variables =
            vec![("WEIR_PYTHON", self.python.program.clone()), ("WEIR_NODE_PATH", self.node_modules.clone())];
        variables.extend(self.python.packages.clone().map(|path| ("PYTHONPATH", path)));
        variables
    }
}

/// Installs what is missing.
pub(crate) fn install(root: &Path) -> Result<Clients, String> {
    let node_modules = node(&root.join("xtask/clients"), &root.join(".cache/clients/node"))?;
    Ok(Clients { python: python_client(root)?, node_modules })
}

/// Installs Python's client alone, when it is missing.
pub(crate) fn python_client(root: &Path) -> Result<Python, String> {
    let pins = root.join("xtask/clients/requirements.txt");
    python(&pins, &root.join(".cache/clients/python"), "openai")
}

/// Installs the packages of a list of pins into a folder of their own, unless they are there. `module` is one of
/// theirs.
pub(crate) fn python(pins: &Path, folder: &Path, module: &str) -> Result<Python, String> {
    let stamp = folder.join("requirements.txt");
    let beside = folder.join("packages");
    let found = || {
        let own = Python { program: folder.join("bin/python"), packages: None };
        let shared = Python { program: "python3".into(), packages: Some(beside.clone()) };
        [own, shared].into_iter().find(|python| python.imports(module))
    };
    if same(pins, &stamp)
        && let Some(ready) = found()
    {
        return Ok(ready);
    }
    need("python3", &["-c", "import venv, ensurepip"], &["python3", "python3-venv", "python3-pip"]);
    clear(folder)?;
    println!("installing {module} for Python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    if run(Command::new("python3").args(["-m", "venv"]).arg(folder)).is_ok() {
        run(Command::new(folder.join("bin/python")).args(pip).arg(pins))?;
    } else {
        // Some systems ship Python without its venv module: the packages then stand beside it.
        clear(folder)?;
        run(Command::new("python3").args(pip).arg(pins).arg("--target").arg(&beside))?;
    }
    let ready = found().ok_or_else(|| format!("{module} was installed for Python but cannot be imported"))?;
    copy(pins, &stamp)?;
    Ok(ready)
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
    println!("installing Node's client");
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    copy(&wanted.join("package.json"), &folder.join("package.json"))?;
    copy(&lock, &folder.join("package-lock.json"))?;
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder))?;
    if !works() {
        return Err("Node's client was installed but cannot be loaded".to_owned());
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
