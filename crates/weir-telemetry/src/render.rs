//! All shards together as OpenMetrics text.

use crate::gauges::Gauges;
use crate::metric::{self, Metric, seconds};
use crate::recorder::NONE;
use crate::series::{CAUSES, Counts, Histogram, OUTCOMES, Shard, TOKEN_TYPES};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weir_core::exchange::AttemptCause;

/// Media type of the rendered text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One deployment as `weir_deployment_info` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentInfo {
    /// Its name in the configuration.
    pub name: String,
    /// Its provider's name.
    pub provider: String,
    /// The upstream model.
    pub model: String,
    /// The operator's own labels. Characters that a label name cannot have become `_`; a name that is taken or
    /// reserved gets the prefix `label_`, and is left out when that is taken too.
    pub labels: Vec<(String, String)>,
}

/// One figure that someone else owns. A name that ends in `_total` is a counter, every other one a gauge.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name of the metric; figures under a name that is counted here are left out with a warning.
    pub metric: &'static str,
    /// One sentence without its full stop. The reference table's text wins where it has one.
    pub help: &'static str,
    /// Label names and values. Samples of equal name and labels, say from two cores, are added up.
    pub labels: Vec<(&'static str, String)>,
    /// The figure, in base units.
    pub value: f64,
}

#[derive(Debug, Default)]
struct Pulled {
    help: &'static str,
    values: BTreeMap<Vec<(&'static str, String)>, f64>,
}

/// Everything there is to show, merged and owned, so that encoding holds no lock.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pairs: BTreeMap<(Box<str>, Box<str>), Counts>,
    in_flight: i64,
    rejected: BTreeMap<&'static str, u64>,
    /// What probes have cost by deployment, in pico-USD.
    probes: BTreeMap<Box<str>, u64>,
    pub(crate) lines_dropped: u64,
    reloads: [(&'static str, u64); 2],
    last_reload_succeeded: bool,
    generation: u64,
    started_millis: u64,
    pub(crate) deployments: Vec<DeploymentInfo>,
    samples: BTreeMap<&'static str, Pulled>,
}

impl Snapshot {
    pub(crate) fn of(shards: &[Arc<Shard>], gauges: &Gauges) -> Self {
        let mut pairs: BTreeMap<_, Counts> = BTreeMap::new();
        let mut rejected = BTreeMap::new();
        let mut probes: BTreeMap<Box<str>, u64> = BTreeMap::new();
        for shard in shards {
            for series in shard.series() {
                let name = (series.route.clone(), series.deployment.clone());
                pairs.entry(name).or_default().absorb(&series.counts);
            }
            for (reason, count) in shard.rejected() {
                *rejected.entry(reason).or_default() += count;
            }
            for (deployment, pico) in shard.probes() {
                let sum = probes.entry(deployment).or_default();
                *sum = sum.saturating_add(pico);
            }
        }
        Snapshot {
            pairs,
            in_flight: shards.iter().map(|shard| shard.in_flight()).sum(),
            rejected,
            probes,
            lines_dropped: 0,
            reloads: gauges.reloads(),
            last_reload_succeeded: gauges.last_succeeded(),
            generation: gauges.generation(),
            started_millis: gauges.started_millis(),
            deployments: Vec::new(),
            samples: BTreeMap::new(),
        }
    }

    pub(crate) fn add_samples(&mut self, samples: Vec<Sample>) {
        for sample in samples {
            if metric::COUNTED.iter().any(|counted| counted.sample_name() == sample.metric) {
                tracing::warn!(
                    metric = sample.metric,
                    "a source offers a metric that telemetry counts itself"
                );
                continue;
            }
            let known = metric::PULLED.iter().find(|pulled| pulled.sample_name() == sample.metric);
            let pulled = self.samples.entry(sample.metric).or_default();
            pulled.help = known.map_or(sample.help, |known| known.help);
            *pulled.values.entry(sample.labels).or_default() += sample.value;
        }
    }

    pub(crate) fn into_text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        if let Err(error) = text::encode(&mut page, &registry) {
            tracing::error!(%error, "metrics could not be rendered in full");
        }
        page
    }

    /// Counters of each pair under the pair's own labels alone.
    fn by_pair<V>(&self, value: impl Fn(&Counts) -> Option<V>) -> Vec<([&str; 2], V)> {
        self.pairs.iter().filter_map(|((r, d), counts)| Some(([&**r, &**d], value(counts)?))).collect()
    }

    /// Counters of each pair that are further told apart by one more label; those never counted are left out.
    fn by_pair_and<'s, const N: usize>(
        &'s self,
        names: [&'static str; N],
        cells: impl Fn(&'s Counts) -> &'s [AtomicU64; N],
    ) -> Vec<([&'s str; 3], u64)> {
        let mut samples = Vec::new();
        for ((route, deployment), counts) in &self.pairs {
            for (name, cell) in names.into_iter().zip(cells(counts)) {
                samples.push(([&**route, &**deployment, name], cell.load(Relaxed)));
            }
        }
        samples.retain(|(_, count)| *count > 0);
        samples
    }

    /// Counters summed over the deployments of each route.
    fn by_route(&self, value: impl Fn(&Counts) -> u64) -> Vec<([&str; 1], u64)> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for ((route, _), counts) in &self.pairs {
            let sum = sums.entry(route).or_default();
            *sum = sum.saturating_add(value(counts));
        }
        sums.into_iter().map(|(route, sum)| ([route], sum)).collect()
    }

    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counters(encoder, &metric::REQUESTS, &self.by_pair_and(OUTCOMES, |c| &c.requests))?;
        self.encode_histogram(encoder, &metric::DURATION, |c| (&c.duration, &c.sums.duration))?;
        self.encode_histogram(encoder, &metric::FIRST_TOKEN, |c| (&c.first_token, &c.sums.first_token))?;
        self.encode_histogram(encoder, &metric::PER_TOKEN, |c| (&c.per_token, &c.sums.per_token))?;
        self.encode_histogram(encoder, &metric::OVERHEAD, |c| (&c.overhead, &c.sums.overhead))?;
        self.encode_histogram(encoder, &metric::CONNECT, |c| (&c.connect, &c.sums.connect))?;
        self.encode_histogram(encoder, &metric::TLS, |c| (&c.tls, &c.sums.tls))?;
        self.encode_histogram(encoder, &metric::FIRST_BYTE, |c| (&c.first_byte, &c.sums.first_byte))?;
        self.encode_histogram(encoder, &metric::QUEUED_TIME, |c| (&c.queued, &c.queued_nanos))?;
        counters(encoder, &metric::TOKENS, &self.by_pair_and(TOKEN_TYPES, |c| &c.tokens))?;
        let requests = self.by_pair(|c| positive(&c.cost_pico_usd).map(usd)).into_iter();
        let requests = requests.map(|([route, deployment], usd)| ([route, deployment, "request"], usd));
        let probes = self.probes.iter().filter(|(_, pico)| **pico > 0);
        let probes = probes.map(|(deployment, pico)| ([NONE, &**deployment, "probe"], usd(*pico)));
        counters(encoder, &metric::COST, &requests.chain(probes).collect::<Vec<_>>())?;
        counters(encoder, &metric::COST_UNKNOWN, &self.by_pair(|c| positive(&c.cost_unknown)))?;
        counters(encoder, &metric::ESTIMATED, &self.by_pair(|c| positive(&c.estimated)))?;
        self.encode_attempts(encoder)?;
        counters(encoder, &metric::REQUEST_BYTES, &self.by_route(|c| c.request_bytes.load(Relaxed)))?;
        counters(encoder, &metric::RESPONSE_BYTES, &self.by_route(|c| c.response_bytes.load(Relaxed)))
    }

    fn encode_attempts(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut samples = Vec::new();
        for ((route, deployment), counts) in &self.pairs {
            for (cause, row) in CAUSES.into_iter().zip(&counts.attempts) {
                for (outcome, cell) in OUTCOMES.into_iter().zip(row) {
                    samples.push(([&**route, &**deployment, cause.name(), outcome], cell.load(Relaxed)));
                }
            }
        }
        samples.retain(|(_, count)| *count > 0);
        counters(encoder, &metric::ATTEMPTS, &samples)?;
        counters(encoder, &metric::LEFT_OUT, &self.by_pair(|c| positive(&c.left_out)))?;
        let caused = |wanted: AttemptCause| {
            move |counts: &Counts| {
                let rows = CAUSES.into_iter().zip(&counts.attempts).filter(|(cause, _)| *cause == wanted);
                rows.flat_map(|(_, row)| row).map(|cell| cell.load(Relaxed)).sum()
            }
        };
        counters(encoder, &metric::RETRIES, &self.by_route(caused(AttemptCause::Retry)))?;
        counters(encoder, &metric::HEDGES, &self.by_route(caused(AttemptCause::Hedge)))?;
        counters(encoder, &metric::FALLBACKS, &self.by_route(caused(AttemptCause::Fallback)))
    }

    fn encode_process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        gauge(encoder, &metric::IN_FLIGHT, &self.in_flight)?;
        let rejected: Vec<_> = self.rejected.iter().map(|(reason, count)| ([*reason], *count)).collect();
        counters(encoder, &metric::REJECTED, &rejected)?;
        counters(encoder, &metric::LINES_DROPPED, &[([], self.lines_dropped)])?;
        counters(encoder, &metric::RELOADS, &self.reloads.map(|(outcome, count)| ([outcome], count)))?;
        gauge(encoder, &metric::RELOAD_SUCCESS, &i64::from(self.last_reload_succeeded))?;
        gauge(encoder, &metric::GENERATION, &self.generation)?;
        if self.started_millis > 0 {
            gauge(encoder, &metric::STARTED, &seconds(self.started_millis.saturating_mul(1_000_000)))?;
        }
        Ok(())
    }

