//! The dependency tree stays lean, and its cryptography is ring's alone.

use super::{Report, Tree};

const REFUSED: &[(&str, &str)] = &[
    ("openssl-sys", "TLS is rustls on ring: one static binary, nothing of the system's"),
    ("native-tls", "TLS is rustls on ring: one static binary, nothing of the system's"),
    ("aws-lc-sys", "a second C library for cryptography, and minutes of building it"),
    ("reqwest", "weir-net is the only crate that speaks HTTP outward"),
];

pub(super) fn check(tree: &Tree, report: &mut Report) {
    let Some(lock) = tree.text("Cargo.lock") else {
        report.problem("Cargo.lock is missing: builds are pinned");
        return;
    };
    judge(lock, report);
}

fn judge(lock: &str, report: &mut Report) {
    let packages: Vec<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    let foreign = lock.lines().filter(|line| line.starts_with("source = ")).count();
    report.note(format!(
        "{foreign} crates of others (all platforms, tests included), {} of ours",
        packages.len() - foreign
    ));
    for (name, why) in REFUSED.iter().filter(|(name, _)| packages.contains(name)) {
        report.problem(format!("Cargo.lock holds {name}: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_crates_are_found() {
        let lock = "[[package]]\nname = \"weir\"\n\n[[package]]\nname = \"openssl-sys\"\nsource = \"r\"\n";
        let mut report = Report::default();
        judge(lock, &mut report);
        assert_eq!(report.notes, ["1 crates of others (all platforms, tests included), 1 of ours"]);
        assert_eq!(report.problems.len(), 1);
    }
}
