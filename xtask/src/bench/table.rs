//! Figures for people.

use std::fmt::Write;
use std::time::Duration;

/// One run of one target in one scenario.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) target: &'static str,
    pub(super) scenario: &'static str,
    pub(super) repetition: usize,
    /// CPU time of the gateway's process for one request, or for one event of a stream.
    pub(super) cpu_micros: Option<f64>,
    /// Requests or events.
    pub(super) per_second: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
}

/// Says what the figures mean.
pub(super) fn head(pinned: bool, repetitions: usize, took: Duration) -> String {
    let cores = if pinned {
        "the gateway alone on one core, load and upstream on another"
    } else {
        "nothing pinned (one core only, or no taskset): figures are noisy"
    };
    format!(
        "\n{cores}; median of {repetitions} runs, {:.0} s in all\nCPU: of the gateway's process, for a request or a \
         stream's event; ratio: of CPU to nginx's in the same repetition,\nwithout nginx of p50 to a direct call's; p50 \
         and p99: until a whole answer, or a stream's first bytes",
        took.as_secs_f64()
    )
}

/// The table of one scenario.
pub(super) fn scenario(name: &str, stream: bool, targets: &[&str], rows: &[Row]) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.scenario == name).collect();
    let unit = if stream { "events/s" } else { "requests/s" };
    let mut out =
        format!("\n{name:<12} {:>9} {:>7} {unit:>11} {:>9} {:>9}\n", "CPU µs", "ratio", "p50 µs", "p99 µs");
    let base = if targets.contains(&"nginx") { "nginx" } else { "direct" };
    for &target in targets {
        let own = || rows.iter().copied().filter(move |row| row.target == target);
        let cpu = median(own().filter_map(|row| row.cpu_micros).collect());
        let ratios = own().filter_map(|row| {
            let base =
                rows.iter().find(|other| other.target == base && other.repetition == row.repetition)?;
            ratio(row, base)
        });
        let _ = writeln!(
            out,
            "{target:<12} {:>9} {:>7} {:>11} {:>9} {:>9}",
            shown(cpu, 1),
            shown(median(ratios.collect()), 2),
            shown(median(own().map(|row| row.per_second).collect()), 0),
            shown(median(own().map(|row| row.p50_micros).collect()), 0),
            shown(median(own().map(|row| row.p99_micros).collect()), 0),
        );
    }
    out.trim_end().to_owned()
}

/// What it costs beside the base: by CPU time where both have some, else by latency where neither is asked for its own.
fn ratio(row: &Row, base: &Row) -> Option<f64> {
    match (row.cpu_micros, base.cpu_micros) {
        (Some(own), Some(base)) => Some(own / base),
        (_, None) => Some(row.p50_micros / base.p50_micros),
        (None, Some(_)) => None,
    }
}

/// The middle value, or the mean of the two middle ones.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(values.len() / 2 - 1).map(|lower| f64::midpoint(*lower, upper))
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.filter(|value| value.is_finite()).map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_repetition() {
        let row = |target, repetition, cpu: Option<f64>, p50| Row {
            target,
            scenario: "small",
            repetition,
            cpu_micros: cpu,
            per_second: 1000.0,
            p50_micros: p50,
            p99_micros: 2.0 * p50,
        };
        // The machine is slower in every repetition, the ratio stays.
        let rows: Vec<Row> = [10.0, 20.0, 40.0]
            .iter()
            .enumerate()
            .flat_map(|(nth, slow)| {
                [
                    row("direct", nth, None, *slow),
                    row("nginx", nth, Some(*slow), 2.0 * slow),
                    row("weir", nth, Some(1.5 * slow), 3.0 * slow),
                ]
            })
            .collect();
        let check = |targets: &[&str], expect: &[&[&str]]| {
            let text = scenario("small", false, targets, &rows);
            let cells: Vec<Vec<&str>> =
                text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
            assert_eq!(cells, expect, "{text}");
        };
        check(
            &["direct", "nginx", "weir"],
            &[
                &["direct", "–", "–", "1000", "20", "40"],
                &["nginx", "20.0", "1.00", "1000", "40", "80"],
                &["weir", "30.0", "1.50", "1000", "60", "120"],
            ],
        );
        check(
            &["direct", "weir"],
            &[&["direct", "–", "1.00", "1000", "20", "40"], &["weir", "30.0", "3.00", "1000", "60", "120"]],
        );
    }

    #[test]
    fn medians_are_in_the_middle() {
        let check = |values: &[f64], expect: Option<f64>| assert_eq!(median(values.to_vec()), expect);
        check(&[], None);
        check(&[3.0, 1.0, 2.0], Some(2.0));
        check(&[4.0, 1.0], Some(2.5));
    }
}
