//! The demo's own load: an open loop at a steady rate, like users who do not wait for each other.

use super::fleet::{DemoRoute, ROUTES};
use super::summary::{Figures, Outcome};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::cell::{Ref, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use weir_core::{Cost, Fault};
use weir_net::{AnswerBody, Head, Limits, Origin, OriginError, OriginSettings, Pool, Request, Setup};
use weir_routing::{Chance, SplitMix64};

/// Requests under way at most; above it arrivals are counted, not sent.
const MOST_IN_FLIGHT: u64 = 500;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The gateway ends its requests long before.
const ANSWER_WITHIN: Duration = Duration::from_secs(3600);
const PROMPTS: [&str; 4] = [
    "What does a weir do?",
    "Why does a river split below the old mill, and which branch should a boat take when the water is high?",
    "Write a sentence about herons.",
    "Summarise the keeper's log of last night in two sentences: the upper pond rose by a hand, two gates were opened, a \
     branch was pulled from the second wheel, and nobody downstream noticed anything.",
];

/// A steady load on one gateway.
pub(super) struct Load {
    pool: Rc<Pool>,
    figures: Rc<RefCell<Figures>>,
    began: Instant,
}

impl Load {
    /// Sends nothing yet; the clock starts.
    ///
    /// # Errors
    /// When the gateway's address makes no URL.
    pub(super) fn new(gateway: SocketAddr) -> Result<Self, OriginError> {
        let origin = Origin::new(&format!("http://{gateway}/v1"), OriginSettings::default())?;
        Ok(Load { pool: Pool::new(origin.into()), figures: Rc::default(), began: Instant::now() })
    }

    /// Since the clock started.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What was seen so far. Not to be held across an await.
    pub(super) fn figures(&self) -> Ref<'_, Figures> {
        self.figures.borrow()
    }

    /// Sends `rate` requests a second for ever, each in a task of the current `LocalSet`. What is asked follows from
    /// `seed`.
    pub(super) async fn run(&self, rate: f64, seed: u64) -> Infallible {
        let mut chance = SplitMix64::seeded(seed);
        let mut index = 0u32;
        loop {
            tokio::time::sleep_until(self.began + Duration::from_secs_f64(f64::from(index) / rate)).await;
            index = index.saturating_add(1);
            drop(self.dispatch(&mut chance));
        }
    }

    /// Starts the next request, unless too many are under way.
    pub(super) fn dispatch(&self, chance: &mut SplitMix64) -> Option<JoinHandle<()>> {
        let asked = Asked::draw(chance);
        let mut figures = self.figures.borrow_mut();
        if figures.in_flight >= MOST_IN_FLIGHT {
            figures.held_back();
            return None;
        }
        figures.sent();
        let (pool, figures, began) = (self.pool.clone(), self.figures.clone(), self.began);
        Some(tokio::task::spawn_local(async move {
            let outcome = send(&pool, &asked).await;
            figures.borrow_mut().ended(began.elapsed(), outcome);
        }))
    }

    /// Gives up what is under way.
    pub(super) fn cut(&self) {
        self.figures.borrow_mut().cut();
    }

    /// Returns when nothing is under way, or when `at_most` has passed.
    pub(super) async fn finish(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while self.figures.borrow().in_flight > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// One request of the load.
struct Asked {
    route: &'static DemoRoute,
    stream: bool,
    prompt: &'static str,
}

impl Asked {
    fn draw(chance: &mut impl Chance) -> Self {
        let mut drawn = chance.below(ROUTES.iter().map(|route| route.traffic).sum());
        let mut route = &ROUTES[0];
        for candidate in &ROUTES {
            route = candidate;
            match drawn.checked_sub(candidate.traffic) {
                Some(rest) => drawn = rest,
                None => break,
            }
        }
        let index = usize::try_from(chance.below(PROMPTS.len() as u64)).unwrap_or_default();
        Asked { route, stream: chance.below(2) == 0, prompt: PROMPTS.get(index).copied().unwrap_or_default() }
    }

    fn request(&self, origin: &Origin) -> Request {
        let messages = json!([{ "role": "user", "content": self.prompt }]);
        let body = json!({ "model": self.route.name, "messages": messages, "stream": self.stream });
        let headers = HeaderMap::from_iter([
            (header::HOST, origin.host_header().clone()),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            // A stream's cost is known at its end and comes as a trailer.
            (header::TE, HeaderValue::from_static("trailers")),
        ]);
        let path = PathAndQuery::from_static("/v1/chat/completions");
        Request::new(&Head::new(&Method::POST, &path, &headers), &[], Bytes::from(body.to_string()).into())
    }
}

async fn send(pool: &Rc<Pool>, asked: &Asked) -> Outcome {
    let began = Instant::now();
    let mut outcome = Outcome {
        route: asked.route,
        deployment: None,
        attempts: 0,
        failed: None,
        cost: Cost::ZERO,
        total: Duration::ZERO,
        first_token: None,
    };
    outcome.failed = match converse(pool, asked, began, &mut outcome).await {
        Ok(failed) => failed,
        Err(fault) => Some(fault.code.as_deref().unwrap_or(fault.class.name()).to_owned()),
    };
    outcome.total = began.elapsed();
    outcome
}

/// Sends one request and reads its answer; gives why it failed.
///
/// # Errors
/// When the gateway itself cannot be talked to.
async fn converse(
    pool: &Rc<Pool>,
    asked: &Asked,
    began: Instant,
    outcome: &mut Outcome,
) -> Result<Option<String>, Fault> {
    let now = Instant::now().into_std();
    let limits = Limits::by(now + ANSWER_WITHIN, CONNECT_WITHIN);
    let answer = pool.send(asked.request(pool.origin()), limits, now, &mut Setup::default()).await?;
    let (status, headers) = (answer.head.status, answer.head.headers());
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    outcome.deployment = text("x-weir-deployment").map(str::to_owned);
    outcome.attempts = text("x-weir-attempts").and_then(|text| text.parse().ok()).unwrap_or_default();
    outcome.cost = cost_in(&headers).unwrap_or_default();
    let mut read = Read::default();
    read.all(answer.body).await?;
    if status != StatusCode::OK {
        return Ok(Some(refusal(status, &read.tail)));
    }
    if let Some(cost) = read.trailers.as_ref().and_then(cost_in) {
        outcome.cost = cost;
    }
    if asked.stream {
        outcome.first_token = read.first.map(|first| first - began);
        return Ok(
            (!read.tail.trim_ascii_end().ends_with(b"data: [DONE]")).then(|| "broken stream".to_owned())
        );
    }
    Ok(None)
}

/// What is kept of a body.
#[derive(Default)]
struct Read {
    first: Option<Instant>,
    /// Its last bytes: all of a small one.
    tail: Vec<u8>,
    trailers: Option<HeaderMap>,
}

impl Read {
    const TAIL: usize = 4096;

    async fn all(&mut self, mut body: AnswerBody) -> Result<(), Fault> {
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => {
                    self.first.get_or_insert_with(Instant::now);
                    self.tail.extend_from_slice(&data);
                    self.tail.drain(..self.tail.len().saturating_sub(Self::TAIL));
                }
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
        Ok(())
    }
}

/// The code of an error body, or else its status.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let error: Option<Value> = serde_json::from_slice(body).ok();
    let code = error.as_ref().and_then(|body| body["error"]["code"].as_str());
    code.map_or_else(|| status.as_u16().to_string(), |code| format!("{} {code}", status.as_u16()))
}

fn cost_in(headers: &HeaderMap) -> Option<Cost> {
    cost(headers.get("x-weir-cost")?.to_str().ok()?)
}

/// Reads an exact amount of USD, such as `0.000012345`.
fn cost(text: &str) -> Option<Cost> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 12 || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<12}").parse().ok().map(Cost::from_pico_usd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn costs_are_read_as_they_are_printed() {
        for pico in [0, 1, 12_345_000, 1_000_000_000_000, 3_000_000_000_001] {
            let printed = Cost::from_pico_usd(pico);
            assert_eq!(cost(&printed.to_string()), Some(printed));
        }
        for text in ["", ".5", "-1", "1e3", "0.0000000000001", "x"] {
            assert_eq!(cost(text), None, "{text}");
        }
    }

    #[test]
    fn refusals_are_named_by_status_and_code() {
        let check = |body: &str, expect: &str| {
            assert_eq!(refusal(StatusCode::BAD_GATEWAY, body.as_bytes()), expect);
        };
        check(r#"{"error":{"code":"upstream_unreachable"}}"#, "502 upstream_unreachable");
        check(r#"{"error":{"code":null}}"#, "502");
        check("oops", "502");
    }

    #[test]
    fn the_mix_follows_the_table_and_the_seed() {
        let drawn = |seed| {
            let mut chance = SplitMix64::seeded(seed);
            (0..4000)
                .map(|_| Asked::draw(&mut chance))
                .map(|a| (a.route.name, a.stream, a.prompt))
                .collect::<Vec<_>>()
        };
        let mix = drawn(1);
        assert_eq!(mix, drawn(1));
        assert_ne!(mix, drawn(2));
        let kinds: HashSet<_> = mix.iter().collect();
        assert_eq!(kinds.len(), ROUTES.len() * PROMPTS.len() * 2, "everything is asked");
        for route in &ROUTES {
            let count = mix.iter().filter(|(name, ..)| *name == route.name).count() as u64;
            assert!(count.abs_diff(route.traffic * 400) < 200, "{}: {count}", route.name);
        }
    }
}
