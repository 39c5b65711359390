//! Health seen from outside: deployments are asked whether they are well, and their servers how busy they are.
//!
//! One core does this for all, with each round of its chores; nothing here is on the way of a request. What a server
//! answers is a stranger's: its size and its time are bounded, and what it means is decided in `weir-provider`.

use crate::core::{Core, Snapshot};
use crate::record::TRACEPARENT;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, header};
use http_body::Body;
use smallvec::SmallVec;
use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_core::{Class, Endpoint, Fault, Moment, Timeouts, TraceContext};
use weir_net::{Head, Limits, Pieces, Request, Setup};
use weir_provider::gauges;
use weir_routing::gauges::Reading;
use weir_wire::reply::reply_facts;

/// So much of an answer is read.
const MOST_READ: usize = 512 * 1024;
/// However often somebody is asked, there is so long to answer: being busy for a moment is not being unwell.
const LEAST_WITHIN: Duration = Duration::from_secs(1);
/// A server that takes longer to say how busy it is says something about the past.
const GAUGES_WITHIN: Duration = Duration::from_secs(2);
/// A reading counts for so many intervals.
const LIFE: u32 = 3;
/// A server that does not tell its gauges is asked seldom in the end: after so many intervals.
const SELDOM: u32 = 12;

/// How it stands with everybody who is asked.
#[derive(Default)]
pub(crate) struct Outside {
    /// By deployment.
    probes: HashMap<Arc<str>, Asked>,
    /// By provider.
    gauges: HashMap<Arc<str>, Asked>,
}

/// How it stands with one who is asked.
struct Asked {
    /// When it is asked next.
    next: Moment,
    /// Questions in a row that were not answered well.
    failures: Rc<Cell<u32>>,
}

impl Asked {
    /// Who is due, and until when it then is not; `None` for whoever is not due.
    fn due<'a>(
        all: &'a mut HashMap<Arc<str>, Asked>,
        name: &Arc<str>,
        now: Moment,
        wait: impl FnOnce(u32) -> Duration,
    ) -> Option<&'a Rc<Cell<u32>>> {
        let asked = all.entry(name.clone()).or_insert_with(|| Asked { next: now, failures: Rc::default() });
        if asked.next > now {
            return None;
        }
        asked.next = now + wait(asked.failures.get());
        Some(&asked.failures)
    }
}

impl Core {
    /// Asks everybody who is due.
    pub(crate) fn look_from_outside(self: &Rc<Core>, outside: &mut Outside) {
        let (now, snapshot) = (self.now(), self.snapshot());
        let Outside { probes, gauges } = outside;
        let gateway = &snapshot.gateway;
        for (index, deployment) in gateway.deployments.iter().enumerate() {
            let Some(probe) = &deployment.probe else { continue };
            let wait = |_| self.jittered(probe.interval);
            if let Some(failures) = Asked::due(probes, &deployment.name, now, wait) {
                tokio::task::spawn_local(self.clone().probe(snapshot.clone(), index, failures.clone()));
            }
        }
        for (index, provider) in gateway.providers.iter().enumerate() {
            let Some(stated) = &provider.gauges else { continue };
            let wait = |failures: u32| self.jittered(stated.interval * (failures + 1).min(SELDOM));
            if let Some(failures) = Asked::due(gauges, &provider.name, now, wait) {
                tokio::task::spawn_local(self.clone().read_gauges(snapshot.clone(), index, failures.clone()));
            }
        }
        let kept = gateway.providers.iter().filter_map(|provider| provider.tokens.as_ref());
        for kept in kept.filter(|kept| kept.is_due(Instant::now())) {
            tokio::task::spawn_local(self.clone().renew(kept.clone()));
        }
        probes.retain(|name, _| gateway.deployments.iter().any(|d| d.name == *name && d.probe.is_some()));
        gauges.retain(|name, _| gateway.providers.iter().any(|p| p.name == *name && p.gauges.is_some()));
    }

    /// Give or take a tenth, so that many who ask do not keep step.
    fn jittered(&self, interval: Duration) -> Duration {
        interval * 9 / 10 + interval * u32::try_from(self.random() % 201).unwrap_or(0) / 1000
    }

    /// One active probe of a deployment.
    async fn probe(self: Rc<Core>, snapshot: Rc<Snapshot>, index: usize, failures: Rc<Cell<u32>>) {
        let deployment = &snapshot.gateway.deployments[index];
        let Some(probe) = &deployment.probe else { return };
        let within = probe.interval.clamp(LEAST_WITHIN, Timeouts::FIRST_TOKEN);
        let connect = deployment.timeouts().connect.unwrap_or(Timeouts::CONNECT);
        let asking =
            self.ask(&snapshot, deployment.provider, &probe.head, probe.body.clone(), connect, within);
        let answer = asking.await;
        if let (weir_provider::Probe::Completion, Ok((200..=299, body))) = (probe.probe, &answer)
            && let Some(made) = snapshot.gateway.providers[deployment.provider].serves(Endpoint::Chat)
            && let Ok(facts) = reply_facts(body, made, false)
        {
            // A token is generated for it, and paid for like any other, as far as its price is known.
            let charge = deployment.pricing.charge(&facts.usage_or_estimate(probe.body.len()));
            self.recorder.probed(&deployment.name, charge.cost);
        }
        let healthy = answer.and_then(|(status, body)| probe.probe.judge(status, &body, &deployment.model));
        let now = self.now();
        self.with_chance(|chance| deployment.health.probed(healthy.as_ref().copied(), now, chance));
        let name = &*deployment.name;
        let before = failures.replace(if healthy.is_ok() { 0 } else { failures.get().saturating_add(1) });
        match (before, healthy) {
            (0, Err(fault)) => tracing::warn!(deployment = name, %fault, "health probe fails"),
            (1.., Ok(())) => tracing::info!(deployment = name, "health probe succeeds again"),
            _ => {}
        }
    }

