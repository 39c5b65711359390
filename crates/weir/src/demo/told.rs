//! What becomes of the user's own requests: a line for each, made of the gateway's access log.

use super::paint::Paint;
use super::summary::time;
use serde_json::Value;
use std::io::{self, Write};
use std::time::Duration;

/// A line of the log at most; the gateway's own are far shorter.
const LONGEST: usize = 64 * 1024;

/// Takes access-log lines and writes a short line for each to `out`.
pub(super) struct Told<W> {
    out: W,
    paint: Paint,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    count: u64,
}

impl<W: Write> Told<W> {
    pub(super) fn new(out: W, paint: Paint) -> Self {
        Told { out, paint, begun: Vec::new(), count: 0 }
    }
}

/// The heading of the lines.
pub(super) fn heading(paint: Paint) -> String {
    let model = "model";
    paint.dim(&format!(
        "{:>4}  {:<6}  {model:<12}{:>9}  {:>11}  {:>10}   answered by",
        "", "status", "total", "first token", "cost USD"
    ))
}

impl<W: Write> Write for Told<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.len() + piece.len() <= LONGEST {
                self.begun.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                if let Ok(entry) = serde_json::from_slice::<Value>(&line) {
                    self.count += 1;
                    writeln!(self.out, "{}", short(self.count, &entry, self.paint))?;
                }
            }
        }
        self.out.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// One request in one line: what it asked for, how long it took, what it cost, and who was called on its way.
fn short(number: u64, entry: &Value, paint: Paint) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let ms = |key: &str| entry[key].as_f64().map(|ms| time(Duration::from_secs_f64(ms.max(0.0) / 1000.0)));
    let status = entry["status"].as_u64().unwrap_or_default();
    let status = match text("outcome") {
        "ok" => paint.good(&format!("{status:<6}")),
        "client_gone" => paint.bad("left  "),
        _ if status == 200 => paint.bad("broken"), // after its first words: its head had gone out
        _ => paint.bad(&format!("{status:<6}")),
    };
    let model = if entry["model"].is_string() { text("model") } else { "–" };
    let model: String = model.chars().filter(|c| !c.is_control()).take(24).collect();
    let cost: f64 = text("cost_usd").parse().unwrap_or_default();
    let (total, first) = (ms("total_ms").unwrap_or_default(), ms("first_token_ms").unwrap_or("–".to_owned()));
    format!("{number:>4}  {status}  {model:<12}{total:>9}  {first:>11}  {cost:>10.6}   {}", way(entry, paint))
}

/// Everybody who was called, in order, those who failed with their fault; how it ended when nobody answered.
fn way(entry: &Value, paint: Paint) -> String {
    let mut steps: Vec<String> = Vec::new();
    for attempt in entry["attempted"].as_array().into_iter().flatten() {
        let name = attempt["deployment"].as_str().unwrap_or_default();
        steps.push(match attempt["fault"].as_str() {
            Some(fault) => paint.bad(&format!("{name} ({fault})")),
            None => name.to_owned(),
        });
    }
    if steps.is_empty() {
        steps.extend(entry["deployment"].as_str().map(str::to_owned));
    }
    if steps.is_empty() {
        steps.extend(entry["code"].as_str().map(|code| paint.bad(code)));
    }
    if steps.is_empty() { "–".to_owned() } else { steps.join(" → ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(entries: &[Value], expect: &str) {
        let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
        // However the pieces are cut.
        for size in [1, 7, lines.len()] {
            let mut out = Vec::new();
            let mut told = Told::new(&mut out, Paint::Plain);
            lines.as_bytes().chunks(size).for_each(|piece| told.write_all(piece).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), expect, "in pieces of {size}");
        }
    }

    #[test]
    fn a_request_is_a_line() {
        let plain = json!({ "status": 200, "outcome": "ok", "model": "demo", "deployment": "bargain",
            "cost_usd": "0.00001512", "total_ms": 1210.4, "first_token_ms": 421.9 });
        let retried = json!({ "status": 200, "outcome": "ok", "model": "demo-flaky", "deployment": "quick-small",
            "attempted": [{ "deployment": "flaky", "fault": "server_error" }, { "deployment": "quick-small" }],
            "cost_usd": "0", "total_ms": 90.0 });
        let unknown = json!({ "status": 404, "outcome": "caller", "model": "demo-fas", "code": "model_not_found",
            "cost_usd": "0", "total_ms": 0.2 });
        let listing = json!({ "status": 200, "outcome": "ok", "cost_usd": "0", "total_ms": 0.3 });
        let left = json!({ "status": 200, "outcome": "client_gone", "model": "demo", "deployment": "thinker",
            "cost_usd": "0", "total_ms": 2000.0 });
        let broken = json!({ "status": 200, "outcome": "truncated", "model": "demo", "deployment": "flaky",
            "attempted": [{ "deployment": "flaky", "fault": "truncated" }], "cost_usd": "0", "total_ms": 1.0 });
        let expect = [
            "   1  200     demo           1.21 s       421 ms    0.000015   bargain",
            "   2  200     demo-flaky      90 ms            –    0.000000   flaky (server_error) → quick-small",
            "   3  404     demo-fas         0 ms            –    0.000000   model_not_found",
            "   4  200     –                0 ms            –    0.000000   –",
            "   5  left    demo           2.00 s            –    0.000000   thinker",
            "   6  broken  demo             1 ms            –    0.000000   flaky (truncated)",
            "",
        ];
        check(&[plain, retried, unknown, listing, left, broken], &expect.join("\n"));
        assert_eq!(
            heading(Paint::Plain),
            "      status  model           total  first token    cost USD   answered by"
        );
    }
}
