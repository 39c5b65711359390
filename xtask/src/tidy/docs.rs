//! Documents are there, are linked, and link to what is there. That generated ones are current is checked by a test in
//! the crate that generates them.

use super::{Report, Tree};

const NEEDED: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/README.md",
    "docs/reference/cli.md",
    "docs/reference/config.md",
    "docs/reference/config.schema.json",
    "docs/reference/http.md",
    "docs/reference/metrics.md",
    "docs/reference/providers.md",
    "docs/reference/policies.md",
    "docs/reference/catalog.md",
];

pub(super) fn check(tree: &Tree, report: &mut Report) {
    for path in NEEDED.iter().filter(|path| !tree.has(path)) {
        report.problem(format!("{path} is missing"));
    }
    let documents = || tree.files.iter().filter(|file| file.extension() == "md");
    for example in tree.paths.iter().filter(|path| path.starts_with("examples/")) {
        if !documents().any(|document| document.text.contains(example.as_str())) {
            report.problem(format!("{example} is mentioned in no document"));
        }
    }
    for document in documents() {
        for link in links(&document.text) {
            let path = resolve(&document.path, link);
            let folder = format!("{path}/");
            if !tree.has(&path) && !tree.paths.iter().any(|known| known.starts_with(&folder)) {
                report.problem(format!("{} links to {link}, which is not there", document.path));
            }
        }
    }
}

/// Targets of inline links to files of this repository, anchors left out.
fn links(markdown: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in markdown.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(path);
            }
        }
    }
    found
}

fn resolve(document: &str, link: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_resolved() {
        let check = |document: &str, text: &str, expect: &[&str]| {
            let found: Vec<String> = links(text).iter().map(|link| resolve(document, link)).collect();
            assert_eq!(found, expect);
        };
        check("README.md", "[a](docs/a.md), [b](https://x.y/z) [c](#top)", &["docs/a.md"]);
        check(
            "docs/guide/a.md",
            "[a](../b.md#part) [d](./e.md \"title\")",
            &["docs/b.md", "docs/guide/e.md"],
        );
        check("a.md", "```\n[a](b.md)\n```\n[c](d/)", &["d"]);
    }
}
