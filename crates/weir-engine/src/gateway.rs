//! The compiled snapshot: what a checked configuration becomes. Immutable; a request takes it once and keeps it.

mod cloud;
mod doubts;
mod rules;

use crate::authenticate::KeyTable;
use crate::decision::Names;
use crate::deployment::{Deployment, Provider};
use crate::tokens::Kept;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use weir_config::{
    Config, Continues, Draft, Fallback, HedgeAfter, Node, Problem, Problems, Span, Spanned, path_key,
};
use weir_core::nearest::nearest;
use weir_core::text::ByName;
use weir_core::{Class, Endpoint, Fault, Need, Needs, Timeouts};
use weir_net::{Origin, OriginError, OriginSettings};
use weir_provider::{Prefills, Probe};
use weir_routing::fit::Takes;
use weir_routing::hedge::{After, Hedge};
use weir_routing::retry_budget::Floor;
use weir_routing::{Compiled, Credential, Health, HealthBook, Member, Rules, breaker, health, slow};
use weir_wire::models::ModelCard;

/// The plug-ins a configuration may name.
#[derive(Clone, Copy)]
pub struct Rosters {
    /// What `routes.<name>.policy` may name; the first is the default.
    pub policies: &'static [&'static weir_routing::Kind],
}

impl Rosters {
    /// Everything that Weir brings along.
    pub const BUILT_IN: Rosters = Rosters { policies: weir_routing::POLICIES };
}

/// What the configuration says about serving itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits of the public listener.
    pub limits: weir_config::Limits,
    /// Cross-origin rules, when there are any.
    pub cors: Option<weir_config::Cors>,
    /// Which optional response headers are sent.
    pub headers: weir_config::ResponseHeaders,
    /// How many records of decisions are kept.
    pub decisions: weir_config::Decisions,
}

/// A route of the snapshot.
pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    /// The pool of its own deployments.
    pub(crate) pool: usize,
    /// What chooses another pool or route.
    pub(crate) choice: Option<Box<Choice>>,
    /// Which deployments have the labels that it requires, by their places; `None` when it requires none.
    pub(crate) allows: Option<Box<[bool]>>,
    /// What a request that names it may ask for by headers.
    pub(crate) hints: Vec<weir_config::Hint>,
    /// The routes to go on to, in order; their own fallbacks are not followed.
    pub(crate) fallbacks: Vec<Fallback>,
    pub(crate) rules: Rules,
    /// How long, and how many, wait for a place.
    pub(crate) queue: weir_config::Queue,
    pub(crate) queue_counts: crate::queue::Counts,
    /// Which answers are of no use.
    pub(crate) answers: weir_config::Answers,
    /// Whether what a deployment's format has no place for is left out of a call.
    pub(crate) drop_params: bool,
    pub(crate) timeouts: Timeouts,
    /// When a second call is made beside one that is slow.
    pub(crate) hedge: Option<Hedge>,
    /// Sixteenths of a token of the usual answer; zero before the first.
    usual_output: AtomicU32,
    /// The part of its retry budget that all cores share.
    pub(crate) retry_floor: Floor,
}

impl Route {
    /// An answer of so many tokens has come: it counts for a sixteenth of the mean, the first for all of it.
    pub(crate) fn answered(&self, output: u64) {
        let output = u32::try_from(output).unwrap_or(u32::MAX).min(1 << 24);
        let mean =
            |known: u32| Some(if known == 0 { output * 16 } else { known - known.div_ceil(16) + output });
        let _ = self.usual_output.fetch_update(Relaxed, Relaxed, mean); // the function never declines
    }

    /// Tokens of the usual answer, once there was one.
    pub(crate) fn usual_output(&self) -> Option<u32> {
        Some(self.usual_output.load(Relaxed)).filter(|known| *known > 0).map(|known| known.div_ceil(16))
    }
}

