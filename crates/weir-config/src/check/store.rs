//! The section `store`.

use super::server::above_zero;
use crate::config::Store;
use crate::file;
use crate::format::size_text;
use crate::node::Place;
use crate::problem::Problem;
use std::path::PathBuf;

/// Less holds no answer.
const LEAST_ENTRY: usize = 1 << 10;

pub(super) fn check_store(
    store: &file::store::Store,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Store {
    if store.path.is_empty() {
        problems.push(place.key("path").problem("the path is empty"));
    } else if store.path.ends_with('/') {
        let problem = place.key("path").problem("this is a folder, not a file");
        problems.push(problem.with_help("name a file in it, such as weir.db"));
    }
    above_zero(store.timeout.0, &place.key("timeout"), problems);
    if store.max_entry.0 < LEAST_ENTRY {
        problems.push(place.key("max_entry").problem(format!("must be at least {}", size_text(LEAST_ENTRY))));
    }
    if store.max_entry.0 > store.max_total.0 && !place.has_broken() {
        let key = if place.key("max_entry").node.is_some() { "max_entry" } else { "max_total" };
        let (one, all) = (size_text(store.max_entry.0), size_text(store.max_total.0));
        problems.push(place.key(key).problem(format!("max_entry ({one}) is more than max_total ({all})")));
    }
    Store {
        path: PathBuf::from(&store.path),
        keep_days: store.keep_days,
        max_total: store.max_total.0,
        max_entry: store.max_entry.0,
        timeout: store.timeout.0,
    }
}
