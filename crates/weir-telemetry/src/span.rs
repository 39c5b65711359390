//! One exchange as one `tracing` event, with OpenTelemetry's `gen_ai` attribute names.
//!
//! An event at the end rather than an open span: a span would be kept in a registry shared by all cores for as long as
//! the answer streams. Start and duration are attributes, so whoever exports spans can rebuild it.

use std::fmt;
use std::time::UNIX_EPOCH;
use weir_core::{Endpoint, Exchange, Outcome};

/// Emits the event, target `weir::exchange`, level `INFO`. Does nothing when no subscriber wants it.
pub(crate) fn emit(exchange: &Exchange<'_>) {
    if !tracing::enabled!(target: "weir::exchange", tracing::Level::INFO) {
        return;
    }
    let started = exchange.started_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let usage = exchange.usage.as_ref();
    let fault = match exchange.outcome {
        Outcome::Answered => None,
        outcome => Some(outcome.name()),
    };
    tracing::info!(
        target: "weir::exchange",
        trace_id = %Hex::<32>(exchange.trace.trace),
        span_id = %Hex::<16>(u128::from(exchange.trace.span)),
        parent_span_id = exchange.parent_span.map(|span| tracing::field::display(Hex::<16>(u128::from(span)))),
        sampled = exchange.trace.sampled,
        start_unix_nanos = u64::try_from(started.as_nanos()).unwrap_or(u64::MAX),
        duration_nanos = u64::try_from(exchange.total.as_nanos()).unwrap_or(u64::MAX),
        request_id = exchange.id.as_str(),
        gen_ai.operation.name = exchange.endpoint.map(Endpoint::operation),
        gen_ai.provider.name = exchange.provider,
        gen_ai.request.model = exchange.model,
        gen_ai.response.model = exchange.served_model,
        gen_ai.usage.input_tokens = usage.map(|usage| usage.input),
        gen_ai.usage.output_tokens = usage.map(|usage| usage.output),
        http.response.status_code = u64::from(exchange.status),
        error.type = fault,
        weir.route = exchange.route,
        weir.deployment = exchange.deployment,
        weir.attempts = exchange.attempts.len() as u64,
        weir.cost_usd = %exchange.cost,
        weir.cost_unknown = exchange.cost_unknown,
        "exchange",
    );
}

/// A number as `DIGITS` hexadecimal digits.
struct Hex<const DIGITS: usize>(u128);

impl<const DIGITS: usize> fmt::Display for Hex<DIGITS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.0)
    }
}

#[cfg(test)]
mod tests;