    /// Asks a provider's server how busy it is, for all its deployments.
    async fn read_gauges(self: Rc<Core>, snapshot: Rc<Snapshot>, index: usize, failures: Rc<Cell<u32>>) {
        let provider = &snapshot.gateway.providers[index];
        let Some(stated) = &provider.gauges else { return };
        let before = in_flight(&snapshot, index);
        let within = stated.interval.clamp(LEAST_WITHIN, GAUGES_WITHIN);
        let asking = self.ask(&snapshot, index, &stated.head, Bytes::new(), within, within);
        let heard = asking.await.and_then(|(status, page)| match status {
            200..=299 => Ok(page),
            _ => Err(Fault::new(Class::ServerError, status, "gauges_status", format!("status {status}"))),
        });
        let name = &*provider.name;
        let known = heard.and_then(|page| {
            if take(&snapshot, index, &page, &before, stated.interval * LIFE, self.now()) {
                Ok(())
            } else {
                let message = "none of the known gauges is on that page";
                Err(Fault::new(Class::Malformed, 502, "gauges_unknown", message))
            }
        });
        let asked_before = failures.replace(if known.is_ok() { 0 } else { failures.get().saturating_add(1) });
        match (asked_before, known) {
            (0, Err(fault)) => {
                tracing::info!(provider = name, %fault, "its gauges cannot be read; asked less often");
            }
            (1.., Ok(())) => tracing::info!(provider = name, "its gauges are read again"),
            _ => {}
        }
    }

    /// One question to a provider's server: the status and the body of its answer.
    async fn ask(
        &self,
        snapshot: &Snapshot,
        provider: usize,
        head: &Head,
        body: Bytes,
        connect: Duration,
        within: Duration,
    ) -> Result<(u16, Bytes), Fault> {
        let span =
            TraceContext { trace: u128::from(self.random()) | 1, span: self.random() | 1, sampled: false };
        let now = Instant::now();
        let until = now + within;
        let held = match &snapshot.gateway.providers[provider].tokens {
            Some(kept) => Some(kept.token(now, until).await?),
            None => None,
        };
        let traceparent = span.header();
        let mut more: SmallVec<[(&HeaderName, &[u8]); 2]> = SmallVec::new();
        more.push((&TRACEPARENT, &traceparent));
        if let Some(held) = &held {
            more.push((&header::AUTHORIZATION, held.bearer.expose().as_bytes()));
        }
        let request = Request::new(head, &more, Pieces::from(body));
        let limits = Limits::by(until, connect);
        let mut answer = snapshot.pools[provider].send(request, limits, now, &mut Setup::default()).await?;
        let status = answer.head.status.as_u16();
        let mut all = BytesMut::new();
        let reading = async {
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer.body).poll_frame(cx)).await {
                let Ok(piece) = frame?.into_data() else { continue };
                if all.len() + piece.len() > MOST_READ {
                    let message = format!("an answer of more than {MOST_READ} bytes");
                    return Err(Fault::new(Class::Malformed, 502, "probe_too_large", message));
                }
                all.extend_from_slice(&piece);
            }
            Ok(())
        };
        tokio::time::timeout_at(until.into(), reading)
            .await
            .map_err(|_| Fault::new(Class::Timeout, 504, "probe_timeout", "no answer in time"))??;
        Ok((status, all.freeze()))
    }
}

/// Calls in flight of each deployment.
type InFlight = Vec<(usize, u32)>;

fn in_flight(snapshot: &Snapshot, provider: usize) -> InFlight {
    let of_provider = snapshot.gateway.deployments.iter().enumerate().filter(|(_, d)| d.provider == provider);
    of_provider.map(|(index, deployment)| (index, deployment.health.in_flight())).collect()
}

/// Gives every deployment of a provider what a page says about it; `false` when the page says nothing of the kind.
/// `before` were their calls in flight when the server was asked: whichever of then and now is more may be among what it
/// tells.
fn take(
    snapshot: &Snapshot,
    provider: usize,
    page: &[u8],
    before: &InFlight,
    life: Duration,
    now: Moment,
) -> bool {
    let after = in_flight(snapshot, provider);
    let mut any = false;
    // Hundreds of deployments of one server share few models.
    let mut loads: HashMap<&str, Option<gauges::Load>> = HashMap::new();
    for (index, _) in before {
        let deployment = &snapshot.gateway.deployments[*index];
        let model = &*deployment.model;
        let Some(load) = *loads.entry(model).or_insert_with(|| gauges::load(page, model)) else {
            continue;
        };
        any = true;
        let counts = |all: &InFlight| -> u32 {
            let same = |at: usize| !load.of_model || *snapshot.gateway.deployments[at].model == *model;
            all.iter().filter(|(at, _)| same(*at)).map(|(_, calls)| calls).sum()
        };
        let gauges::Load { running, waiting, memory, .. } = load;
        let ours = counts(before).max(counts(&after));
        deployment.health.gauges().heard(&Reading { running, waiting, memory, ours }, life, now);
    }
    any
}
