//! The lowest latency.

use super::ranking::{OF, Ranking, duration, forecast, latency};
use super::{Ask, Kind, Order, Policy, Setting, Shape};
use crate::windows::Latency;
use crate::{Chance, Figure, Reason};

pub(super) const KIND: Kind = Kind {
    name: "latency",
    description: "Takes the deployment with the lowest latency to be expected for this request, by the last minute.",
    settings: &[
        OF,
        Setting {
            name: "percentile",
            meaning: "Which percentile of it is compared.",
            shape: Shape::Number(1.0, 99.9),
            default: "95",
        },
        PROBE,
    ],
    build: |build| {
        let settings = build.settings;
        Box::new(LowestLatency {
            ranking: Ranking::new(build.members),
            latency: latency(settings.word("of")),
            share: settings.number("percentile") / 100.0,
            probe: settings.number("probe"),
        })
    },
};

/// A setting of every policy that learns from what it called.
pub(super) const PROBE: Setting = Setting {
    name: "probe",
    meaning: "The share of requests that go to another deployment than the best, so that a change for the better is seen.",
    shape: Shape::Number(0.0, 0.5),
    default: "0.01",
};

/// So many samples' worth of trust the best of all is given for each: what little is known about a deployment counts
/// little, and one about which nothing is known (or no longer) counts as the best and is called.
const PRIOR: f64 = 4.0;

struct LowestLatency {
    ranking: Ranking,
    latency: Latency,
    share: f64,
    probe: f64,
}

impl Policy for LowestLatency {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.ranking.order(
            ask,
            chance,
            self.probe,
            out,
            |ranked, size, health| {
                let forecast = forecast(ask, self.latency, size, health);
                let (seconds, samples) = forecast.map_or((0.0, 0.0), |f| (f.quantile(self.share), f.samples));
                ranked.raw = [seconds, samples, f64::from(size.in_flight), 0.0];
            },
            |all| {
                let known = all.iter().filter(|ranked| ranked.raw[1] > 0.0);
                let best = known.map(|ranked| ranked.raw[0]).min_by(f64::total_cmp).unwrap_or(0.0);
                for ranked in all {
                    let [seconds, samples, in_flight, _] = ranked.raw;
                    ranked.score = (samples * seconds + PRIOR * best) / (samples + PRIOR);
                    ranked.reason = Reason::LowestLatency;
                    ranked.figure = Figure::Latency(duration(ranked.score));
                    if samples <= 0.0 {
                        // One call at a time finds out as well as many.
                        ranked.score *= 1.0 + in_flight;
                        ranked.second = in_flight;
                        ranked.reason = Reason::Unproven;
                    }
                }
            },
        );
    }
}
