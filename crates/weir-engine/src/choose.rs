//! Which pool of which route serves a call, by the rules of the routes on the way.

use crate::decision::Step;
use crate::gateway::{Gateway, LeadsTo};
use crate::hints::Hints;
use crate::record::Record;
use bytes::Bytes;
use smallvec::SmallVec;
use std::cell::OnceCell;
use weir_routing::fit::Size;
use weir_routing::rules::{Derived, Facts, Fields, Wanted};
use weir_wire::Headers;
use weir_wire::call::{CallFacts, Prompt};

/// So many bytes of what the user wrote are looked at.
const MOST_TEXT: usize = 64 << 10;
/// Bytes of text for one token, and tokens for one image: what English and common image sizes come to, as far as can be
/// said without the model's own tokenizer.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
const TOKENS_PER_IMAGE: u64 = 800;

/// A pool, and the route it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) route: usize,
    pub(crate) pool: usize,
    /// What keeps the call with earlier ones there: a hash.
    pub(crate) session: Option<u64>,
    /// Its number among the places of the call.
    nth: usize,
}

impl Place {
    pub(crate) fn new(route: usize, pool: usize) -> Self {
        Place { route, pool, session: None, nth: 0 }
    }
}

/// Where a call is to be served.
pub(crate) struct Chosen {
    /// The route of the model that was asked for.
    pub(crate) asked: usize,
    /// How the rules led from there to the first place.
    pub(crate) steps: SmallVec<[Step; 1]>,
    /// First of all, and then by each of that route's fallbacks, in their order.
    pub(crate) places: SmallVec<[Place; 2]>,
    /// What deployments are held against; `None` when none of them states anything.
    pub(crate) size: Option<Size>,
    /// The prompt's tokens, estimated: from its text and images when rules or deployments had it looked at, else from its
    /// bytes as written, so that a request nobody is choosy about is not read twice.
    pub(crate) prompt_tokens: u64,
    /// Routes on the way that require labels of deployments, each with the number of the place it leads to.
    required: SmallVec<[(usize, usize); 1]>,
}

impl Chosen {
    /// Whether somebody is kept out by labels.
    pub(crate) fn requires_labels(&self) -> bool {
        !self.required.is_empty()
    }

    /// Whether a deployment has the labels to serve the call in this place: those that the route it names requires, and
    /// the routes its rules lead through, hold in its fallbacks, too.
    pub(crate) fn allows(&self, gateway: &Gateway, place: Place, deployment: usize) -> bool {
        self.required.iter().filter(|(nth, _)| *nth == 0 || *nth == place.nth).all(|(_, route)| {
            let allows = gateway.routes.get(*route).and_then(|route| route.allows.as_deref());
            allows.is_none_or(|allows| allows.get(deployment).copied().unwrap_or(false))
        })
    }
}

/// Follows the rules from the route of the model that was asked for.
pub(crate) fn choose(
    record: &Record,
    route: usize,
    call: &CallFacts,
    body: &Bytes,
    headers: &Headers,
    hints: &Hints,
) -> Chosen {
    let gateway = &*record.snapshot.gateway;
    let looked = Looked::new(record, call, body, headers, hints);
    let (mut steps, mut required) = (SmallVec::new(), SmallVec::new());
    let first = looked.follow(gateway, route, 0, &mut required, |step| steps.push(step));
    let fallbacks = gateway.routes.get(first.route).map_or(&[][..], |route| &route.fallbacks);
    let fallbacks = (1..).zip(fallbacks).map(|(nth, fallback)| Place {
        nth,
        ..looked.follow(gateway, fallback.route, nth, &mut required, |_| {})
    });
    let places: SmallVec<[Place; 2]> = std::iter::once(first).chain(fallbacks).collect();
    let stated = places.iter().filter_map(|place| gateway.pools.get(place.pool)).any(|pool| pool.states);
    let size = stated.then(|| looked.size());
    let written = call.prompt_bytes as u64 / BYTES_PER_TOKEN;
    let prompt_tokens = looked.prompt.get().map_or(written, |_| looked.tokens());
    Chosen { asked: route, steps, places, size, prompt_tokens, required }
}

