//! The map: every crate says at its top what it is for, and ARCHITECTURE.md names them all.

use super::{Report, Tree};

const MAP: &str = "ARCHITECTURE.md";
const MOST_MAP_LINES: usize = 250;

pub(super) fn check(tree: &Tree, report: &mut Report) {
    let map = tree.text(MAP);
    match map.map(|text| text.lines().count()) {
        None => report.problem(format!("{MAP} is missing")),
        Some(lines) if lines > MOST_MAP_LINES => {
            report.problem(format!(
                "{MAP} has {lines} lines, more than {MOST_MAP_LINES}: a map fits on a wall"
            ));
        }
        Some(_) => {}
    }
    for name in crates(tree) {
        let folder = if name == "xtask" { name.to_owned() } else { format!("crates/{name}") };
        let heads = ["lib.rs", "main.rs"].map(|file| format!("{folder}/src/{file}"));
        let heads: Vec<_> =
            heads.iter().filter_map(|path| tree.text(path).map(|text| (path, text))).collect();
        if heads.is_empty() {
            report.problem(format!("{folder} has neither lib.rs nor main.rs"));
        }
        for (path, text) in heads {
            let said = text.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or_default();
            if said.len() < 20 {
                report.problem(format!("{path} does not begin by saying what the crate is for (//! …)"));
            }
        }
        if map.is_some_and(|map| !map.contains(&format!("`{name}`"))) {
            report.problem(format!("{MAP} does not name `{name}`"));
        }
    }
}

/// The names of the crates, by their folders.
fn crates(tree: &Tree) -> Vec<&str> {
    let manifests = tree.paths.iter().filter_map(|path| path.strip_suffix("/Cargo.toml"));
    manifests
        .filter_map(|folder| if folder == "xtask" { Some(folder) } else { folder.strip_prefix("crates/") })
        .collect()
}
