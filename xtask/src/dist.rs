//! Builds what ships: profile `dist`, laid out by what the program does under load (profile-guided optimisation).
//!
//! A first build counts how often each branch is taken while it serves the bench's scenarios. A second one inlines by
//! these counts, lays what is used side by side and moves the rest out of the way. Nothing else differs, and nothing
//! depends on it. The counts are taken anew each time: those of another state of the code, or of another compiler, would
//! be worth less.

use crate::bench;
use crate::clients::run as show;
use crate::running::{cargo, target_folder};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Below the target folder: the counts, and both builds.
const FOLDER: &str = "trained";
const USAGE: &str = "usage: cargo xtask dist";

/// Builds it and says where it is.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if !args.is_empty() {
        return Err(USAGE.to_owned());
    }
    println!("{}", build(&crate::root())?.display());
    Ok(())
}

/// Builds it, and gives where it is.
pub(crate) fn build(root: &Path) -> Result<PathBuf, String> {
    let compiler = Compiler::find(root)?;
    let folder = target_folder(root)?.join(FOLDER);
    let counts = folder.join("counts");
    if counts.exists() {
        fs::remove_dir_all(&counts).map_err(|error| format!("{}: {error}", counts.display()))?;
    }
    fs::create_dir_all(&counts).map_err(|error| format!("{}: {error}", counts.display()))?;
    println!("building the program that counts what it does");
    let counting = compiler.build(root, &folder, &format!("-Cprofile-generate={}", counts.display()))?;
    println!("serving with it");
    bench::train(root, &folder, &counting)?;
    let merged = folder.join("merged.profdata");
    show(Command::new(&compiler.merger).arg("merge").arg("-o").arg(&merged).arg(&counts))?;
    println!("building what ships");
    // What was never reached has no counts, which is no news.
    let quiet = "-Cllvm-args=-pgo-warn-missing-function=false";
    compiler.build(root, &folder, &format!("-Cprofile-use={} {quiet}", merged.display()))
}

/// What it is built with.
struct Compiler {
    /// The triple it builds for: named, so that build scripts and macros are not counted.
    host: String,
    /// The tool that puts counts together, which has to be of the same LLVM as the compiler.
    merger: PathBuf,
}

impl Compiler {
    fn find(root: &Path) -> Result<Self, String> {
        let rustc = |args: &[&str]| {
            let output = Command::new("rustc").current_dir(root).args(args).output();
            let output = output.map_err(|error| format!("rustc: {error}"))?;
            String::from_utf8(output.stdout).map_err(|error| format!("rustc {}: {error}", args.join(" ")))
        };
        let host = rustc(&["--version", "--verbose"])?;
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
        let tools = Path::new(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib").join(host);
        let merger = tools.join("bin/llvm-profdata");
        if !merger.is_file() {
            let merger = merger.display();
            return Err(format!("there is no {merger}; get it with `rustup component add llvm-tools`"));
        }
        Ok(Compiler { host: host.to_owned(), merger })
    }

    fn build(&self, root: &Path, folder: &Path, flags: &str) -> Result<PathBuf, String> {
        let mut cargo = cargo(root);
        cargo.env("CARGO_TARGET_DIR", folder).env("RUSTFLAGS", flags);
        cargo.args(["build", "--quiet", "--locked", "--package", "weir", "--profile", "dist"]);
        show(cargo.args(["--target", &self.host]))?;
        Ok(folder.join(&self.host).join("dist/weir"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_no_arguments() {
        assert_eq!(run(&["--fast".to_owned()]), Err(USAGE.to_owned()));
    }
}
