//! The sections `providers`, `deployments` and `routes`.

use super::listed::{self, Stated};
use super::names::Names;
use super::price::check_price;
use super::rules;
use super::server::{above_zero, optional};
use crate::catalog::{Catalog, Limits};
use crate::config::{
    Answers, Breaker, Continues, Deployment, Fallback, Gauges, HealthCheck, Hedge, Hint, LeadsTo, Otherwise,
    Pool, Provider, Queue, Retries, Route,
};
use crate::file::text::{Named, SecretText};
use crate::file::upstream as file;
use crate::format::duration_text;
use crate::node::{Node, Place, Value};
use crate::problem::{Problem, Spanned, did_you_mean};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use weir_core::timeouts::MinSpeed;
use weir_core::{Causes, Endpoint, ModelClass, Secret, Timeouts};

/// Headers that say how the message itself is framed and where it goes (RFC 9110 §7.2, §7.6.1): setting them by hand would
/// break or smuggle requests.
const FORBIDDEN_HEADERS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];
const MOST_LABELS: usize = 32;
const MOST_KEYS: usize = 64;

pub(super) fn check_providers(
    providers: Named<file::Provider>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Provider> {
    let mut checked = Vec::new();
    for ((name, provider), (_, place)) in providers.0.into_iter().zip(place.entries()) {
        let kind = Spanned { value: provider.kind, at: place.key("kind").at.clone() };
        let base_url =
            provider.base_url.map(|url| Spanned { value: url.0, at: place.key("base_url").at.clone() });
        let api_keys = check_keys(provider.api_key, provider.api_keys, &place, problems);
        let ca = provider.tls.ca.map(PathBuf::from);
        if ca.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            problems.push(place.key("tls").key("ca").problem("the path is empty"));
        }
        let pool = place.key("pool");
        checked.push(Provider {
            name: Arc::from(name),
            kind,
            base_url,
            endpoints: check_endpoints(provider.endpoints.as_deref(), &place.key("endpoints"), problems),
            api_keys,
            headers: check_headers(provider.headers, &place.key("headers"), problems),
            timeouts: check_timeouts(provider.timeouts, &place.key("timeouts"), problems),
            ca,
            pool: Pool {
                idle: optional(provider.pool.idle, &pool.key("idle"), problems),
                max_age: optional(provider.pool.max_age, &pool.key("max_age"), problems),
            },
            health: provider.health.map(|health| check_health(health, &place.key("health"), problems)),
            gauges: check_gauges(provider.gauges, &place.key("gauges"), problems),
            at: place.key_at.clone(),
        });
    }
    checked
}

