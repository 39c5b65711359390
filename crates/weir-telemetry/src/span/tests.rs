use crate::Telemetry;
use crate::tests::{answered, refused, rescued};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use weir_core::Exchange;

type Fields = BTreeMap<&'static str, String>;

/// Collects events of one target at one level.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<Fields>>>);

impl Subscriber for Collected {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "weir::exchange"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Printed(Fields::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Printed(Fields);

impl Visit for Printed {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

fn emitted(spans: bool, exchange: &Exchange<'_>) -> Vec<Fields> {
    let collected = Collected::default();
    let hub = Telemetry::with_writer(spans, None).unwrap();
    tracing::subscriber::with_default(collected.clone(), || hub.recorder().record(exchange));
    collected.0.lock().unwrap().clone()
}

fn check(exchange: &Exchange<'_>, expect: &[(&'static str, &str)]) {
    let fields = emitted(true, exchange).remove(0);
    for (name, value) in expect {
        assert_eq!(fields.get(name).map_or("absent", String::as_str), *value, "{name} of {fields:?}");
    }
}

#[test]
fn an_event_carries_the_trace_and_gen_ai_names() {
    check(
        &Exchange { parent_span: Some(0x17), ..answered() },
        &[
            ("trace_id", "00000000000000000000000000000abc"),
            ("span_id", "0000000000000def"),
            ("parent_span_id", "0000000000000017"),
            ("start_unix_nanos", "1763717000123456000"),
            ("duration_nanos", "900000000"),
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "smart"),
            ("gen_ai.response.model", "gpt-4o"),
            ("gen_ai.usage.input_tokens", "100"),
            ("gen_ai.usage.output_tokens", "30"),
            ("http.response.status_code", "200"),
            ("error.type", "absent"),
            ("weir.cost_usd", "0.0015"),
        ],
    );
    check(&rescued(), &[("weir.attempts", "3"), ("parent_span_id", "absent")]);
    check(&refused(), &[("error.type", "caller"), ("gen_ai.request.model", "absent")]);
}

#[test]
fn events_are_emitted_only_when_asked_for() {
    assert_eq!(emitted(true, &answered()).len(), 1);
    assert_eq!(emitted(false, &answered()).len(), 0);
}
