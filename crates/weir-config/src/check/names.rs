//! Names: which characters they have, what they lead to, and that none means two things.

use crate::node::Place;
use crate::problem::{Problem, did_you_mean};
use std::collections::HashMap;

const LONGEST: usize = 128;

/// What other parts of the file may refer to. Entries with problems of their own are known too, so that one mistake is
/// not reported twice.
pub(super) struct Names<'n> {
    pub providers: Known<'n>,
    pub deployments: Known<'n>,
    pub routes: Known<'n>,
    /// Aliases and the route each belongs to.
    aliases: HashMap<&'n str, &'n str>,
}

/// The names of one section in the order of the file.
pub(super) struct Known<'n> {
    what: &'static str,
    all: Vec<&'n str>,
    index: HashMap<&'n str, usize>,
}

impl<'n> Known<'n> {
    fn new(what: &'static str, place: &Place<'n>) -> Self {
        let all = place.names();
        let mut index = HashMap::new();
        for (i, name) in all.iter().enumerate() {
            index.entry(*name).or_insert(i);
        }
        Known { what, all, index }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The name at an index; empty when there is none.
    pub(super) fn name(&self, index: usize) -> &'n str {
        self.all.get(index).copied().unwrap_or_default()
    }

    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// The index of a name, or the problem that there is none.
    pub(super) fn find(&self, name: &str, place: &Place<'_>) -> Result<usize, Problem> {
        self.index.get(name).copied().ok_or_else(|| Problem {
            help: did_you_mean(name, self.what, self.all.iter().copied()),
            ..place.problem(format!("no {} named {}", self.what.trim_end_matches('s'), place.shown()))
        })
    }
}

impl<'n> Names<'n> {
    pub(super) fn new(root: &Place<'n>, problems: &mut Vec<Problem>) -> Self {
        let routes = Known::new("routes", &root.key("routes"));
        Names {
            providers: Known::new("providers", &root.key("providers")),
            deployments: Known::new("deployments", &root.key("deployments")),
            aliases: aliases(root, &routes, problems),
            routes,
        }
    }

    /// Whether a client's model of this name leads to a route of the file.
    pub(super) fn means_something(&self, model: &str) -> bool {
        self.routes.index_of(model).is_some() || self.aliases.contains_key(model)
    }

    /// The index of the route that a fallback names.
    pub(super) fn find_route(&self, name: &str, place: &Place<'_>) -> Result<usize, Problem> {
        self.routes.find(name, place).map_err(|problem| match self.aliases.get(name) {
            Some(route) => {
                problem.with_help(format!("{} is an alias; name its route {route:?}", place.shown()))
            }
            None => problem,
        })
    }
}

/// Every alias, with a problem for each that already means something.
fn aliases<'n>(
    root: &Place<'n>,
    routes: &Known<'n>,
    problems: &mut Vec<Problem>,
) -> HashMap<&'n str, &'n str> {
    let mut aliases = HashMap::new();
    for (route, place) in root.key("routes").entries() {
        for alias in place.key("aliases").items() {
            let Some(name) = alias.node.and_then(|node| node.text()) else { continue };
            problems.extend(check_name(name, &alias, false));
            if routes.index.contains_key(name) {
                problems.push(
                    alias.problem(format!("the alias {} is already the name of a route", alias.shown())),
                );
            } else if let Some(other) = aliases.get(name) {
                problems.push(
                    alias.problem(format!(
                        "the alias {} already belongs to the route {other:?}",
                        alias.shown()
                    )),
                );
            } else {
                aliases.insert(name, route);
            }
        }
    }
    aliases
}

/// Looks at every name of a section.
pub(super) fn check_names(section: &Place<'_>, problems: &mut Vec<Problem>) {
    for name in section.names() {
        problems.extend(check_name(name, &section.key(name), true));
    }
}

fn check_name(name: &str, place: &Place<'_>, is_key: bool) -> Option<Problem> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:/@-".contains(&b);
    let shown = if is_key { format!("{name:?}") } else { place.shown() };
    let problem = |message: String| if is_key { place.key_problem(message) } else { place.problem(message) };
    if name.is_empty() {
        Some(problem("a name is empty".to_owned()))
    } else if name.len() > LONGEST {
        Some(problem(format!("a name is longer than {LONGEST} characters")))
    } else if !name.bytes().all(fits) {
        let problem = problem(format!("the name {shown} has characters that no name may have"));
        Some(problem.with_help("allowed are letters, digits and . _ : / @ -"))
    } else {
        None
    }
}
