//! The walls between crates: strict layers, and what each crate must not know.

use super::{Report, Tree};
use serde_json::Value;
use std::process::Command;

/// The layer of every crate; a crate imports only from lower ones. `DEV` stands outside.
const LAYERS: &[(&str, u8)] = &[
    ("weir-core", 0),
    ("weir-wire", 1),
    ("weir-config", 1),
    ("weir-net", 1),
    ("weir-store", 1),
    ("weir-provider", 2),
    ("weir-routing", 2),
    ("weir-trials", 2),
    ("weir-cache", 2),
    ("weir-learn", 2),
    ("weir-guard", 2),
    ("weir-telemetry", 2),
    ("weir-jobs", 2),
    ("weir-engine", 3),
    ("weir-fleet", 3),
    ("weir-sim", 3),
    ("weir-server", 4),
    ("weir", 5),
    ("weir-testkit", DEV),
    ("xtask", DEV),
];
const DEV: u8 = u8::MAX;

/// Crates that open sockets or run those that do.
const SOCKETS: &[&str] = &[
    "tokio",
    "hyper",
    "hyper-util",
    "mio",
    "socket2",
    "rustls",
    "tokio-rustls",
    "reqwest",
    "ureq",
    "async-std",
    "smol",
];
const HTTP_SERVER: &[&str] = &["hyper", "hyper-util", "axum", "tower", "tower-http"];
const OWN: &[&str] = &["weir"];

/// What a crate must not depend on, not even for its tests, and why. A name ending in `*` stands for all that begin so.
const ABSENCES: &[(&str, &[&str], &str)] = &[
    ("weir-core", SOCKETS, "it shares nouns, not I/O"),
    ("weir-core", &["http", "serde_json", "serde"], "formats belong to weir-wire"),
    ("weir-wire", SOCKETS, "it turns bytes into types wherever they come from"),
    ("weir-config", SOCKETS, "it reads a file"),
    ("weir-config", &["arc-swap"], "it knows no runtime state"),
    ("weir-provider", SOCKETS, "it translates; weir-net sends"),
    ("weir-routing", SOCKETS, "simulations run the same decisions without any socket"),
    ("weir-routing", &["http", "bytes", "serde_json"], "it decides without bodies"),
    ("weir-trials", SOCKETS, "it assigns and counts"),
    ("weir-cache", SOCKETS, "it does not know where answers are kept"),
    ("weir-learn", SOCKETS, "it predicts"),
    ("weir-guard", SOCKETS, "it judges text"),
    ("weir-telemetry", SOCKETS, "it renders what has happened; others serve it"),
    ("weir-jobs", &["hyper", "hyper-util"], "it does not know what the work is"),
    ("weir-store", &["hyper", "hyper-util", "http"], "it opens only its engines"),
    ("weir-engine", HTTP_SERVER, "the line is the same whoever serves it"),
    ("weir-sim", SOCKETS, "its clock is virtual"),
    ("weir-server", &["weir-provider"], "it knows no vendor"),
    ("weir-testkit", OWN, "it must not share the mistakes of what it tests"),
    ("weir-testkit", &["weir-*"], "it must not share the mistakes of what it tests"),
];

/// What only these crates may depend on, and why.
const RESERVED: &[(&str, &[&str], &str)] = &[
    (
        "hyper",
        &["weir-net", "weir-server", "weir"],
        "HTTP is spoken outward by weir-net and inward by weir-server",
    ),
    ("weir-testkit", &[], "it serves tests only: a dev-dependency"),
];

#[derive(Debug)]
struct Crate {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug)]
struct Dependency {
    name: String,
    dev: bool,
}

pub(super) fn check(tree: &Tree, report: &mut Report) {
    match metadata(tree) {
        Ok(crates) => judge(&crates, report),
        Err(error) => report.problem(error),
    }
    for file in tree.files.iter().filter(|file| file.name() == "Cargo.toml" && file.path != "Cargo.toml") {
        if !file.text.contains("[lints]\nworkspace = true") {
            report.problem(format!("{}: does not take the workspace's lints", file.path));
        }
    }
}

fn metadata(tree: &Tree) -> Result<Vec<Crate>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(args).current_dir(&tree.root).output();
    let output = output.map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let value: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let dependency = |d: &Value| Dependency { name: text(&d["name"]), dev: d["kind"] == "dev" };
    let package = |p: &Value| Crate {
        name: text(&p["name"]),
        dependencies: list(&p["dependencies"]).iter().map(dependency).collect(),
    };
    Ok(list(&value["packages"]).iter().map(package).collect())
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

fn judge(crates: &[Crate], report: &mut Report) {
    for Crate { name, dependencies } in crates {
        let Some(own) = layer(name) else {
            report.problem(format!("{name} stands in no layer: give it one in xtask/src/tidy/layers.rs"));
            continue;
        };
        for dependency in dependencies {
            let on = &dependency.name;
            if let Some(theirs) = layer(on)
                && theirs >= own
                && theirs != DEV
            {
                report.problem(format!(
                    "{name} (layer {own}) imports {on} (layer {theirs}): only lower layers may be"
                ));
            }
            for (_, banned, why) in ABSENCES.iter().filter(|(bound, ..)| bound == name) {
                if banned.iter().any(|ban| matches(ban, on)) {
                    report.problem(format!("{name} must not know {on}: {why}"));
                }
            }
            for (_, holders, why) in RESERVED.iter().filter(|(reserved, ..)| reserved == on) {
                if !dependency.dev && !holders.contains(&name.as_str()) {
                    report.problem(format!("{name} must not depend on {on}: {why}"));
                }
            }
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, on: &[(&str, bool)], expect: &[&str]) {
        let dependencies =
            on.iter().map(|(name, dev)| Dependency { name: (*name).to_owned(), dev: *dev }).collect();
        let mut report = Report::default();
        judge(&[Crate { name: name.to_owned(), dependencies }], &mut report);
        assert_eq!(report.problems.len(), expect.len(), "{:?}", report.problems);
        for (problem, part) in report.problems.iter().zip(expect) {
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn walls_hold() {
        check("weir-engine", &[("weir-routing", false), ("tokio", false), ("weir-testkit", true)], &[]);
        check("weir-routing", &[("weir-engine", false)], &["layer 3"]);
        check("weir-routing", &[("weir-provider", true)], &["layer 2"]);
        check("weir-routing", &[("tokio", true)], &["must not know tokio"]);
        check("weir-engine", &[("hyper", false)], &["must not know hyper", "must not depend on hyper"]);
        check("weir-telemetry", &[("weir-testkit", false)], &["dev-dependency"]);
        check("weir-testkit", &[("weir-core", true), ("tokio", false)], &["share the mistakes"]);
        check("weir-new", &[], &["stands in no layer"]);
    }
}
