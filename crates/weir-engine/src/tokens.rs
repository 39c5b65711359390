//! Tokens that calls to some providers are made with. One core keeps them for all, with its chores: asks for one at the start
//! and again at 80 % of its life. A call reads the one that is there; only one that comes before the first has come waits.

use crate::core::Core;
use arc_swap::ArcSwapOption;
use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body::Body;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use weir_core::secret::redact;
use weir_core::{Class, Fault, Secret};
use weir_net::{Head, Limits, Origin, OriginSettings, Pieces, Pool, Request, Setup};
use weir_provider::token::{self, Source, Token};

/// A token server that does not answer within this is asked again.
const WITHIN: Duration = Duration::from_secs(10);
/// So much of its answer is read.
const MOST_READ: usize = 64 * 1024;
/// After a question that came to nothing, the next one; twice as late with each, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// However short a token lives, another one is not asked for before.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// The token of one provider.
pub(crate) struct Kept {
    provider: Arc<str>,
    source: Source,
    origin: Arc<Origin>,
    head: Head,
    current: ArcSwapOption<Held>,
    /// Somebody is asking.
    under_way: AtomicBool,
    state: Mutex<State>,
    /// Counts the questions that have been answered, for calls that wait for the first.
    answered: watch::Sender<u64>,
}

/// A token, for as long as it holds.
pub(crate) struct Held {
    /// The value of `authorization`.
    pub(crate) bearer: Secret,
    until: Instant,
}

#[derive(Default)]
struct State {
    /// When it is asked for next; at once, where nobody has asked yet.
    next: Option<Instant>,
    /// Questions in a row that came to nothing.
    failures: u32,
    /// What the last of them came to.
    trouble: Option<Fault>,
}

impl Kept {
    /// Nothing is asked yet. The message of an error says what of the source cannot be used.
    pub(crate) fn new(provider: Arc<str>, source: Source) -> Result<Arc<Kept>, String> {
        let origin = Origin::new(source.url(), OriginSettings::default())
            .map_err(|error| format!("tokens cannot be had at {}: {error}", source.url()))?;
        let path = origin.base_path().parse().map_err(|error| format!("{}: {error}", source.url()))?;
        let headers = HeaderMap::from_iter([
            (header::HOST, origin.host_header().clone()),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        ]);
        let head = Head::new(&Method::POST, &path, &headers);
        Ok(Arc::new(Kept {
            provider,
            source,
            origin: Arc::new(origin),
            head,
            current: ArcSwapOption::empty(),
            under_way: AtomicBool::new(false),
            state: Mutex::default(),
            answered: watch::Sender::new(0),
        }))
    }

    /// Whether a token of `other` is one of this, too.
    pub(crate) fn is(&self, other: &Kept) -> bool {
        self.provider == other.provider && self.source.identity() == other.source.identity()
    }

    /// The token, if there is one that holds.
    pub(crate) fn held(&self, now: Instant) -> Option<Arc<Held>> {
        self.current.load_full().filter(|held| now < held.until)
    }

    /// The token for a call. Where none has come yet, it is waited for until `until`, as a connection would be.
    ///
    /// # Errors
    /// The operator's: there is none, and why.
    pub(crate) async fn token(&self, now: Instant, until: Instant) -> Result<Arc<Held>, Fault> {
        match self.held(now) {
            Some(held) => Ok(held),
            None => Box::pin(self.first(until)).await,
        }
    }

    async fn first(&self, until: Instant) -> Result<Arc<Held>, Fault> {
        let mut answered = self.answered.subscribe();
        loop {
            if let Some(held) = self.held(Instant::now()) {
                return Ok(held);
            }
            if self.state().failures > 0 {
                return Err(self.missing());
            }
            match tokio::time::timeout_at(until.into(), answered.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(self.missing()),
            }
        }
    }

    #[cold]
    fn missing(&self) -> Fault {
        let state = self.state();
        let why = state.trouble.as_ref().map_or("it has not come yet".to_owned(), ToString::to_string);
        let (provider, who) = (&self.provider, self.source.who());
        Fault::upstream_credentials(format!("provider {provider:?} has no token for {who}: {why}"))
    }

    /// `fault` without what is secret of it.
    pub(crate) fn cut_out_of(&self, mut fault: Fault) -> Fault {
        let Some(held) = self.current.load_full() else { return fault };
        let token = Secret::new(held.bearer.expose().trim_start_matches("Bearer ").to_owned());
        let clean = |text: &str| redact(text, [&held.bearer, &token]);
        fault.message = clean(&fault.message).into();
        fault.cause = fault.cause.take().map(|cause| clean(&cause).into());
        fault
    }