/// Deployments that one policy orders.
pub(crate) struct Pool {
    /// Its place in the configuration, which is unlike that of any other.
    pub(crate) name: String,
    pub(crate) policy: Compiled,
    pub(crate) members: Vec<Member>,
    /// When breakers keep out more of a hundred of them, they are not kept to.
    pub(crate) panic_percent: u32,
    /// Whether a member states what its model takes.
    pub(crate) states: bool,
    /// A bit for each operation, by its place among all, that some members can do and others cannot.
    pub(crate) divided: u32,
}

/// The rules of a route.
pub(crate) struct Choice {
    pub(crate) rules: weir_routing::rules::Rules,
    /// Of each rule.
    pub(crate) leads_to: Vec<LeadsTo>,
}

/// What a rule leads to.
#[derive(Clone, Copy)]
pub(crate) enum LeadsTo {
    /// Index into [`Gateway::pools`].
    Pool(usize),
    /// Index into [`Gateway::routes`].
    Route(usize),
}

/// What a model's name stands for.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    /// The route that serves it.
    pub(crate) route: usize,
    /// Its index in [`Gateway::models`].
    pub(crate) model: usize,
}

/// The snapshot.
pub struct Gateway {
    /// Counts snapshots since the start; 1 is the first.
    pub(crate) generation: u64,
    pub(crate) settings: Settings,
    pub(crate) rosters: Rosters,
    /// What everything is called, for records that outlive the snapshot.
    pub(crate) names: Arc<Names>,
    pub(crate) keys: KeyTable,
    pub(crate) providers: Vec<Provider>,
    pub(crate) deployments: Vec<Deployment>,
    /// By deployment: what its model takes.
    pub(crate) takes: Vec<Takes>,
    /// By deployment: where its price is from, for those who ask.
    pub(crate) priced_by: Vec<Arc<str>>,
    /// By deployment: its label `region`.
    pub(crate) regions: Vec<Option<Arc<str>>>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) routes: Vec<Route>,
    by_name: HashMap<Arc<str>, Found, ByName>,
    /// Names a client may ask for, in the order of the file.
    models: Vec<Arc<str>>,
}

impl Gateway {
    /// Compiles a checked configuration against `rosters`. Health is taken from `book` by name, so that what is known
    /// about a deployment survives a reload.
    ///
    /// # Errors
    /// Every name that no roster knows and every value that cannot be used, each with its place in the file.
    pub(crate) fn compile(
        config: &Config,
        rosters: Rosters,
        book: &mut HealthBook,
        generation: u64,
    ) -> Result<Gateway, Problems> {
        let mut problems = Vec::new();
        let mut providers = compile_providers(config, &mut problems);
        let mut deployments = compile_deployments(config, &providers, &mut problems);
        let (routes, mut pools) = compile_routes(config, rosters.policies, &mut problems);
        Problems::none_of(problems)?;
        // Only a configuration that is known to be good may touch what is known about deployments.
        for (stated, compiled) in config.providers.iter().zip(&mut providers) {
            let Some((compiled, _)) = compiled else { continue };
            compiled.credentials = credentials(stated, book);
        }
        for (compiled, stated) in deployments.iter_mut().zip(&config.deployments) {
            let (identity, settings) = (identity(config, stated), health_settings(stated));
            let provider = providers.get(stated.provider).and_then(Option::as_ref);
            let credentials = provider.map_or(&[][..], |(provider, _)| &provider.credentials);
            compiled.health = book.get_or_insert(&stated.name, identity, &settings, credentials);
        }
        let providers: Vec<Provider> =
            providers.into_iter().flatten().map(|(provider, _)| provider).collect();
        for pool in &mut pools {
            pool.divided = divided(pool, &deployments, &providers);
        }
        let mut by_name = HashMap::default();
        let mut models = Vec::new();
        for (index, route) in config.routes.iter().enumerate() {
            for name in std::iter::once(&route.name).chain(&route.aliases) {
                by_name.insert(name.clone(), Found { route: index, model: models.len() });
                models.push(name.clone());
            }
        }
        let keys = KeyTable::new(&config.keys).map_err(|_| {
            let at = Span { file: "keys".into(), line: 1, column: 1 };
            Problem::new(&at, "keys", "the system gives no random bytes to hash the keys with")
        })?;
        Ok(Gateway {
            generation,
            rosters,
            settings: Settings {
                limits: config.server.limits.clone(),
                cors: config.server.cors.clone(),
                headers: config.server.headers,
                decisions: config.telemetry.decisions,
            },
            names: Arc::new(Names::of(config, &pools, &models)),
            keys,
            providers,
            deployments,
            takes: config.deployments.iter().map(takes).collect(),
            priced_by: config.deployments.iter().map(priced_by).collect(),
            regions: config.deployments.iter().map(region).collect(),
            pools,
            routes,
            by_name,
            models,
        })
    }

