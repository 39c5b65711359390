//! What stands in a roster is documented and shown at work.
//!
//! The names come from the reference pages that the rosters generate; that those are current is a test in the crate
//! of each roster. So these chores depend on no crate they judge, and run when one does not compile.

use super::{Report, Tree};

pub(super) fn check(tree: &Tree, report: &mut Report) {
    for name in roster(tree, "docs/reference/providers.md", report) {
        if !tree.paths.iter().any(|path| is_fixture_of(path, name)) {
            report.problem(format!(
                "provider {name} has no fixture: fixtures/<format>/<case>/{name}.reply or .stream"
            ));
        }
    }
    for name in roster(tree, "docs/reference/policies.md", report) {
        let shows = |text: &str| text.lines().any(|line| line.contains("policy:") && line.contains(name));
        if !tree.files.iter().any(|file| file.path.starts_with("examples/") && shows(&file.text)) {
            report.problem(format!("policy {name} is shown in no file of examples/"));
        }
    }
}

/// The names in the first column of the page's tables.
fn roster<'a>(tree: &'a Tree, page: &str, report: &mut Report) -> Vec<&'a str> {
    let text = tree.text(page).unwrap_or_default();
    let names = rows(text);
    if names.is_empty() || !text.contains("<!-- Generated") {
        report.problem(format!("{page} is not the generated table of a roster"));
    }
    names
}

fn rows(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name)).collect()
}

/// Whether a path is `fixtures/<format>/<case>/<provider>.<what>`.
fn is_fixture_of(path: &str, provider: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let ["fixtures", _, _, file] = parts.as_slice() else { return false };
    file.split_once('.').is_some_and(|(name, _)| name == provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_looked_for() {
        assert_eq!(
            rows("| kind | vendor |\n|---|---|\n| `vllm` | [v](x) |\n| `groq` | `key` |\n"),
            ["vllm", "groq"]
        );
        let check = |path, expect| assert_eq!(is_fixture_of(path, "groq"), expect, "{path}");
        check("fixtures/openai/chat/groq.stream", true);
        check("fixtures/openai/chat/groq2.stream", false);
        check("fixtures/openai/groq.stream", false);
    }
}