    /// The upstream did not take the token: another one is asked for soon, whatever its life.
    pub(crate) fn was_refused(&self, now: Instant) {
        let mut state = self.state();
        let soon = now + FIRST_WAIT;
        state.next = state.next.map(|next| next.min(soon));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is to be asked for now. Whoever is told so asks: nobody else is told meanwhile.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.state().next.is_none_or(|next| next <= now) && !self.under_way.swap(true, Relaxed)
    }

    /// Takes up what a question asked at `asked` came to; whether that is a change.
    fn learns(&self, outcome: Result<Token, Fault>, asked: Instant) -> bool {
        let mut state = self.state();
        let before = state.failures;
        match outcome {
            Ok(token) => {
                let wait = token.refresh_after().max(LEAST_WAIT);
                state.next = Some(asked + wait);
                (state.failures, state.trouble) = (0, None);
                let held = Held { until: asked + token.life, bearer: token.bearer };
                self.current.store(Some(Arc::new(held)));
            }
            Err(fault) => {
                let wait = FIRST_WAIT.saturating_mul(1 << state.failures.min(6)).min(LONGEST_WAIT);
                state.next = Some(Instant::now() + wait);
                state.failures = state.failures.saturating_add(1);
                state.trouble = Some(fault);
            }
        }
        let changed = (before == 0) != (state.failures == 0);
        drop(state);
        self.under_way.store(false, Relaxed);
        self.answered.send_modify(|count| *count += 1);
        changed
    }

    async fn ask(self: &Arc<Self>) -> Result<Token, Fault> {
        let signing = self.clone();
        let body = tokio::task::spawn_blocking(move || signing.source.ask(SystemTime::now()))
            .await
            .map_err(|error| Fault::new(Class::Gateway, 500, "upstream_credentials", error.to_string()))??;
        let now = Instant::now();
        let until = now + WITHIN;
        let request = Request::new(&self.head, &[], Pieces::new([body.into()]));
        let pool = Pool::new(self.origin.clone()); // asked once an hour: nothing is kept open
        let mut answer = pool.send(request, Limits::by(until, WITHIN), now, &mut Setup::default()).await?;
        let mut all = BytesMut::new();
        let reading = async {
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer.body).poll_frame(cx)).await {
                let Ok(piece) = frame?.into_data() else { continue };
                if all.len() + piece.len() > MOST_READ {
                    let message = format!("an answer of more than {MOST_READ} bytes");
                    return Err(Fault::new(Class::Malformed, 502, "upstream_malformed", message));
                }
                all.extend_from_slice(&piece);
            }
            Ok(())
        };
        tokio::time::timeout_at(until.into(), reading)
            .await
            .map_err(|_| Fault::new(Class::Timeout, 504, "upstream_timeout", "no answer in time"))??;
        token::read(answer.head.status.as_u16(), &all).map_err(|mut fault| {
            fault.message = redact(&fault.message, self.source.secret()).into();
            fault
        })
    }
}

impl Core {
    /// Asks for a token, and takes it up.
    pub(crate) async fn renew(self: Rc<Core>, kept: Arc<Kept>) {
        let asked = Instant::now();
        let outcome = kept.ask().await;
        let told = outcome.as_ref().map(|token| token.life).map_err(ToString::to_string);
        let (provider, who) = (&*kept.provider, kept.source.who());
        let changed = kept.learns(outcome, asked);
        match told {
            Ok(life) if changed => {
                tracing::info!(provider, who, ?life, "tokens are had again");
                self.good_again(&kept);
            }
            Ok(life) => tracing::debug!(provider, who, ?life, "a token was had"),
            Err(fault) if changed => tracing::warn!(provider, who, fault, "no token can be had"),
            Err(fault) => tracing::debug!(provider, who, fault, "still no token can be had"),
        }
    }

    /// The credentials that were benched for want of a token are to be tried again.
    fn good_again(&self, kept: &Arc<Kept>) {
        let (snapshot, now) = (self.snapshot(), self.now());
        let of = |provider: &&crate::deployment::Provider| {
            provider.tokens.as_ref().is_some_and(|tokens| Arc::ptr_eq(tokens, kept))
        };
        for credential in snapshot.gateway.providers.iter().filter(of).flat_map(|p| &p.credentials) {
            self.with_chance(|chance| credential.renewed(now, chance));
        }
    }
}