    /// Takes over from the snapshot before what tokens are there for the same credentials.
    pub(crate) fn goes_on_from(&mut self, before: &Gateway) {
        for provider in &mut self.providers {
            let Some(own) = &mut provider.tokens else { continue };
            let known = before.providers.iter().filter_map(|known| known.tokens.as_ref());
            if let Some(known) = known.into_iter().find(|known| known.is(own)) {
                *own = known.clone();
            }
        }
    }

    /// Adds to a draft what only the rosters know: names that none of them has, settings nobody takes, addresses that
    /// lead nowhere or probably not where they should.
    pub(crate) fn review(draft: &mut Draft, rosters: Rosters) {
        let Some(config) = draft.config.take() else { return };
        let mut problems = Vec::new();
        let providers = compile_providers(&config, &mut problems);
        let (_, pools) = compile_routes(&config, rosters.policies, &mut problems);
        if draft.problems.is_empty() && problems.is_empty() {
            draft.warnings.extend(doubts::doubts(&config, &pools));
        }
        if draft.problems.is_empty() {
            // Only then do all indices lead somewhere.
            compile_deployments(&config, &providers, &mut problems);
        }
        problems.into_iter().for_each(|problem| draft.add(problem));
        draft.warnings.extend(config.providers.iter().filter_map(doubtful_address));
        draft.warnings.extend(config.deployments.iter().filter_map(|d| doubtful_prefill(&config, d)));
        draft.config = Some(config);
    }

    /// Counts snapshots since the start; 1 is the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What the configuration says about serving itself.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The names a client may ask for.
    pub fn models(&self) -> &[Arc<str>] {
        &self.models
    }