    fn encode_deployments(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.deployments.is_empty() {
            return Ok(());
        }
        let mut family = describe(encoder, &metric::DEPLOYMENTS)?;
        for deployment in &self.deployments {
            family.encode_info(&info_labels(deployment))?;
        }
        Ok(())
    }

    fn encode_samples(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, pulled) in &self.samples {
            let help = format!("{}.", pulled.help);
            let counter = name.strip_suffix("_total");
            let kind = if counter.is_some() { MetricType::Counter } else { MetricType::Gauge };
            let mut family = encoder.encode_descriptor(counter.unwrap_or(name), &help, None, kind)?;
            for (labels, value) in &pulled.values {
                let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                with_labels(&mut family, &labels, |sample| match counter {
                    Some(_) => sample.encode_counter::<NoLabelSet, f64, f64>(value, None),
                    None => sample.encode_gauge(value),
                })?;
            }
        }
        Ok(())
    }

    fn encode_histogram<const N: usize>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        metric: &Metric,
        of: impl Fn(&Counts) -> (&Histogram<N>, &AtomicU64),
    ) -> fmt::Result {
        let samples = self.by_pair(|counts| {
            let (histogram, sum) = of(counts);
            let (buckets, sum) = (histogram.read(), sum.load(Relaxed));
            let count: u64 = buckets.iter().sum();
            (count > 0).then_some((buckets, sum, count))
        });
        if samples.is_empty() {
            return Ok(());
        }
        let bounds = metric.bounds.iter().map(|&nanos| seconds(nanos)).chain([f64::INFINITY]);
        let mut family = describe(encoder, metric)?;
        for (values, (buckets, sum, count)) in samples {
            let buckets: Vec<(f64, u64)> = bounds.clone().zip(buckets).collect();
            with_labels(&mut family, &labelled(metric, &values), |sample| {
                sample.encode_histogram::<NoLabelSet>(seconds(sum), count, &buckets, None)
            })?;
        }
        Ok(())
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_requests(&mut encoder)?;
        self.encode_process(&mut encoder)?;
        self.encode_deployments(&mut encoder)?;
        self.encode_samples(&mut encoder)
    }
}

