//! Records of decisions, found for whoever asks.

use super::book::Kind;
use super::{Book, Entry, Names, shown};
use crate::engine::Engine;
use serde_json::Value as Json;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use weir_core::nearest::nearest;
use weir_core::{Outcome, RequestId};

/// Which decisions are asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Those of this route: it was asked for, or it served.
    pub route: Option<String>,
    /// Those that called this deployment.
    pub deployment: Option<String>,
    /// Those that ended so: `ok`, `client_gone`, a class of fault, `failed` for any of these, or `running`.
    pub outcome: Option<String>,
    /// So many at most, the latest first.
    pub limit: usize,
}

impl Query {
    /// How many are listed when nothing is said.
    pub const LIMIT: usize = 50;
    /// The most that are listed.
    pub const MOST: usize = 500;

    fn fits(&self, entry: &Entry, names: &Names) -> bool {
        let is = |wanted: &Option<String>, found: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(found);
        let served = entry.end.as_ref().and_then(|end| end.route);
        let routes = [Some(entry.head.route), served];
        is(&self.route, &|wanted| routes.iter().flatten().any(|route| names.route(*route as usize) == wanted))
            && is(&self.deployment, &|wanted| {
                entry.attempts.iter().any(|tried| names.deployment(tried.deployment) == wanted)
            })
            && is(&self.outcome, &|wanted| match &entry.end {
                None => wanted == "running",
                Some(end) if wanted == "failed" => matches!(end.outcome, Outcome::Failed(_)),
                Some(end) => wanted == end.outcome.name(),
            })
    }
}

/// A name that is asked for and that nothing has.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// `route` or `deployment`.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// The names nearest to it, the best first.
    pub near: Vec<String>,
}

/// What was found of one decision.
#[derive(Debug)]
pub enum Found {
    /// Its record, as JSON.
    Decision(Json),
    /// No core that answered has it; so many did not answer in time.
    Nothing {
        /// Cores that may have it.
        missing: usize,
    },
}

/// A list of decisions.
#[derive(Debug)]
pub struct Listed {
    /// In short, the latest first.
    pub decisions: Vec<Json>,
    /// So many cores did not answer in time.
    pub missing: usize,
}

type Known = (Entry, Arc<Names>);

impl Engine {
    /// The record of one decision, whether its request still runs or has ended. Blocks for as long as the cores take to
    /// look.
    pub fn decision(&self, id: RequestId) -> Found {
        let asked = self.ask(false, move |core| core.decisions.find(id));
        match asked.answers.into_iter().flatten().next() {
            Some((entry, names)) => Found::Decision(shown(&entry, &names)),
            None => Found::Nothing { missing: asked.missing },
        }
    }

    /// What `query` asks for that the present configuration does not know. Records of an earlier one may.
    pub fn unknown(&self, query: &Query) -> Option<Unknown> {
        let names = self.gateway().names.clone();
        let routes: Vec<&str> = names.routes.iter().map(|route| &*route.name).collect();
        let deployments: Vec<&str> = names.deployments.iter().map(|name| &**name).collect();
        let unknown = |what: &'static str, name: &Option<String>, known: Vec<&str>| {
            let name = name.clone().filter(|name| !known.contains(&name.as_str()))?;
            let near = nearest(&name, known).into_iter().map(str::to_owned).collect();
            Some(Unknown { what, name, near })
        };
        unknown("route", &query.route, routes)
            .or_else(|| unknown("deployment", &query.deployment, deployments))
    }

    /// The latest decisions of all cores. Blocks for as long as the cores take to look.
    pub fn decisions(&self, query: Query) -> Listed {
        let limit = query.limit.min(Query::MOST);
        let asked = self.ask(false, move |core| latest(&core.decisions, &query, limit));
        let mut all: Vec<Known> = asked.answers.into_iter().flatten().collect();
        all.sort_by_key(|(entry, _)| Reverse(entry.head.began));
        all.truncate(limit);
        let decisions = all.iter().map(|(entry, names)| shown::in_short(entry, names)).collect();
        Listed { decisions, missing: asked.missing }
    }
}

/// Those of one core that fit, up to so many of each kind.
fn latest(book: &Book, query: &Query, limit: usize) -> Vec<Known> {
    let mut found: Vec<Known> = Vec::new();
    let mut seen = HashSet::new();
    let (mut kind, mut left) = (Kind::Running, limit);
    book.see(|of, entry| {
        if of != kind {
            (kind, left) = (of, limit);
        }
        if left > 0
            && let Some(names) = book.names(entry.head.generation)
            && query.fits(entry, &names)
            && seen.insert(entry.head.id)
        {
            found.push((entry.clone(), names));
            left -= 1;
        }
        left == 0
    });
    found
}