    /// Whether a client may ask for this name.
    pub fn has_model(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// What is told of a model that a client may ask for: what every deployment of its route takes, as far as all say so.
    pub(crate) fn card<'a>(&'a self, model: &'a str) -> ModelCard<'a> {
        let route = self.by_name.get(model).and_then(|found| self.routes.get(found.route));
        let members = route.and_then(|route| self.pools.get(route.pool)).map(|pool| &*pool.members);
        let takes: Vec<&Takes> = members
            .unwrap_or_default()
            .iter()
            .filter_map(|m| self.takes.get(m.deployment as usize))
            .collect();
        let least = |most: fn(&Takes) -> Option<u32>| {
            let all: Option<Vec<u32>> = takes.iter().map(|takes| most(takes)).collect();
            all.and_then(|all| all.into_iter().min()).map(u64::from)
        };
        let each: Option<Vec<Needs>> = takes.iter().map(|takes| takes.needs).collect();
        let can = each.filter(|each| !each.is_empty()).map(|each| {
            Need::ALL.into_iter().filter(|need| each.iter().all(|needs| needs.has(*need))).collect()
        });
        ModelCard {
            id: model,
            context_window: least(|takes| takes.context_window),
            max_output: least(|takes| takes.max_output),
            can,
        }
    }

    /// The route that serves `model`.
    ///
    /// # Errors
    /// 404 `model_not_found`, offering the nearest names.
    pub(crate) fn route(&self, model: &str) -> Result<Found, Fault> {
        self.by_name.get(model).copied().ok_or_else(|| self.unknown_model(model))
    }

    /// The fault for a model nobody serves.
    pub fn unknown_model(&self, model: &str) -> Fault {
        let shown: String = model.chars().take(128).collect();
        let near = nearest(model, self.models.iter().map(|m| &**m));
        let help = if near.is_empty() {
            "GET /v1/models lists the models there are".to_owned()
        } else {
            format!(
                "did you mean {}?",
                near.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(" or ")
            )
        };
        Fault::new(
            Class::Caller,
            404,
            "model_not_found",
            format!("the model \"{shown}\" does not exist here; {help}"),
        )
        .with_param("model")
    }
}

type CompiledProvider = Option<(Provider, &'static weir_provider::Kind)>;

fn compile_providers(config: &Config, problems: &mut Vec<Problem>) -> Vec<CompiledProvider> {
    let known: Vec<&str> = weir_provider::kinds().map(|k| k.name).collect();
    let mut compile = |provider: &weir_config::Provider| -> CompiledProvider {
        let path = |field: &str| path_key(&path_key("providers", &provider.name), field);
        let Some(kind) = weir_provider::kind(&provider.kind.value) else {
            problems.push(Problem::unknown(
                &provider.kind.at,
                path("kind"),
                "kind of provider",
                &provider.kind.value,
                &known,
            ));
            return None;
        };
        let before = problems.len();
        let tokens = cloud::tokens(provider, kind, problems);
        let project = tokens.as_ref().and_then(|source| source.project());
        let url = cloud::address(provider, kind, project);
        let at = provider.base_url.as_ref().map_or(&provider.kind.at, |url| &url.at);
        let url = url.map_err(|help| {
            let message = format!("kind \"{}\" has no address of its own", kind.name);
            problems.push(Problem::new(&provider.at, path("base_url"), message).with_help(help));
        });
        let kept = tokens.map(|source| {
            Kept::new(provider.name.clone(), source).map_err(|message| {
                let key = provider.tokens.as_ref().map_or("entra", |tokens| tokens.value.key());
                problems.push(Problem::new(&provider.at, path(key), message));
            })
        });
        let (Ok(url), Ok(kept)) = (url, kept.transpose()) else { return None };
        if problems.len() > before {
            return None;
        }
        let settings = OriginSettings {
            ca: provider.ca.clone(),
            idle: provider.pool.idle,
            max_age: provider.pool.max_age,
        };
        match Origin::new(&url, settings) {
            Ok(origin)
                if [config.server.listen, config.server.admin.listen].iter().any(|l| origin.is_at(*l)) =>
            {
                let message = "this is where Weir itself listens: a call would go round in circles";
                let help = "give the address of the model's server";
                problems.push(Problem::new(at, path("base_url"), message).with_help(help));
                None
            }
            Ok(origin) => match Provider::compile(provider, kind, origin, kept) {
                Ok(compiled) => Some((compiled, kind)),
                Err(message) => {
                    let path = path_key("providers", &provider.name);
                    problems.push(Problem::new(&provider.at, path, message));
                    None
                }
            },
            Err(error @ OriginError::Ca(..)) => {
                problems.push(Problem::new(&provider.at, path_key(&path("tls"), "ca"), error.to_string()));
                None
            }
            Err(error) => {
                problems.push(Problem::new(at, path("base_url"), error.to_string()));
                None
            }
        }
    };
    config.providers.iter().map(&mut compile).collect()
}

/// An address that can be called and is probably not the one that was meant.
fn doubtful_address(provider: &weir_config::Provider) -> Option<Problem> {
    let url = provider.base_url.as_ref()?;
    let kind = weir_provider::kind(&provider.kind.value)?;
    let warning = |message: String| {
        Problem::new(&url.at, path_key(&path_key("providers", &provider.name), "base_url"), message)
    };
    let path =
        url.value.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    if let Some(call) = Endpoint::ALL.iter().map(|e| e.path()).find(|call| format!("/{path}").ends_with(call))
    {
        let message = format!("Weir puts {call} behind this by itself");
        return Some(warning(message).with_help(format!("end it before {call}")));
    }
    let is_version =
        |part: &str| part.strip_prefix('v').is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    let versioned = |path: &str| path.split('/').any(is_version);
    // Where the kind's own address names no version, neither need this one.
    if versioned(path) || kind.base_url.is_none_or(|own| !versioned(own)) {
        return None;
    }
    let message = format!("no /v1 at its end: calls go to {}/chat/completions", url.value);
    Some(warning(message).with_help("most servers want /v1; leave it so if this one does not"))
}

/// A prefill declared of a kind that is not known to go on with one: most begin anew, or refuse it.
fn doubtful_prefill(config: &Config, deployment: &weir_config::Deployment) -> Option<Problem> {
    let provider = config.providers.get(deployment.provider)?;
    let kind = weir_provider::kind(&provider.kind.value)?;
    let goes_on = kind.quirks.prefill != Prefills::Unknown;
    if deployment.continues != Continues::Prefill || goes_on {
        return None;
    }
    let path = path_key(&path_key("deployments", &deployment.name), "continues");
    let message = format!(
        "it is not known that servers of the kind \"{}\" go on with an answer's beginning as the last turn",
        kind.name
    );
    let help = "leave it out unless this one does; `restart` is right for every server whose answers repeat";
    Some(Problem::new(&deployment.at, path, message).with_help(help))
}

fn compile_deployments(
    config: &Config,
    providers: &[CompiledProvider],
    problems: &mut Vec<Problem>,
) -> Vec<Deployment> {
    let mut deployments = Vec::new();
    let mut models: HashSet<Arc<str>> = HashSet::new();
    for deployment in &config.deployments {
        let provider = &config.providers[deployment.provider];
        let Some((compiled, kind)) = &providers[deployment.provider] else { continue };
        let Ok(probe) = compile_probe(config, deployment, kind).map_err(|problem| problems.push(problem))
        else {
            continue;
        };
        let health = Arc::new(Health::new(&health_settings(deployment)));
        let place = (compiled, *kind);
        match Deployment::compile(deployment, provider, place, probe, config.server.headers, health) {
            Ok(mut compiled) => {
                // Hundreds of deployments serve a few models: one text for each.
                match models.get(&compiled.model) {
                    Some(known) => compiled.model = known.clone(),
                    None => drop(models.insert(compiled.model.clone())),
                }
                deployments.push(compiled);
            }
            Err(message) => {
                let path = path_key("deployments", &deployment.name);
                problems.push(Problem::new(&deployment.at, path, message));
            }
        }
    }
    deployments
}

/// What a deployment is asked, if it is.
fn compile_probe(
    config: &Config,
    deployment: &weir_config::Deployment,
    kind: &weir_provider::Kind,
) -> Result<Option<Probe>, Problem> {
    let Some(check) = &deployment.health else { return Ok(None) };
    let Some(stated) = &check.probe else {
        return Ok(Some(if check.path.is_some() { Probe::Path } else { kind.probe }));
    };
    let known = Probe::NAMES.map(|(name, _)| name);
    let found = Probe::NAMES.into_iter().find(|(name, _)| *name == stated.value);
    found.map(|(_, probe)| Some(probe)).ok_or_else(|| {
        let provider = &config.providers[deployment.provider];
        let own = provider.health.as_ref() != Some(check);
        let (section, name) =
            if own { ("deployments", &deployment.name) } else { ("providers", &provider.name) };
        let path = path_key(&path_key(&path_key(section, name), "health"), "probe");
        Problem::unknown(&stated.at, path, "probe", &stated.value, &known)
    })
}

/// However often a breaker opens again, its deployment is asked at least this often.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(20);

fn health_settings(deployment: &weir_config::Deployment) -> health::Settings {
    let breaker = breaker::Settings {
        failures: deployment.breaker.failures,
        cooldown: deployment.breaker.cooldown,
        cooldown_max: LONGEST_COOLDOWN.max(deployment.breaker.cooldown),
        probes: deployment.breaker.probes,
        ramp: deployment.breaker.ramp,
    };
    let slow = slow::Settings {
        first_token: deployment.breaker.slow.first_token_p95,
        total: deployment.breaker.slow.total_p95,
        min_samples: deployment.breaker.slow.min_samples,
    };
    let error_percent = deployment.breaker.error_percent;
    health::Settings {
        max_concurrency: deployment.max_concurrency,
        learns_concurrency: deployment.learns_concurrency,
        breaker,
        error_percent,
        slow,
    }
}

/// The credentials of a provider, one at least. Providers at one address share those that are the same.
fn credentials(provider: &weir_config::Provider, book: &mut HealthBook) -> Vec<Arc<Credential>> {
    let identity = |key: Option<&weir_core::Secret>| {
        let mut identity = DefaultHasher::new();
        (provider.kind.value.as_str(), provider.base_url.as_ref().map(|u| u.value.as_str()))
            .hash(&mut identity);
        key.map(weir_core::Secret::expose).hash(&mut identity);
        cloud::hash(provider, &mut identity);
        identity.finish()
    };
    if provider.api_keys.is_empty() {
        return vec![book.credential(identity(None), &provider.name, 1)];
    }
    let keys = (1..).zip(&provider.api_keys);
    keys.map(|(nth, key)| book.credential(identity(Some(key)), &provider.name, nth)).collect()
}

/// What makes a deployment the same place: what is known about it holds only while this stays the same.
fn identity(config: &Config, deployment: &weir_config::Deployment) -> u64 {
    let provider = &config.providers[deployment.provider];
    let mut identity = DefaultHasher::new();
    (provider.kind.value.as_str(), provider.base_url.as_ref().map(|u| u.value.as_str())).hash(&mut identity);
    let keys: Vec<&str> = provider.api_keys.iter().map(weir_core::Secret::expose).collect();
    (keys, &deployment.model).hash(&mut identity);
    cloud::hash(provider, &mut identity);
    identity.finish()
}

/// The same for the same name, at every Weir.
fn hash_of(name: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    hash.finish()
}

fn compile_routes(
    config: &Config,
    policies: &[&'static weir_routing::Kind],
    problems: &mut Vec<Problem>,
) -> (Vec<Route>, Vec<Pool>) {
    let (mut routes, mut pools) = (Vec::new(), Vec::new());
    for route in &config.routes {
        let path = path_key("routes", &route.name);
        let own = pools.len();
        let beside = route.pools.iter().map(|pool| {
            let path = path_key(&path_key(&path, "pools"), &pool.name);
            (path, &pool.policy, &pool.settings, &pool.deployments)
        });
        let all = std::iter::once((path.clone(), &route.policy, &route.settings, &route.deployments));
        for (name, policy, settings, deployments) in all.chain(beside) {
            let path = path_key(&name, "policy");
            let Some(policy) = compile_policy(policies, policy, settings, path, problems) else { continue };
            let stated = |index: usize| config.deployments.get(index);
            let member = |&(deployment, weight): &(usize, u32)| Member {
                deployment: u32::try_from(deployment).unwrap_or(u32::MAX),
                weight,
                pricing: stated(deployment).map(|stated| stated.pricing.tariff()).unwrap_or_default(),
                quality: stated(deployment).map_or(0, |stated| stated.quality),
                identity: stated(deployment).map_or(0, |stated| hash_of(&stated.name)),
            };
            let states = |(index, _): &(usize, u32)| stated(*index).is_some_and(|d| !takes(d).everything());
            pools.push(Pool {
                name,
                policy,
                members: deployments.iter().map(member).collect(),
                panic_percent: route.panic_percent,
                states: deployments.iter().any(states),
                divided: 0, // told once providers are there
            });
        }
        routes.push(Route {
            name: route.name.clone(),
            pool: own,
            choice: rules::compile(config, route, own + 1, problems),
            allows: route.is_choosy().then(|| {
                let deployments = config.deployments.iter().enumerate();
                deployments.map(|(index, deployment)| route.allows(index, deployment)).collect()
            }),
            hints: route.hints.clone(),
            fallbacks: route.fallbacks.clone(),
            rules: Rules {
                max_retries: route.retries.max,
                base: route.retries.base,
                cap: route.retries.cap,
                retry_after_max: route.retries.retry_after_max,
            },
            queue: route.queue,
            queue_counts: crate::queue::Counts::default(),
            answers: route.answers,
            drop_params: route.drop_params,
            timeouts: route.timeouts,
            hedge: route.hedge.map(hedge),
            usual_output: AtomicU32::new(0),
            retry_floor: Floor::default(),
        });
    }
    (routes, pools)
}

/// The operations that some members of a pool can do and others cannot.
fn divided(pool: &Pool, deployments: &[Deployment], providers: &[Provider]) -> u32 {
    let serves = |member: &Member, endpoint| {
        let of = deployments.get(member.deployment as usize).and_then(|there| providers.get(there.provider));
        of.is_some_and(|provider| provider.serves(endpoint).is_some())
    };
    let divides = |endpoint: &Endpoint| {
        let who = pool.members.iter().filter(|member| serves(member, *endpoint)).count();
        who > 0 && who < pool.members.len()
    };
    Endpoint::ALL.into_iter().filter(divides).fold(0, |all, endpoint| all | 1 << endpoint as u32)
}

fn hedge(stated: weir_config::Hedge) -> Hedge {
    let after = match stated.after {
        HedgeAfter::Percentile(percentile) => After::Percentile(percentile),
        HedgeAfter::Time(time) => After::Time(time),
    };
    Hedge { after, extra_percent: stated.extra_percent }
}

/// The policy that is called so, with its settings.
fn compile_policy(
    policies: &[&'static weir_routing::Kind],
    stated: &Spanned<String>,
    settings: &Node,
    path: String,
    problems: &mut Vec<Problem>,
) -> Option<Compiled> {
    let Some(policy) = policies.iter().find(|k| k.name == stated.value) else {
        let known: Vec<&str> = policies.iter().map(|k| k.name).collect();
        problems.push(Problem::unknown(&stated.at, path, "policy", &stated.value, &known));
        return None;
    };
    Compiled::read(policy, settings, &path).map_err(|found| problems.extend(found)).ok()
}

fn takes(deployment: &weir_config::Deployment) -> Takes {
    Takes {
        needs: deployment.capabilities,
        context_window: deployment.context_window,
        max_input: deployment.max_input,
        max_output: deployment.max_output,
    }
}

/// Where a price is from: the configuration, an entry of the catalogue, or nowhere.
fn priced_by(deployment: &weir_config::Deployment) -> Arc<str> {
    let listed = deployment.listed.as_ref().filter(|listed| listed.taken.contains(&"price"));
    match (&deployment.pricing, listed) {
        (weir_core::Pricing::Unknown, _) => "unknown".into(),
        (_, None) => "configuration".into(),
        (_, Some(listed)) => {
            let date = listed.source.as_ref().map_or(String::new(), |source| format!(" of {}", source.date));
            format!("catalog {}{date}", listed.entry).into()
        }
    }
}

fn region(deployment: &weir_config::Deployment) -> Option<Arc<str>> {
    deployment.labels.iter().find(|(name, _)| &**name == "region").map(|(_, value)| value.clone())
}
