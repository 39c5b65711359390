//! Installs what the tests need and a fresh machine lacks: OpenAI's clients, in a private folder, at pinned versions.
//! When everything is there nothing is fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the tests find the clients; handed to them through the environment.
#[derive(Debug)]
pub(crate) struct Clients {
    python: PathBuf,
    /// Where Python finds the packages when they are not in the interpreter's own environment.
    python_path: Option<PathBuf>,
    node_modules: PathBuf,
}

impl Clients {
    /// The variables by which tests find them: `WEIR_PYTHON` is an interpreter that can import `openai` (with
    /// `PYTHONPATH` where that needs it), `WEIR_NODE_PATH` the `node_modules` folder that holds `openai`.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let mut variables =
            vec![("WEIR_PYTHON", self.python.clone()), ("WEIR_NODE_PATH", self.node_modules.clone())];
        variables.extend(self.python_path.clone().map(|path| ("PYTHONPATH", path)));
        variables
    }
}

/// Installs what is missing.
pub(crate) fn install(root: &Path) -> Result<Clients, String> {
    let wanted = root.join("xtask/clients");
    let private = root.join(".cache/clients");
    let (python, python_path) = python(&wanted, &private.join("python"))?;
    let node_modules = node(&wanted, &private.join("node"))?;
    Ok(Clients { python, python_path, node_modules })
}

fn python(wanted: &Path, folder: &Path) -> Result<(PathBuf, Option<PathBuf>), String> {
    let pins = wanted.join("requirements.txt");
    let stamp = folder.join("requirements.txt");
    let own = folder.join("bin/python");
    let beside = folder.join("packages");
    let found = || {
        if imports(&own, None) {
            return Some((own.clone(), None));
        }
        let shared = PathBuf::from("python3");
        imports(&shared, Some(&beside)).then(|| (shared, Some(beside.clone())))
    };
    if same(&pins, &stamp)
        && let Some(ready) = found()
    {
        return Ok(ready);
    }
    need("python3", &["-c", "import venv, ensurepip"], &["python3", "python3-venv", "python3-pip"]);
    clear(folder)?;
    println!("installing Python's client");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    if run(Command::new("python3").args(["-m", "venv"]).arg(folder)).is_ok() {
        run(Command::new(&own).args(pip).arg(&pins))?;
    } else {
        // Some systems ship Python without its venv module: the packages then stand beside it.
        clear(folder)?;
        run(Command::new("python3").args(pip).arg(&pins).arg("--target").arg(&beside))?;
    }
    let ready = found().ok_or("Python's client was installed but cannot be imported")?;
    copy(&pins, &stamp)?;
    Ok(ready)
}

fn imports(python: &Path, path: Option<&Path>) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import openai"]);
    if let Some(path) = path {
        command.env("PYTHONPATH", path);
    }
    quietly(&mut command)
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
