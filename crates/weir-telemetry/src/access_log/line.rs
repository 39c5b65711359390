//! One exchange as one JSON line.

use crate::json::{self, Object, name};
use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_core::exchange::{Attempt, Phases, Wait};
use weir_core::text::ByName;
use weir_core::{Cost, Exchange, Outcome, Usage};

/// Model names are cut to this many characters; the client chose them.
const MODEL_CHARS: usize = 128;
/// Causes are cut to this many characters; an upstream may have written them.
const CAUSE_CHARS: usize = 1024;

/// Pairs of route and deployment whose part of a line is kept, some 200 bytes each.
const MOST_PAIRS: usize = 2_000;

/// Renders lines. Keeps the second it printed last, since the date is the dearest part of a line.
#[derive(Default)]
pub(crate) struct LineFormat {
    second: Option<u64>,
    /// `2026-11-21T09:22:38Z`
    date: [u8; 20],
    /// What the lines of each pair of route and deployment have in common, and the snapshot that the pairs belong to.
    pairs: HashMap<u64, Box<[u8]>, ByName>,
    generation: u64,
}

impl LineFormat {
    /// Appends one line with its line feed. Members that do not apply are left out:
    ///
    /// `ts` (RFC 3339, UTC, microseconds), `request_id`, `trace_id`, `key`, `endpoint`, `method` and `path` (of what is no call to a model), `model` (as asked), `route`,
    /// `deployment`, `provider`, `served_model`, `stream`, `status`, `outcome`, `code`, `blame` and `cause` of a
    /// failure, `attempts` (how many), `attempted` (each of them, when there was more than one, a fault, or an event that was left out), `retries`,
    /// `fallbacks`, `hedges` (when there were any), `waits` (the pauses between them), `usage`, `cost_usd` (an exact decimal number, as a string), `request_bytes`, `response_bytes`,
    /// and the times `total_ms`, `first_token_ms`, `inter_token_ms`, `overhead_ms`; of the latest call `connect_ms`,
    /// `tls_ms` and `send_ms` where they took any time, `first_byte_ms` and `generation_ms`.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, exchange: &Exchange<'_>) {
        let mut line = Object::begin(out);
        self.timestamp(line.member(name!("ts")), exchange.started_at);
        identity(&mut line, exchange);
        self.served_by(&mut line, exchange);
        line.flag(name!("stream"), exchange.streamed);
        line.number(name!("status"), u64::from(exchange.status));
        line.plain(name!("outcome"), exchange.outcome.name().as_bytes());
        line.text_if(name!("code"), exchange.code);
        if let Outcome::Failed(class) = exchange.outcome {
            line.text(name!("blame"), class.blame().name());
            line.text_if(name!("cause"), exchange.cause.map(|cause| first_chars(cause, CAUSE_CHARS)));
        }
        line.number(name!("attempts"), exchange.attempts.len() as u64);
        let odd = |attempt: &Attempt<'_>| attempt.fault.is_some() || attempt.left_out > 0;
        if exchange.attempts.len() > 1 || exchange.attempts.iter().any(odd) {
            attempts(line.member(name!("attempted")), exchange.attempts);
        }
        line.number(name!("retries"), exchange.retries() as u64);
        line.number(name!("fallbacks"), exchange.fallbacks() as u64);
        if exchange.hedges() > 0 {
            line.number(name!("hedges"), exchange.hedges() as u64);
        }
        if let Some(tokens) = &exchange.usage {
            usage(line.member(name!("usage")), tokens);
        }
        cost(&mut line, exchange.cost, exchange.cost_unknown);
        line.number(name!("request_bytes"), exchange.request_bytes);
        line.number(name!("response_bytes"), exchange.response_bytes);
        line.millis(name!("total_ms"), exchange.total);
        if let Some(time) = exchange.first_token {
            line.millis(name!("first_token_ms"), time);
        }
        if let Some(time) = exchange.inter_token {
            line.millis(name!("inter_token_ms"), time);
        }
        phases(&mut line, &exchange.phases);
        if !exchange.queued.is_zero() {
            line.millis(name!("queued_ms"), exchange.queued);
        }
        if !exchange.waits.is_empty() {
            waits(line.member(name!("waits")), exchange.waits);
        }
        line.text_if(name!("dropped"), exchange.dropped);
        line.millis(name!("overhead_ms"), exchange.overhead);
        line.end();
        out.push(b'\n');
    }

    fn served_by(&mut self, line: &mut Object<'_>, exchange: &Exchange<'_>) {
        let Some(pair) = exchange.pair else { return served_by(line, exchange) };
        if pair.generation != self.generation || self.pairs.len() > MOST_PAIRS {
            self.pairs.clear();
            self.generation = pair.generation;
        }
        let key = u64::from(pair.route) << 32 | u64::from(pair.deployment);
        let members = self.pairs.entry(key).or_insert_with(|| {
            let mut members = Vec::new();
            served_by(&mut Object::further(&mut members), exchange);
            members.into()
        });
        line.add(members);
    }

    fn timestamp(&mut self, out: &mut Vec<u8>, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != Some(since.as_secs()) {
            // Beyond the year 9999, the end of RFC 3339, the last second of that year stands for all later ones.
            let second =
                i64::try_from(since.as_secs()).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
            let second = second.unwrap_or(jiff::Timestamp::constant(253_402_207_200, 0));
            // Twenty bytes are exactly one whole second in that format, so this cannot run out of room.
            let _ = write!(self.date.as_mut_slice(), "{second}");
            self.second = Some(since.as_secs());
        }
        out.push(b'"');
        out.extend_from_slice(self.date.strip_suffix(b"Z").unwrap_or(&self.date));
        out.push(b'.');
        json::padded(out, u64::from(since.subsec_micros()), 6);
        out.extend_from_slice(b"Z\"");
    }
}

