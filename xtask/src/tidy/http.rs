//! The reference page of the HTTP interface names every route that is served and every error code that is given out,
//! and no code that is not.

use super::{Report, Tree};

const PAGE: &str = "docs/reference/http.md";
/// Where routes are listed.
const FACES: &str = "crates/weir-server/src/";
/// How a route's path begins.
const ROUTES: &[&str] = &["/v1/", "/health/", "/admin/", "/metrics"];

pub(super) fn check(tree: &Tree, report: &mut Report) {
    let Some(page) = tree.text(PAGE) else {
        report.problem(format!("{PAGE} is missing"));
        return;
    };
    let sources = || {
        let of_crates = |path: &str| path.starts_with("crates/") && path.contains("/src/");
        let files = tree.files.iter().filter(move |f| f.is_rust() && !f.is_test() && of_crates(&f.path));
        files.map(|file| (file.path.as_str(), without_tests(&file.text)))
    };
    for (path, text) in sources() {
        for code in codes(text).into_iter().filter(|code| !page.contains(&format!("`{code}`"))) {
            report.problem(format!("{path} gives out the error code {code}, which {PAGE} does not name"));
        }
        for route in routes(text).filter(|route| path.starts_with(FACES) && !page.contains(route)) {
            report.problem(format!("{path} serves {route}, which {PAGE} does not name"));
        }
    }
    for code in listed(page) {
        if !sources().any(|(_, text)| text.contains(&format!("\"{code}\""))) {
            report.problem(format!("{PAGE} names the error code {code}, which nothing gives out"));
        }
    }
}

/// A file up to the tests inside it.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// The codes written out in `Fault::new(class, status, "code", …)`.
fn codes(text: &str) -> Vec<&str> {
    let made = text.split("Fault::new(").skip(1);
    made.filter_map(|arguments| arguments.split(',').nth(2)?.trim().strip_prefix('"')?.strip_suffix('"'))
        .collect()
}

/// String literals that are the paths of routes.
fn routes(text: &str) -> impl Iterator<Item = &str> {
    let literals = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let literals = literals.flat_map(|line| line.split('"').skip(1).step_by(2));
    literals.filter(|text| ROUTES.iter().any(|start| text.starts_with(start)) && !text.contains(' '))
}

/// The codes of the page's tables: rows whose first column is a code, or several, and whose second is a status.
fn listed(page: &str) -> Vec<&str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter(|row| {
        let status = row.split('|').nth(1).unwrap_or_default().trim();
        status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit())
    });
    rows.filter_map(|row| row.split('`').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_routes_are_read_from_the_source() {
        let source = "\
Fault::new(Class::Caller, 404, \"not_found\", message);
Fault::new(
    class,
    502,
    \"upstream\",
    \"words, and words\",
);
Fault::new(Class::Caller, 403, code, \"words\");
    // see \"/v1/nowhere\"
    let path = \"/v1/models\"; x(\"/health/live\", \"/v1 or so\");
#[cfg(test)]
mod tests {
    Fault::new(class, 500, \"x\", \"x\");
";
        assert_eq!(codes(without_tests(source)), ["not_found", "upstream"]);
        assert_eq!(routes(source).collect::<Vec<_>>(), ["/v1/models", "/health/live"]);
    }

    #[test]
    fn codes_are_read_from_the_page() {
        let page = "| code | status |\n|---|---|\n| `a_b` | 400 | text |\n| `x-header` | text |\n";
        assert_eq!(listed(page), ["a_b"]);
    }
}