/// One call, and what is found out about it as it is asked for.
pub(crate) struct Looked<'a> {
    record: &'a Record,
    call: &'a CallFacts,
    body: &'a Bytes,
    headers: &'a Headers,
    /// What the client says of it by itself.
    hints: &'a Hints,
    prompt: OnceCell<Prompt>,
}

impl<'a> Looked<'a> {
    pub(crate) fn new(
        record: &'a Record,
        call: &'a CallFacts,
        body: &'a Bytes,
        headers: &'a Headers,
        hints: &'a Hints,
    ) -> Self {
        Looked { record, call, body, headers, hints, prompt: OnceCell::new() }
    }

    /// The place that a route's rules lead to; `told` learns of each route whose rules were asked, and `required` of each
    /// that requires labels. No route is met twice: the configuration has no circles.
    fn follow(
        &self,
        gateway: &Gateway,
        mut route: usize,
        nth: usize,
        required: &mut SmallVec<[(usize, usize); 1]>,
        mut told: impl FnMut(Step),
    ) -> Place {
        // Bounded all the same, by what is checked elsewhere.
        for _ in 0..=gateway.routes.len() {
            let Some(here) = gateway.routes.get(route) else { break };
            if here.allows.is_some() {
                required.push((nth, route));
            }
            let own = Place::new(route, here.pool);
            let Some(choice) = &here.choice else { return own };
            let won = self.with_facts(gateway, &choice.rules, |facts| choice.rules.first(facts));
            let place = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
            told(Step { route: place(route), rule: won.map(place) });
            match won.and_then(|rule| choice.leads_to.get(rule)) {
                None => return own,
                Some(LeadsTo::Pool(pool)) => return Place::new(route, *pool),
                Some(LeadsTo::Route(to)) => route = *to,
            }
        }
        Place::new(route, gateway.routes.get(route).map_or(0, |route| route.pool))
    }

    /// Gathers what these rules look at.
    pub(crate) fn with_facts<T>(
        &self,
        gateway: &Gateway,
        rules: &weir_routing::rules::Rules,
        decide: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        let mut scratch = self.record.core.scratch.take();
        let mut latest = 0;
        if rules.wants_text() {
            let (prompt, at) = self.call.user_text(self.body, MOST_TEXT, &mut scratch);
            self.prompt.get_or_init(|| prompt);
            latest = at;
        } else {
            scratch.clear();
        }
        let looked = rules.wants_prompt();
        let decided = decide(&Facts {
            prompt_tokens: if looked { self.tokens() } else { 0 },
            output_tokens: self.call.max_tokens,
            needs: if looked { self.prompt().needs } else { self.call.needs },
            turns: if looked { self.prompt().turns } else { 0 },
            text: &scratch,
            latest: scratch.get(latest..).unwrap_or_default(),
            stated_task: self.hints.task,
            regions: self.hints.regions.as_deref(),
            key: self.record.key.map(|key| gateway.keys.name(key)),
            unix_seconds: self.record.unix_seconds(),
            fields: self,
            derived: Derived::default(),
        });
        self.record.core.scratch.replace(scratch);
        decided
    }

    fn prompt(&self) -> &Prompt {
        self.prompt.get_or_init(|| self.call.prompt(self.body))
    }

    /// The prompt's tokens, estimated. Images count by their number, not by their bytes.
    fn tokens(&self) -> u64 {
        let prompt = self.prompt();
        let none = prompt.text_bytes == 0 && prompt.images == 0;
        let bytes = if none { self.call.prompt_bytes } else { prompt.text_bytes };
        bytes as u64 / BYTES_PER_TOKEN + u64::from(prompt.images) * TOKENS_PER_IMAGE
    }

    /// What deployments are held against.
    pub(crate) fn size(&self) -> Size {
        Size { needs: self.prompt().needs, prompt_tokens: self.tokens(), output_tokens: self.call.max_tokens }
    }
}

impl Fields for Looked<'_> {
    fn header(&self, name: &str, wanted: &Wanted) -> bool {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| value.trim_ascii()).any(|value| wanted.is(value))
    }

    fn metadata(&self, key: &str, wanted: &Wanted) -> bool {
        self.call.metadata(self.body, key, &mut |value| wanted.is(value))
    }
}