fn identity(line: &mut Object<'_>, exchange: &Exchange<'_>) {
    line.plain(name!("request_id"), exchange.id.as_bytes());
    line.plain(name!("trace_id"), &exchange.trace.trace_hex());
    line.text_if(name!("key"), exchange.key);
    line.text_if(name!("endpoint"), exchange.endpoint.map(|endpoint| endpoint.operation()));
    line.text_if(name!("method"), exchange.method);
    line.text_if(name!("path"), exchange.path);
    line.text_if(name!("model"), exchange.model.map(|model| first_chars(model, MODEL_CHARS)));
}

/// Which route and deployment served it: told by their pair, where there is one.
fn served_by(line: &mut Object<'_>, exchange: &Exchange<'_>) {
    line.text_if(name!("route"), exchange.route);
    line.text_if(name!("deployment"), exchange.deployment);
    line.text_if(name!("provider"), exchange.provider);
    line.text_if(name!("served_model"), exchange.served_model);
}

fn phases(line: &mut Object<'_>, phases: &Phases) {
    let took = |time: Duration| Some(time).filter(|time| !time.is_zero());
    if let Some(time) = took(phases.connect) {
        line.millis(name!("connect_ms"), time);
    }
    if let Some(time) = took(phases.tls) {
        line.millis(name!("tls_ms"), time);
    }
    if let Some(time) = took(phases.send) {
        line.millis(name!("send_ms"), time);
    }
    if let Some(time) = phases.first_byte {
        line.millis(name!("first_byte_ms"), time);
    }
    if let Some(time) = phases.generation {
        line.millis(name!("generation_ms"), time);
    }
}

fn waits(out: &mut Vec<u8>, waits: &[Wait]) {
    out.push(b'[');
    for (i, wait) in waits.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let mut object = Object::begin(out);
        object.text(name!("cause"), wait.cause.name());
        object.millis(name!("at_ms"), wait.after);
        object.millis(name!("ms"), wait.lasted);
        object.end();
    }
    out.push(b']');
}

fn attempts(out: &mut Vec<u8>, attempts: &[Attempt<'_>]) {
    out.push(b'[');
    for (i, attempt) in attempts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let mut object = Object::begin(out);
        object.text(name!("deployment"), attempt.deployment);
        object.text(name!("cause"), attempt.cause.name());
        object.text_if(name!("fault"), attempt.fault.map(|class| class.name()));
        if attempt.aborted {
            object.flag(name!("aborted"), true);
        }
        if attempt.left_out > 0 {
            object.number(name!("events_left_out"), attempt.left_out.into());
        }
        if attempt.cost != Cost::ZERO {
            cost(&mut object, attempt.cost, attempt.cost_unknown);
        } else if attempt.cost_unknown {
            object.flag(name!("cost_unknown"), true);
        }
        object.end();
    }
    out.push(b']');
}

/// A cost as far as it is known: null when nothing is.
fn cost(object: &mut Object<'_>, cost: Cost, unknown: bool) {
    if unknown && cost == Cost::ZERO {
        object.member(name!("cost_usd")).extend_from_slice(b"null");
    } else {
        object.plain(name!("cost_usd"), cost.decimal().as_bytes());
    }
    if unknown {
        object.flag(name!("cost_unknown"), true);
    }
}

fn usage(out: &mut Vec<u8>, usage: &Usage) {
    let mut object = Object::begin(out);
    object.number(name!("input"), usage.input);
    object.number(name!("output"), usage.output);
    object.number(name!("cached"), usage.cache_read);
    object.number(name!("cache_write"), usage.cache_write);
    object.number(name!("reasoning"), usage.reasoning);
    object.plain(name!("source"), usage.source.name().as_bytes());
    object.end();
}

/// The first `most` characters of `text`.
fn first_chars(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests;
