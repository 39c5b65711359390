//! No drawers: a file is named for what is in it.

use super::{Report, Tree};

const DRAWERS: &[&str] =
    &["utils", "util", "helpers", "helper", "common", "misc", "types", "shared", "stuff", "extensions"];

pub(super) fn check(tree: &Tree, report: &mut Report) {
    for path in tree.paths.iter().filter(|path| is_drawer(path)) {
        report.problem(format!("{path}: a drawer for things nobody named; name it for what is in it"));
    }
}

fn is_drawer(path: &str) -> bool {
    let Some(stem) = path.strip_suffix(".rs") else { return false };
    let mut parts = stem.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let name = if name == "mod" { parts.next().unwrap_or_default() } else { name };
    DRAWERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers_are_known_by_their_names() {
        let check = |path, expect| assert_eq!(is_drawer(path), expect, "{path}");
        check("crates/a/src/utils.rs", true);
        check("crates/a/src/common/mod.rs", true);
        check("crates/a/src/usage.rs", false);
        check("docs/common.md", false);
    }
}