fn positive(cell: &AtomicU64) -> Option<u64> {
    Some(cell.load(Relaxed)).filter(|&count| count > 0)
}

fn usd(pico: u64) -> f64 {
    weir_core::Cost::from_pico_usd(i128::from(pico)).approx_usd()
}

fn describe<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    metric: &Metric,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(metric.name, &format!("{}.", metric.help), None, metric.kind)
}

/// The table's label names with these values.
fn labelled<'v>(metric: &Metric, values: &[&'v str]) -> Vec<(&'static str, &'v str)> {
    metric.labels.iter().copied().zip(values.iter().copied()).collect()
}

fn with_labels(
    family: &mut MetricEncoder<'_>,
    labels: &Vec<(&str, &str)>,
    write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if labels.is_empty() { write(family) } else { write(&mut family.encode_family(labels)?) }
}

fn counters<V: EncodeCounterValue, const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    samples: &[([&str; N], V)],
) -> fmt::Result {
    if samples.is_empty() {
        return Ok(());
    }
    let mut family = describe(encoder, metric)?;
    for (values, value) in samples {
        with_labels(&mut family, &labelled(metric, values), |sample| {
            sample.encode_counter::<NoLabelSet, V, f64>(value, None)
        })?;
    }
    Ok(())
}

fn gauge<V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    value: &V,
) -> fmt::Result {
    describe(encoder, metric)?.encode_gauge(value)
}

fn info_labels(deployment: &DeploymentInfo) -> Vec<(String, &str)> {
    let own = [deployment.name.as_str(), &deployment.provider, &deployment.model];
    let mut labels: Vec<(String, &str)> =
        metric::DEPLOYMENTS.labels.iter().map(|&name| name.to_owned()).zip(own).collect();
    for (name, value) in &deployment.labels {
        let mut name = label_name(name);
        let taken = |labels: &[(String, &str)], name: &str| labels.iter().any(|(known, _)| known == name);
        // Names that begin with two underscores are Prometheus' own.
        if name.starts_with("__") || taken(&labels, &name) {
            name.insert_str(0, "label_");
        }
        if !taken(&labels, &name) {
            labels.push((name, value));
        }
    }
    labels
}

/// The nearest label name: `[a-zA-Z_][a-zA-Z0-9_]*`, as the Prometheus data model has it
/// (<https://prometheus.io/docs/concepts/data_model/>).
fn label_name(text: &str) -> String {
    let mut name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests;
