//! What the demo's own traffic saw, in figures and on one screen.

use super::fleet::{DemoRoute, SERVERS};
use super::paint::Paint;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;
use weir_core::Cost;

/// Percentiles are of so many requests, the latest.
const RECENT: usize = 2000;
/// The rate is of so long a time, the latest.
const RATE_OVER: Duration = Duration::from_secs(5);
/// What every terminal has; a longer line would break in two and spoil the redrawing.
const COLUMNS: usize = 78;
/// Columns of the longest bar.
const BAR: usize = 30;

/// How one request went, as its client saw it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub route: &'static DemoRoute,
    /// The deployment that answered, or was tried last.
    pub deployment: Option<String>,
    /// Upstream calls.
    pub attempts: u64,
    /// Why it failed, in a word or two.
    pub failed: Option<String>,
    pub cost: Cost,
    pub total: Duration,
    /// Of streams only.
    pub first_token: Option<Duration>,
}

/// Sums over all requests so far.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub in_flight: u64,
    pub sent: u64,
    /// Not sent, because too many were under way.
    held_back: u64,
    pub answered: u64,
    failed: u64,
    retries: u64,
    fallbacks: u64,
    pub cost: Cost,
    pub by_server: [u64; SERVERS.len()],
    pub failures: BTreeMap<String, u64>,
    /// Given up at the end.
    cut: u64,
    /// Of streams: both figures are of the same requests, so that they can be compared.
    first_tokens: Recent,
    stream_totals: Recent,
    /// Of answers in one piece.
    whole_totals: Recent,
    /// When the latest requests ended, since the start.
    ends: VecDeque<Duration>,
}

impl Figures {
    pub(super) fn sent(&mut self) {
        self.sent += 1;
        self.in_flight += 1;
    }

    pub(super) fn held_back(&mut self) {
        self.held_back += 1;
    }

    /// Gives up what is under way: nothing is, any more.
    pub(super) fn cut(&mut self) {
        self.cut += std::mem::take(&mut self.in_flight);
    }

    /// Counts a request that ended `at`, since the start.
    pub(super) fn ended(&mut self, at: Duration, outcome: Outcome) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.ends.push_back(at);
        while self.ends.front().is_some_and(|end| *end + RATE_OVER < at) {
            self.ends.pop_front();
        }
        // A fallback shows by who answered; where the routes share servers, by more calls than the route makes itself.
        let elsewhere = outcome.deployment.as_deref().is_some_and(|name| !outcome.route.has(name));
        let fell_back = elsewhere || outcome.attempts > u64::from(outcome.route.retries) + 1;
        self.fallbacks += u64::from(fell_back);
        self.retries += outcome.attempts.saturating_sub(1 + u64::from(fell_back));
        self.cost += outcome.cost;
        let server = SERVERS.iter().position(|server| outcome.deployment.as_deref() == Some(server.name));
        if let Some(count) = server.and_then(|index| self.by_server.get_mut(index)) {
            *count += 1;
        }
        match outcome.failed {
            Some(why) => {
                self.failed += 1;
                *self.failures.entry(why).or_default() += 1;
            }
            None => {
                self.answered += 1;
                match outcome.first_token {
                    Some(first) => {
                        self.first_tokens.push(first);
                        self.stream_totals.push(outcome.total);
                    }
                    None => self.whole_totals.push(outcome.total),
                }
            }
        }
    }

    /// Requests that ended per second, lately.
    #[allow(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    fn rate(&self, elapsed: Duration) -> f64 {
        let over = elapsed.min(RATE_OVER);
        if over.is_zero() {
            return 0.0;
        }
        let recent = self.ends.iter().filter(|end| **end + RATE_OVER > elapsed).count();
        recent as f64 / over.as_secs_f64()
    }
}

/// The latest times of one kind.
#[derive(Debug, Default)]
struct Recent(VecDeque<Duration>);

impl Recent {
    fn push(&mut self, time: Duration) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    /// The smallest time that at least `percent` of them do not exceed.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    }
}

/// How far the demo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Sending,
    /// Nothing more is sent; what is under way may end.
    Finishing,
    Ended,
}

impl Stage {
    /// What stands beside the clock.
    fn hint(self) -> &'static str {
        match self {
            Stage::Sending => "Ctrl-C ends",
            Stage::Finishing => "ending; Ctrl-C again cuts what is under way",
            Stage::Ended => "ended",
        }
    }
}

