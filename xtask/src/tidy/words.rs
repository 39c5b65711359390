//! Words that have no place in the tree.

use super::tree::File;
use super::{Report, Tree};

/// Where a word is refused.
#[derive(Clone, Copy)]
enum Scope {
    /// In every text file.
    Everywhere,
    /// In Rust.
    Rust,
    /// In Rust that is no test, of these crates.
    Crates(&'static [&'static str]),
}

/// Crates that take time and chance as arguments.
const PURE: &[&str] = &[
    "weir-core",
    "weir-wire",
    "weir-config",
    "weir-provider",
    "weir-routing",
    "weir-trials",
    "weir-cache",
    "weir-guard",
    "weir-sim",
];

// Written in two halves, so that this file does not refuse itself.
const REFUSED: &[(&str, Scope, &str)] = &[
    (concat!("/wo", "rk/"), Scope::Everywhere, "a path of one machine"),
    (concat!("/ro", "ot/"), Scope::Everywhere, "a path of one machine"),
    (concat!("/tmp/ba", "sh_jobs"), Scope::Everywhere, "a path of one machine"),
    (concat!("../sha", "red"), Scope::Everywhere, "outside the repository"),
    (concat!("registry.npm", "js"), Scope::Everywhere, "a registry's host: clients know theirs"),
    (concat!("py", "pi.org"), Scope::Everywhere, "a registry's host: clients know theirs"),
    (concat!("files.python", "hosted"), Scope::Everywhere, "a registry's host: clients know theirs"),
    (concat!("index.crates", ".io"), Scope::Everywhere, "a registry's host: clients know theirs"),
    (concat!("to", "do!("), Scope::Rust, "an unfinished thing is a typed \"not supported\" error"),
    (concat!("unimple", "mented!("), Scope::Rust, "an unfinished thing is a typed \"not supported\" error"),
    (concat!("db", "g!("), Scope::Rust, "left-over debugging"),
    (
        concat!("#[ig", "nore"),
        Scope::Rust,
        "a test that does not run proves nothing; long ones ask WEIR_LONG",
    ),
    (concat!("Instant::", "now"), Scope::Crates(PURE), "time is an argument here"),
    (concat!("SystemTime::", "now"), Scope::Crates(PURE), "time is an argument here"),
];

pub(super) fn check(tree: &Tree, report: &mut Report) {
    for file in tree.files.iter().filter(|file| file.name() != "Cargo.lock") {
        judge(file, report);
    }
}

fn judge(file: &File, report: &mut Report) {
    for (word, _, why) in REFUSED.iter().filter(|(_, scope, _)| applies(*scope, file)) {
        for (number, _) in file.text.lines().enumerate().filter(|(_, line)| line.contains(word)) {
            report.problem(format!("{}:{}: {word:?}: {why}", file.path, number + 1));
        }
    }
}

fn applies(scope: Scope, file: &File) -> bool {
    match scope {
        Scope::Everywhere => true,
        Scope::Rust => file.is_rust(),
        Scope::Crates(names) => {
            let home = |name: &&str| file.path.starts_with(&format!("crates/{name}/src/"));
            file.is_rust() && !file.is_test() && names.iter().any(home)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn words_are_refused_in_their_scope() {
        let check = |path: &str, text: &str, expect: usize| {
            let mut report = Report::default();
            judge(&file(path, text), &mut report);
            assert_eq!(report.problems.len(), expect, "{path}: {:?}", report.problems);
        };
        check("README.md", &["see /wo", "rk/main"].concat(), 1);
        check("README.md", &["to", "do!()"].concat(), 0);
        check("crates/weir/src/main.rs", &["to", "do!()"].concat(), 1);
        let now = ["Instant::", "now()"].concat();
        check("crates/weir-routing/src/plan.rs", &now, 1);
        check("crates/weir-routing/src/plan/tests.rs", &now, 0);
        check("crates/weir-net/src/pool.rs", &now, 0);
    }
}
