//! The house's own rules, each a pure check over the repository's files. `cargo xtask tidy` runs them, and so does a
//! test.

mod docs;
mod http;
mod layers;
mod lock;
mod map;
mod names;
mod rosters;
mod size;
mod tree;
mod words;

use std::path::Path;
use tree::Tree;

/// What the rules found.
#[derive(Debug, Default)]
struct Report {
    /// Breaches: each says where, what, and what would mend it.
    problems: Vec<String>,
    /// Facts worth knowing, such as agreed exceptions.
    notes: Vec<String>,
}

impl Report {
    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

type Rule = fn(&Tree, &mut Report);

/// Every rule. A new one is one file and one line.
const RULES: &[(&str, Rule)] = &[
    ("layers", layers::check),
    ("size", size::check),
    ("names", names::check),
    ("words", words::check),
    ("map", map::check),
    ("docs", docs::check),
    ("http", http::check),
    ("rosters", rosters::check),
    ("lock", lock::check),
];

/// Runs every rule and prints what they found.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if !args.is_empty() {
        return Err("usage: cargo xtask tidy".to_owned());
    }
    let report = inspect(&crate::root())?;
    for note in &report.notes {
        println!("{note}");
    }
    if report.problems.is_empty() {
        println!("tidy");
        return Ok(());
    }
    Err(format!("{}\n{} breaches of the house's rules", report.problems.join("\n"), report.problems.len()))
}

fn inspect(root: &Path) -> Result<Report, String> {
    let tree = Tree::read(root)?;
    let mut report = Report::default();
    for (name, rule) in RULES {
        let mut found = Report::default();
        rule(&tree, &mut found);
        report.problems.extend(found.problems.into_iter().map(|problem| format!("{name}: {problem}")));
        report.notes.extend(found.notes.into_iter().map(|note| format!("{name}: {note}")));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let report = inspect(&crate::root()).unwrap();
        assert!(report.problems.is_empty(), "\n{}", report.problems.join("\n"));
    }
}