/// The screen: no line is longer than [`COLUMNS`].
pub(super) fn screen(
    figures: &Figures,
    elapsed: Duration,
    wanted: f64,
    stage: Stage,
    paint: Paint,
) -> String {
    let Figures { sent, answered, failed, retries, fallbacks, cost, .. } = figures;
    let (pending, in_flight) = match stage {
        Stage::Sending | Stage::Finishing => ("under way", figures.in_flight),
        Stage::Ended => ("cut off", figures.cut),
    };
    let hint = stage.hint();
    let seconds = elapsed.as_secs();
    let rate = figures.rate(elapsed);
    let failed = if *failed > 0 { paint.bad(&format!("{failed:>7}")) } else { format!("{failed:>7}") };
    let clock = format!("{:02}:{:02}", seconds / 60, seconds % 60);
    let label = |text: &str| paint.dim(&format!("{text:<12}"));
    let mut out = format!("{}   {clock}   {hint}\n\n", paint.bold(&format!("{wanted} requests/s wanted")));
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "  {} {sent:>7}   {} {answered:>7}   {} {failed}\n  {} {rate:>7.1}   {} {in_flight:>7}   {} {}\n\n",
        label("requests"),
        label("answered"),
        label("failed"),
        label("per second"),
        label(pending),
        label("cost USD"),
        usd(*cost),
    );
    let times = |recent: &Recent| {
        let show = |percent| recent.percentile(percent).map_or("–".to_owned(), time);
        format!("{:>9}   {:>9}", show(50), show(95))
    };
    let of = |text: &str| paint.dim(&format!("{text:<25}"));
    let _ = writeln!(out, "  {} {:>9}   {:>9}", of(""), "p50", "p95");
    let _ = writeln!(out, "  {} {}", of("streams, first token"), times(&figures.first_tokens));
    let _ = writeln!(out, "  {} {}", of("streams, to the end"), times(&figures.stream_totals));
    let _ = writeln!(out, "  {} {}\n", of("answers in one piece"), times(&figures.whole_totals));
    out.push_str(&shares(figures, paint));
    let _ = writeln!(out, "\n  {} {retries:<10} {} {fallbacks}", label("retries"), label("fallbacks"));
    let _ = writeln!(out, "  {} {}", label("failures"), failures(figures));
    out
}

/// The same in one line, for what is not a terminal.
pub(super) fn line(figures: &Figures, elapsed: Duration) -> String {
    let Figures { sent, answered, failed, in_flight, retries, fallbacks, .. } = figures;
    let p = |recent: &Recent, percent| recent.percentile(percent).map_or("–".to_owned(), time);
    format!(
        "{:>5.0} s  sent {sent}  answered {answered}  failed {failed}  under way {in_flight}  {:.1}/s  \
         streams: first token p50 {} p95 {}, end p50 {} p95 {}  whole: p50 {} p95 {}  retries {retries}  fallbacks {fallbacks}  cost {} USD",
        elapsed.as_secs_f64(),
        figures.rate(elapsed),
        p(&figures.first_tokens, 50),
        p(&figures.first_tokens, 95),
        p(&figures.stream_totals, 50),
        p(&figures.stream_totals, 95),
        p(&figures.whole_totals, 50),
        p(&figures.whole_totals, 95),
        usd(figures.cost),
    )
}

/// A bar for each server, as long as its share.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "columns"
)]
fn shares(figures: &Figures, paint: Paint) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let all = figures.by_server.iter().sum::<u64>().max(1);
    let longest = figures.by_server.iter().copied().max().unwrap_or_default().max(1);
    let mut out = String::new();
    for (server, count) in SERVERS.iter().zip(figures.by_server) {
        let eighths = (count as f64 / longest as f64 * (BAR * 8) as f64).round() as usize;
        let bar = format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8]);
        let space = " ".repeat(BAR - bar.chars().count());
        let percent = count as f64 * 100.0 / all as f64;
        let _ =
            writeln!(out, "  {:<13} {}{space} {percent:>5.1} % {count:>8}", server.name, paint.good(&bar));
    }
    out
}

/// What went wrong and how often, as far as a line reaches.
fn failures(figures: &Figures) -> String {
    let mut all: Vec<(&String, &u64)> = figures.failures.iter().collect();
    all.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let mut parts: Vec<String> = all.iter().take(3).map(|(name, count)| format!("{name} ×{count}")).collect();
    if all.len() > 3 {
        parts.push(format!("{} more", all.len() - 3));
    }
    if figures.held_back > 0 {
        parts.push(format!("{} not sent", figures.held_back));
    }
    let text = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    let room = COLUMNS - 15;
    if text.chars().count() <= room {
        return text;
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

/// A time as one reads it.
pub(super) fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

fn usd(cost: Cost) -> String {
    format!("{:.6}", cost.approx_usd())
}

#[cfg(test)]
mod tests;