/// One credential, or several, but not by two keys.
fn check_keys(
    one: Option<SecretText>,
    several: Vec<SecretText>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Secret> {
    let list = place.key("api_keys");
    if one.is_some() && !several.is_empty() {
        problems.push(
            list.key_problem("`api_keys` stands beside `api_key`").with_help("put all into `api_keys`"),
        );
    }
    if several.len() > MOST_KEYS {
        problems.push(list.key_problem(format!("more than {MOST_KEYS} credentials")));
    }
    let stated = one.into_iter().map(|key| (key, place.key("api_key")));
    let mut checked: Vec<Secret> = Vec::new();
    for (SecretText(key), at) in stated.chain(several.into_iter().zip(list.items())) {
        problems.extend(unsendable(&key, &at));
        if checked.iter().any(|known| known.expose() == key.expose()) {
            problems.push(at.problem("the same credential is there twice"));
        } else if !key.is_empty() {
            checked.push(key);
        }
    }
    checked
}

fn check_headers(
    headers: Named<SecretText>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<(String, Secret)> {
    let mut checked: Vec<(String, Secret)> = Vec::new();
    for ((written, value), (_, place)) in headers.0.into_iter().zip(place.entries()) {
        let name = written.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            problems.push(place.key_problem(format!("{written:?} cannot be the name of a header")));
        } else if FORBIDDEN_HEADERS.contains(&name.as_str()) {
            problems.push(
                place.key_problem(format!("the header {written:?} is set by the connection, not by hand")),
            );
        } else if checked.iter().any(|(known, _)| *known == name) {
            problems.push(place.key_problem(format!("the header {written:?} is there twice")));
        }
        problems.extend(unsendable(&value.0, &place));
        checked.push((name, value.0));
    }
    checked
}

/// A token of RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A value that cannot stand in a header: line ends would begin another one.
fn unsendable(value: &Secret, place: &Place<'_>) -> Option<Problem> {
    let fits = value.expose().bytes().all(|b| b.is_ascii_graphic() || b == b' ' || b == b'\t');
    (!fits).then(|| {
        place.problem("the value holds line ends or characters that are not ASCII; no header can carry it")
    })
}

fn check_timeouts(timeouts: file::Timeouts, place: &Place<'_>, problems: &mut Vec<Problem>) -> Timeouts {
    let checked = Timeouts {
        connect: optional(timeouts.connect, &place.key("connect"), problems),
        first_byte: optional(timeouts.first_byte, &place.key("first_byte"), problems),
        hold: optional(timeouts.hold, &place.key("hold"), problems),
        idle: optional(timeouts.idle, &place.key("idle"), problems),
        total: optional(timeouts.total, &place.key("total"), problems),
        min_speed: timeouts.min_speed.map(|speed| {
            above_zero(speed.over.0, &place.key("min_speed").key("over"), problems);
            MinSpeed { tokens_per_second: speed.tokens_per_second, over: speed.over.0 }
        }),
    };
    if let Some(total) = checked.total.filter(|total| !total.is_zero()) {
        for (key, phase) in phases(&checked) {
            if phase.is_some_and(|phase| phase > total) {
                let message =
                    format!("longer than the total of {}, so it never passes", duration_text(total));
                problems.push(place.key(key).problem(message));
            }
        }
    }
    checked
}

fn phases(timeouts: &Timeouts) -> [(&'static str, Option<Duration>); 4] {
    let Timeouts { connect, first_byte, hold, idle, .. } = *timeouts;
    [("connect", connect), ("first_byte", first_byte), ("hold", hold), ("idle", idle)]
}

/// Where a route sets no total, a request ends at the default one; what is longer never passes either.
pub(super) fn check_totals(
    routes: &[Route],
    deployments: &[Deployment],
    providers: &[Provider],
    root: &Place<'_>,
    problems: &mut Vec<Problem>,
) {
    for route in routes.iter().filter(|route| route.timeouts.total.is_none()) {
        let used = route.members().filter_map(|index| deployments.get(index));
        for deployment in used {
            let Some(provider) = providers.get(deployment.provider) else { continue };
            let levels = [
                ("routes", &route.name, route.timeouts),
                ("deployments", &deployment.name, deployment.timeouts),
                ("providers", &provider.name, provider.timeouts),
            ];
            for (section, name, timeouts) in levels {
                let limits = phases(&timeouts).into_iter().chain([("total", timeouts.total)]);
                for (key, _) in limits.filter(|(_, limit)| limit.is_some_and(|l| l > Timeouts::TOTAL)) {
                    let total = duration_text(Timeouts::TOTAL);
                    let place = root.key(section).key(name).key("timeouts").key(key);
                    let message = format!("longer than the total of {total}, so it never passes");
                    let help = match section {
                        "routes" => "set `total` beside it",
                        _ => "set `total` at every route that leads here",
                    };
                    problems.push(place.problem(message).with_help(help));
                }
            }
        }
    }
}

fn check_health(health: file::HealthCheck, place: &Place<'_>, problems: &mut Vec<Problem>) -> HealthCheck {
    if let Some(path) = &health.path {
        check_path(path, &place.key("path"), problems);
    }
    check_interval(health.interval.0, &place.key("interval"), problems);
    let probe = health.probe.map(|value| Spanned { value, at: place.key("probe").at.clone() });
    match probe.as_ref().map(|probe| probe.value == "path") {
        Some(true) if health.path.is_none() => {
            problems.push(place.key("probe").problem("the probe `path` needs a `path` beside it"));
        }
        Some(false) if health.path.is_some() => {
            let problem = place.key("path").problem("only the probe `path` asks for a path");
            problems.push(problem.with_help("leave `probe` or `path` out"));
        }
        _ => {}
    }
    HealthCheck { probe, path: health.path, interval: health.interval.0 }
}

fn check_gauges(gauges: Option<file::Gauges>, place: &Place<'_>, problems: &mut Vec<Problem>) -> Gauges {
    let Some(gauges) = gauges else { return Gauges::default() };
    check_path(&gauges.path, &place.key("path"), problems);
    check_interval(gauges.interval.0, &place.key("interval"), problems);
    Gauges { enabled: Some(gauges.enabled), path: gauges.path, interval: gauges.interval.0 }
}

fn check_path(path: &str, place: &Place<'_>, problems: &mut Vec<Problem>) {
    if !path.starts_with('/') || !path.bytes().all(|b| b.is_ascii_graphic()) {
        problems.push(place.problem("must begin with / and hold no spaces"));
    }
}

fn check_interval(interval: Duration, place: &Place<'_>, problems: &mut Vec<Problem>) {
    if interval < HealthCheck::LEAST_INTERVAL {
        let least = duration_text(HealthCheck::LEAST_INTERVAL);
        problems.push(place.problem(format!("must be at least {least}")));
    }
}

/// What deployments are made with.
#[derive(Clone, Copy)]
pub(super) struct Above<'a> {
    pub(super) providers: &'a [Provider],
    pub(super) catalog: &'a Catalog,
}

pub(super) fn check_deployments(
    deployments: Named<file::Deployment>,
    place: &Place<'_>,
    names: &Names<'_>,
    above: &Above<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Deployment> {
    let mut checked = Vec::new();
    for ((name, deployment), (_, place)) in deployments.0.into_iter().zip(place.entries()) {
        let provider = found(names.providers.find(&deployment.provider, &place.key("provider")), problems);
        if deployment.model.is_empty() || deployment.model.len() > 256 {
            problems.push(place.key("model").problem("a model's name has 1 to 256 characters"));
        }
        let of = above.providers.get(provider);
        let provider_health = || of.and_then(|provider| provider.health.clone());
        check_breaker(&deployment.breaker, &place.key("breaker"), problems);
        let stated = stated(&deployment, &place, problems);
        let facts = listed::facts(&deployment, stated, of, above.catalog, &place, problems);
        let health = deployment.health.map(|health| check_health(health, &place.key("health"), problems));
        let model: Arc<str> = Arc::from(deployment.model);
        checked.push(Deployment {
            name: Arc::from(name),
            provider,
            same_as: deployment.same_as.map_or_else(|| model.clone(), Arc::from),
            continues: check_continues(deployment.continues.as_deref(), &place.key("continues"), problems),
            model,
            pricing: facts.pricing,
            quality: deployment.quality,
            weight: deployment.weight,
            max_concurrency: deployment.max_concurrency,
            learns_concurrency: deployment.learns_concurrency,
            timeouts: check_timeouts(deployment.timeouts, &place.key("timeouts"), problems),
            labels: check_labels(deployment.labels, &place.key("labels"), problems),
            classes: facts.classes,
            capabilities: facts.capabilities,
            context_window: facts.limits.context_window,
            max_input: facts.limits.max_input,
            max_output: facts.limits.max_output,
            listed: facts.listed,
            health: health.or_else(provider_health),
            breaker: Breaker::from(&deployment.breaker),
            at: place.key_at.clone(),
        });
    }
    checked
}

/// What a deployment says itself of what the catalogue could say, too.
fn stated(deployment: &file::Deployment, place: &Place<'_>, problems: &mut Vec<Problem>) -> Stated {
    let price = deployment.price.as_ref();
    Stated {
        pricing: price.map(|price| check_price(price, &place.key("price"), problems)),
        classes: deployment.class.as_ref().map(|all| all.as_slice().iter().map(|class| class.0).collect()),
        capabilities: deployment.capabilities.as_ref().map(|all| all.iter().map(|need| need.0).collect()),
        limits: Limits {
            context_window: deployment.context_window,
            max_input: deployment.max_input,
            max_output: deployment.max_output,
        },
    }
}

fn check_breaker(breaker: &file::Breaker, place: &Place<'_>, problems: &mut Vec<Problem>) {
    above_zero(breaker.cooldown.0, &place.key("cooldown"), problems);
    let slow = place.key("slow");
    for (key, limit) in
        [("first_token_p95", &breaker.slow.first_token_p95), ("total_p95", &breaker.slow.total_p95)]
    {
        if let Some(limit) = limit {
            above_zero(limit.0, &slow.key(key), problems);
        }
    }
}

fn check_continues(stated: Option<&str>, place: &Place<'_>, problems: &mut Vec<Problem>) -> Continues {
    let Some(stated) = stated else { return Continues::default() };
    let known = Continues::NAMES.iter().find(|(name, _)| *name == stated);
    if known.is_none() {
        let known: Vec<&str> = Continues::NAMES.iter().map(|(name, _)| *name).collect();
        let problem = place.problem(format!("{} is no way to complete an answer", place.shown()));
        problems.push(problem.with_help(format!("known: {}", known.join(", "))));
    }
    known.map(|(_, continues)| *continues).unwrap_or_default()
}

/// The index that a name leads to; any index when it leads nowhere, since then there is no configuration.
fn found(index: Result<usize, Problem>, problems: &mut Vec<Problem>) -> usize {
    index.unwrap_or_else(|problem| {
        problems.push(problem);
        usize::MAX
    })
}

fn check_labels(
    labels: Named<String>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<(Arc<str>, Arc<str>)> {
    if labels.0.len() > MOST_LABELS {
        problems.push(place.key_problem(format!("more than {MOST_LABELS} labels")));
    }
    let mut checked = Vec::new();
    for ((name, value), (_, place)) in labels.0.into_iter().zip(place.entries()) {
        let is_name = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !is_name {
            let problem = place.key_problem(format!("{name:?} cannot be the name of a label"));
            problems.push(problem.with_help("1 to 64 letters, digits and . _ -"));
        }
        if value.len() > 128 || value.chars().any(char::is_control) {
            problems.push(place.problem("a label's value has at most 128 bytes and no line ends"));
        }
        checked.push((Arc::from(name), Arc::from(value)));
    }
    checked
}

pub(super) fn check_routes(
    routes: Named<file::Route>,
    place: &Place<'_>,
    names: &Names<'_>,
    deployments: &[Deployment],
    problems: &mut Vec<Problem>,
) -> Vec<Route> {
    if place.names().is_empty() {
        let problem = place.key_problem("there are no routes, so no model could be served");
        problems.push(problem.with_help("add one: routes: { NAME: { deployments: [DEPLOYMENT] } }"));
    }
    let mut checked = Vec::new();
    for ((name, route), (_, place)) in routes.0.into_iter().zip(place.entries()) {
        let (policy, settings) = policy_of(&place);
        let fallbacks = check_fallbacks(&route.fallbacks, &place.key("fallbacks"), names, problems);
        let pools = rules::check_pools(&route.pools, &place.key("pools"), names, deployments, problems);
        let rules = rules::check_rules(&route.rules, &place, names, problems);
        let own = check_own(&name, route.deployments.as_deref(), &place, names, deployments, problems);
        let most = pools.iter().map(|pool| pool.deployments.len()).chain([own.len()]).max();
        checked.push(Route {
            deployments: own,
            pools,
            rules,
            fallbacks,
            panic_percent: route.panic_percent,
            only: check_only(&route.require, &place.key("require").key("deployments"), names, problems),
            require: check_require(route.require, &place.key("require").key("labels"), problems),
            hints: check_hints(route.hints.as_deref(), &place.key("hints"), problems),
            retries: check_retries(&route.retries, most, &place.key("retries"), problems),
            queue: check_queue(&route.queue, &place.key("queue"), problems),
            hedge: route.hedge.map(|hedge| Hedge { after: hedge.after.0, extra_percent: hedge.extra.0 }),
            answers: check_answers(&route.answers, &place.key("answers"), problems),
            drop_params: route.drop_params,
            timeouts: check_timeouts(route.timeouts, &place.key("timeouts"), problems),
            aliases: route.aliases.into_iter().map(Arc::from).collect(),
            name: Arc::from(name),
            is_written: true,
            policy,
            settings,
            at: place.key_at.clone(),
        });
        let Some(route) = checked.last() else { continue };
        problems.extend(nobody_allowed(route, deployments, &place.key("require")));
    }
    check_cycles(&checked, place, names, problems);
    add_classes(&mut checked, names, deployments, place);
    checked
}

/// A route's own deployments. A route that is named after a class may leave them to that.
fn check_own(
    route: &str,
    stated: Option<&[file::Target]>,
    place: &Place<'_>,
    names: &Names<'_>,
    deployments: &[Deployment],
    problems: &mut Vec<Problem>,
) -> Vec<(usize, u32)> {
    if let Some(stated) = stated {
        return check_targets(stated, &place.key("deployments"), names, deployments, problems);
    }
    if place.key("deployments").has_broken() {
        return Vec::new(); // has been told
    }
    let Some(class) = ModelClass::ALL.into_iter().find(|class| class.model() == route) else {
        let problem = place.key_problem("\"deployments\" is missing");
        problems.push(problem.with_help("as in `deployments: [gpt-4o-mini-eu, { name: other, weight: 2 }]`"));
        return Vec::new();
    };
    let members = of_class(class, names, deployments);
    if members.iter().all(|(_, weight)| *weight == 0) {
        let message = format!("no deployment of a weight above 0 is of the class {:?}", class.name());
        let help = format!("say `class: {}` at one, or list `deployments` here", class.name());
        problems.push(place.key_problem(message).with_help(help));
    }
    members
}

/// The deployments of a class, each with its own weight.
fn of_class(class: ModelClass, names: &Names<'_>, deployments: &[Deployment]) -> Vec<(usize, u32)> {
    let of_class = deployments.iter().filter(|deployment| deployment.classes.contains(&class));
    of_class.filter_map(|known| Some((names.deployments.index_of(&known.name)?, known.weight))).collect()
}

/// A route for each class of deployments that no route is named after.
fn add_classes(routes: &mut Vec<Route>, names: &Names<'_>, deployments: &[Deployment], place: &Place<'_>) {
    for class in ModelClass::ALL {
        let members = of_class(class, names, deployments);
        if names.means_something(class.model()) || members.iter().all(|(_, weight)| *weight == 0) {
            continue;
        }
        let count = members.len();
        routes.push(Route {
            name: Arc::from(class.model()),
            is_written: false,
            aliases: Vec::new(),
            policy: Spanned { value: Route::POLICY.to_owned(), at: place.at.clone() },
            settings: Node::empty_map(place.at.clone()),
            deployments: members,
            pools: Vec::new(),
            rules: Vec::new(),
            fallbacks: Vec::new(),
            panic_percent: Route::PANIC_PERCENT,
            require: Vec::new(),
            only: Vec::new(),
            hints: Route::HINTS.to_vec(),
            retries: Retries { max: Retries::usual(count), ..Retries::default() },
            queue: Queue::default(),
            hedge: None,
            answers: Answers::default(),
            drop_params: true,
            timeouts: Timeouts::default(),
            at: place.key_at.clone(),
        });
    }
}

fn check_require(
    require: file::Require,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
    let mut checked = Vec::new();
    for ((name, values), (_, place)) in require.labels.0.into_iter().zip(place.entries()) {
        let values: Vec<Arc<str>> = values.as_slice().iter().map(|value| Arc::from(value.as_str())).collect();
        if values.is_empty() {
            problems.push(place.problem("an empty list lets nobody through"));
        }
        checked.push((Arc::from(name), values));
    }
    checked
}

/// The deployments that alone may serve what a route is asked for.
fn check_only(
    require: &file::Require,
    place: &Place<'_>,
    names: &Names<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let Some(stated) = &require.deployments else { return Vec::new() };
    if stated.is_empty() && !place.has_broken() {
        problems.push(place.problem("an empty list lets nobody through"));
    }
    problems.extend(repeated(stated, place));
    let items = stated.iter().zip(place.items());
    items.map(|(name, place)| found(names.deployments.find(name, &place), problems)).collect()
}

/// A route that requires what none of its deployments has.
fn nobody_allowed(route: &Route, deployments: &[Deployment], place: &Place<'_>) -> Option<Problem> {
    let known = |index: usize| deployments.get(index).map(|deployment| (index, deployment));
    let mut members = route.members().filter_map(known).peekable();
    let told = route.require.iter().any(|(_, values)| values.is_empty()) || route.only.contains(&usize::MAX);
    if told || members.peek().is_none() || members.any(|(index, deployment)| route.allows(index, deployment))
    {
        return None;
    }
    if !route.only.is_empty() && route.members().all(|index| !route.only.contains(&index)) {
        let message = "none of these is a deployment of this route, so it could serve nothing";
        return Some(place.key("deployments").problem(message));
    }
    let mut problem = place
        .key("labels")
        .problem("no deployment of this route has these labels, so it could serve nothing");
    let known = || deployments.iter().flat_map(|d| &d.labels).map(|(name, _)| &**name);
    let unknown = route.require.iter().find(|(name, _)| known().all(|label| label != &**name));
    problem.help = unknown.and_then(|(name, _)| did_you_mean(name, "labels", known()));
    Some(problem)
}

fn check_fallbacks(
    fallbacks: &[file::Fallback],
    place: &Place<'_>,
    names: &Names<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Fallback> {
    let mut seen = HashSet::new();
    let mut checked = Vec::new();
    for (fallback, item) in fallbacks.iter().zip(place.items()) {
        let at = match fallback {
            file::Fallback::Name(_) => item,
            file::Fallback::For(_) => item.key("route"),
        };
        if !seen.insert(fallback.name()) {
            problems.push(at.problem(format!("{} is there twice", at.shown())));
        }
        let on = fallback.on().map(|on| Causes::of(on.iter().map(|cause| cause.0)));
        let route = found(names.find_route(fallback.name(), &at), problems);
        checked.push(Fallback { route, on: on.unwrap_or(Causes::USUAL) });
    }
    checked
}

/// The policy's name and its settings: the map without `kind`.
pub(super) fn policy_of(route: &Place<'_>) -> (Spanned<String>, Node) {
    let place = route.key("policy");
    let named = |value: &str, place: &Place<'_>| Spanned { value: value.to_owned(), at: place.at.clone() };
    match place.node {
        Some(node) if node.get("kind").is_some() => {
            let kind = place.key("kind");
            let entries = node.entries().iter().filter(|(name, _)| name.value != "kind").cloned().collect();
            let settings = Node { value: Value::Map(entries), at: node.at.clone() };
            (named(kind.node.and_then(Node::text).unwrap_or_default(), &kind), settings)
        }
        node => {
            let name = node.and_then(Node::text).unwrap_or(Route::POLICY);
            (named(name, &place), Node::empty_map(place.at.clone()))
        }
    }
}

pub(super) fn check_targets(
    targets: &[file::Target],
    place: &Place<'_>,
    names: &Names<'_>,
    deployments: &[Deployment],
    problems: &mut Vec<Problem>,
) -> Vec<(usize, u32)> {
    if targets.is_empty() && !place.has_broken() {
        problems.push(place.problem("a route needs at least one deployment"));
    }
    let mut checked: Vec<(usize, u32)> = Vec::new();
    let mut dangling = false;
    for (target, item) in targets.iter().zip(place.items()) {
        let named = match target {
            file::Target::Name(_) => item,
            file::Target::Weighted(_) => item.key("name"),
        };
        match names.deployments.find(target.name(), &named) {
            Ok(index) if checked.iter().any(|(known, _)| *known == index) => {
                problems.push(named.problem(format!("the deployment {} is there twice", named.shown())));
            }
            Ok(index) => {
                let own = deployments.iter().find(|known| *known.name == *target.name());
                let weight = target.weight().or(own.map(|own| own.weight));
                checked.push((index, weight.unwrap_or(Deployment::WEIGHT)));
            }
            Err(problem) => {
                problems.push(problem);
                dangling = true;
            }
        }
    }
    let all_zero = !checked.is_empty() && checked.iter().all(|(_, weight)| *weight == 0);
    if all_zero && !dangling && !place.has_broken() {
        problems.push(place.problem("the weights of all deployments are zero"));
    }
    checked
}

fn check_endpoints(
    names: Option<&[String]>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Endpoint>> {
    let names = names?;
    problems.extend(repeated(names, place));
    if names.is_empty() && !place.has_broken() {
        problems.push(place.problem("a server without any operation is of no use"));
    }
    let mut checked = Vec::new();
    for (name, at) in names.iter().zip(place.items()) {
        if let Some(endpoint) = Endpoint::by_name(name) {
            checked.push(endpoint);
        } else {
            let mut problem = at.problem(format!("no operation is called {}", at.shown()));
            problem.help = did_you_mean(name, "operations", Endpoint::ALL.iter().map(|known| known.name()));
            problems.push(problem);
        }
    }
    Some(checked)
}

fn check_hints(hints: Option<&[String]>, place: &Place<'_>, problems: &mut Vec<Problem>) -> Vec<Hint> {
    let Some(hints) = hints else { return Route::HINTS.to_vec() };
    problems.extend(repeated(hints, place));
    let mut checked = Vec::new();
    for (name, at) in hints.iter().zip(place.items()) {
        if let Some(hint) = Hint::ALL.into_iter().find(|hint| hint.name() == name) {
            checked.push(hint);
        } else {
            let mut problem = at.problem(format!("no hint is called {}", at.shown()));
            problem.help = did_you_mean(name, "hints", Hint::ALL.iter().map(|hint| hint.name()));
            problems.push(problem);
        }
    }
    checked
}

fn repeated(names: &[String], place: &Place<'_>) -> Vec<Problem> {
    let mut seen = HashSet::new();
    let items = names.iter().zip(place.items());
    items
        .filter(|(name, _)| !seen.insert(name.as_str()))
        .map(|(_, at)| at.problem(format!("{} is there twice", at.shown())))
        .collect()
}

fn check_retries(
    retries: &file::Retries,
    most: Option<usize>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Retries {
    if retries.base.0 > retries.cap.0 && !place.has_broken() {
        let key = if place.key("base").node.is_some() { "base" } else { "cap" };
        let (base, cap) = (duration_text(retries.base.0), duration_text(retries.cap.0));
        problems.push(place.key(key).problem(format!("base ({base}) is longer than cap ({cap})")));
    }
    Retries {
        max: retries.max.unwrap_or_else(|| Retries::usual(most.unwrap_or_default())),
        base: retries.base.0,
        cap: retries.cap.0,
        retry_after_max: retries.retry_after_max.0,
    }
}

fn check_queue(queue: &file::Queue, place: &Place<'_>, problems: &mut Vec<Problem>) -> Queue {
    above_zero(queue.max_wait.0, &place.key("max_wait"), problems);
    Queue { max_wait: queue.max_wait.0, max_waiting: queue.max_waiting }
}

fn check_answers(answers: &file::Answers, place: &Place<'_>, problems: &mut Vec<Problem>) -> Answers {
    let stated = &answers.otherwise;
    let otherwise = Otherwise::ALL.into_iter().find(|known| known.name() == stated);
    if otherwise.is_none() {
        let at = place.key("otherwise");
        let mut problem = at.problem(format!("{} is nothing a client could get", at.shown()));
        problem.help = did_you_mean(stated, "values", Otherwise::ALL.iter().map(|known| known.name()));
        problems.push(problem);
    }
    Answers {
        empty: answers.empty,
        json: answers.json,
        refusal: answers.refusal,
        min_output_tokens: answers.min_output_tokens,
        buffer: answers.buffer,
        otherwise: otherwise.unwrap_or_default(),
    }
}

/// Reports every fallback and every rule that leads back to a route on the way to it.
fn check_cycles(routes: &[Route], place: &Place<'_>, names: &Names<'_>, problems: &mut Vec<Problem>) {
    // Indices are those of the names; routes with problems of their own are left out of `routes`, hence by name.
    let route = |index: usize| routes.iter().find(|route| names.routes.index_of(&route.name) == Some(index));
    let mut done: HashSet<usize> = HashSet::new();
    for start in 0..names.routes.len() {
        // Depth first without recursion: the way from `start`, with the next fallback to look at on each step.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((index, next)) = way.last_mut() {
            let (index, step) = (*index, *next);
            *next += 1;
            match route(index).and_then(|route| ways(route).nth(step)) {
                None => {
                    done.insert(index);
                    way.pop();
                }
                // A rule that leads to a pool leads nowhere else.
                Some(None) => {}
                Some(Some(to)) if done.contains(&to) => {}
                Some(Some(to)) => {
                    if let Some(first) = way.iter().position(|(known, _)| *known == to) {
                        let cycle = way.iter().skip(first).map(|(known, _)| *known).chain([to]);
                        let cycle: Vec<&str> = cycle.map(|known| names.routes.name(known)).collect();
                        let from = place.key(names.routes.name(index));
                        let own = route(index).map_or(0, |route| route.fallbacks.len());
                        let (list, what, step) = match step.checked_sub(own) {
                            None => ("fallbacks", "fallbacks", step),
                            Some(rule) => ("rules", "rules", rule),
                        };
                        let list = from.key(list);
                        let at = list.items().into_iter().nth(step).unwrap_or(list);
                        problems
                            .push(at.problem(format!("{what} go round in a circle: {}", cycle.join(" → "))));
                    } else {
                        way.push((to, 0));
                    }
                }
            }
        }
    }
}

/// Where a route may lead: its fallbacks, then its rules in their order.
fn ways(route: &Route) -> impl Iterator<Item = Option<usize>> + '_ {
    let rules = route.rules.iter().map(|rule| match rule.leads_to {
        LeadsTo::Route(to) => Some(to),
        LeadsTo::Pool(_) => None,
    });
    route.fallbacks.iter().map(|fallback| Some(fallback.route)).chain(rules)
}
