//! No god files, no god functions.

use super::tree::File;
use super::{Report, Tree};

const MOST_FILE_LINES: usize = 800;
const MOST_FUNCTION_LINES: usize = 80;

/// Agreed exceptions: `file PATH: reason` or `fn PATH NAME: reason`, one a line.
const ALLOW: &str = "xtask/tidy-allow.txt";

pub(super) fn check(tree: &Tree, report: &mut Report) {
    judge(&tree.files, tree.text(ALLOW).unwrap_or_default(), report);
}

fn judge(files: &[File], allowed: &str, report: &mut Report) {
    let mut allowed: Vec<(&str, &str, bool)> = allowed
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (what, reason) = line.split_once(": ").unwrap_or((line, ""));
            (what, reason, false)
        })
        .collect();
    for file in files.iter().filter(|file| file.is_rust()) {
        let path = &file.path;
        let mut over = Vec::new();
        let lines = file.text.lines().count();
        if lines > MOST_FILE_LINES {
            over.push((format!("file {path}"), lines, MOST_FILE_LINES));
        }
        let functions = if file.is_test() { Vec::new() } else { functions(&file.text) };
        for (name, lines) in functions.into_iter().filter(|(_, lines)| *lines > MOST_FUNCTION_LINES) {
            over.push((format!("fn {path} {name}"), lines, MOST_FUNCTION_LINES));
        }
        for (what, lines, most) in over {
            match allowed.iter_mut().find(|(known, ..)| *known == what) {
                Some((_, reason, used)) => {
                    *used = true;
                    report.note(format!("{what} has {lines} lines: {reason}"));
                }
                None => report.problem(format!(
                    "{what} has {lines} lines, more than {most}: cut it, or say why in {ALLOW}"
                )),
            }
        }
    }
    for (what, reason, used) in allowed {
        if reason.trim().is_empty() {
            report.problem(format!("{ALLOW}: {what} gives no reason"));
        }
        if !used {
            report.problem(format!("{ALLOW}: {what} is no exception any more: remove the line"));
        }
    }
}

/// Name and length of every function, from its first line to its closing brace. Relies on rustfmt: a body ends at the
/// first brace that stands at the indentation of its `fn`.
fn functions(source: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let rest = lines.get(start..).unwrap_or_default();
        let Some(head) = rest.iter().position(|line| line.ends_with(['{', ';', '}'])) else { continue };
        if rest.get(head).is_some_and(|line| !line.ends_with('{')) {
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        if let Some(length) = rest.iter().position(|line| *line == end) {
            found.push((name.to_owned(), length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "fn" => break,
            "pub" | "const" | "async" | "unsafe" | "default" | "extern" | "\"C\"" => {}
            word if word.starts_with("pub(") || word.ends_with(')') => {}
            _ => return None,
        }
    }
    words.next()?.split(['(', '<']).next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn functions_are_measured_from_head_to_brace() {
        let source = "\
impl X {
    pub(crate) async fn long<T>(
        a: T,
    ) -> u8
    where
        T: Clone,
    {
        let b = X {
            a,
        };
        // fn not_one() {
        1
    }

    fn declared(&self);
    fn short(&self) {}
}
pub const fn free() {
    let fn_like = 1;
}
";
        let expect = [("long", 12), ("free", 3)].map(|(name, lines)| (name.to_owned(), lines));
        assert_eq!(functions(source), expect);
    }

    fn check(files: &[File], allowed: &str, expect: &[&str]) {
        let mut report = Report::default();
        judge(files, allowed, &mut report);
        assert_eq!(report.problems.len(), expect.len(), "{:?}", report.problems);
        for (problem, part) in report.problems.iter().zip(expect) {
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused_unless_agreed() {
        let body = |lines: usize| format!("fn f() {{\n{}}}\n", "    x();\n".repeat(lines));
        let one = |path: &str, lines: usize| [file(path, &body(lines))];
        check(&one("a/src/b.rs", 78), "", &[]);
        check(&one("a/src/b.rs", 79), "", &["fn a/src/b.rs f has 81 lines"]);
        check(&one("a/src/b.rs", 79), "fn a/src/b.rs f: a table\n", &[]);
        check(&one("a/src/b.rs", 9), "fn a/src/b.rs f: a table\n", &["no exception any more"]);
        check(&one("a/src/b/tests.rs", 790), "", &[]);
        check(&one("a/src/b/tests.rs", 799), "", &["file a/src/b/tests.rs has 801 lines"]);
    }
}
