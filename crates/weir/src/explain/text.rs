//! A decision as text: what the admin API tells as JSON, for people.

use serde_json::Value as Json;
use std::fmt::Write;

/// A decision, or what would be decided, in lines.
pub(super) fn text(told: &Json) -> String {
    let mut out = String::new();
    if told["plans"].is_null() {
        refused(&mut out, &told["refused"]);
        return out;
    }
    let _infallible = head(&mut out, told);
    rules(&mut out, list(&told["rules"]));
    for plan in list(&told["plans"]) {
        self::plan(&mut out, plan);
    }
    calls(&mut out, told);
    if let Some(most) = told["queues_up_to_ms"].as_f64() {
        let _infallible =
            write!(out, "\nevery place is taken: it would wait for one, {} at most\n", time(most));
    }
    if let Some(first) = told["first_call"].as_str() {
        let _infallible = write!(out, "\nfirst call: {first}\n");
    }
    if !told["refused"].is_null() {
        out.push('\n');
        refused(&mut out, &told["refused"]);
    }
    if let Some(lines) = told["left_out"].as_u64() {
        let _infallible = write!(out, "\n{lines} more lines were not kept\n");
    }
    out
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn refused(out: &mut String, refused: &Json) {
    let (status, code) = (&refused["status"], word(refused, "code"));
    let _infallible = writeln!(out, "the client would get {status} {code}: {}", word(refused, "message"));
}

/// What was asked, and what became of it.
fn head(out: &mut String, told: &Json) -> std::fmt::Result {
    if let Some(outcome) = told["outcome"].as_str() {
        write!(out, "{}: {}", word(told, "id"), fault(outcome))?;
        if let Some(status) = told["status"].as_u64() {
            write!(out, ", {status} {}", word(told, "code"))?;
            out.truncate(out.trim_end().len());
        }
        if let Some(total) = told["total_ms"].as_f64() {
            write!(out, " after {}", time(total))?;
        }
        if let Some(first) = told["first_token_ms"].as_f64() {
            write!(out, ", first token after {}", time(first))?;
        }
        if told["dry_run"] == true {
            write!(out, ", a dry run")?;
        }
        if let Some(cost) = told["cost_usd"].as_str().filter(|cost| *cost != "0") {
            write!(out, ", ${cost}")?;
        }
        if told["cost_unknown"] == true {
            write!(out, ", cost unknown")?;
        }
        writeln!(out)?;
        if let Some(at) = told["at"].as_str() {
            writeln!(out, "asked at {at}")?;
        }
    }
    write!(out, "model {}: about {} tokens of prompt", word(told, "model"), told["prompt_tokens"])?;
    if let Some(most) = told["output_tokens"].as_u64() {
        write!(out, ", up to {most} of answer")?;
    }
    let uses: Vec<&str> = list(&told["uses"]).iter().filter_map(Json::as_str).collect();
    if !uses.is_empty() {
        write!(out, ", uses {}", uses.join(", "))?;
    }
    if told["stream"] == true {
        write!(out, ", a stream")?;
    }
    if let Some(key) = told["key"].as_str() {
        write!(out, ", key {key}")?;
    }
    if let Some(hints) = told["hints"].as_object() {
        let said = hints.iter().map(|(name, value)| match value {
            Json::Bool(_) => name.clone(),
            value => format!("{name} {value}"),
        });
        write!(out, ", asks by header for {}", said.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(usage) = told["usage"].as_object() {
        let (input, output) = (&usage["input"], &usage["output"]);
        write!(out, "; took {input} and gave {output} ({})", usage["source"].as_str().unwrap_or_default())?;
    }
    writeln!(out)
}

fn rules(out: &mut String, rules: &[Json]) {
    if rules.is_empty() {
        return;
    }
    out.push_str("\nrules\n");
    for rule in rules {
        let mark = match rule["holds"].as_bool() {
            Some(true) => "✓",
            Some(false) => "·",
            None => "–",
        };
        let _infallible = write!(out, "  {mark} {} / {}", word(rule, "route"), word(rule, "rule"));
        match rule["holds"].as_bool() {
            Some(true) => {
                let _infallible = write!(out, " → {}", word(rule, "use"));
            }
            Some(false) => {}
            None => out.push_str(" (not tried)"),
        }
        out.push('\n');
        conditions(out, list(&rule["conditions"]), 6);
    }
}

/// Conditions, and further in what each is made of.
fn conditions(out: &mut String, all: &[Json], indent: usize) {
    for condition in all {
        let parts = list(&condition["conditions"]);
        let holds = if condition["holds"] == true { "yes" } else { "no " };
        let colon = if parts.is_empty() { "" } else { ":" };
        let _infallible = writeln!(out, "{:indent$}{holds}  {}{colon}", "", word(condition, "condition"));
        conditions(out, parts, indent + 5);
    }
}

fn plan(out: &mut String, plan: &Json) {
    let pool = plan["pool"].as_str().map_or_else(String::new, |pool| format!(", pool {pool}"));
    let place = format!("{}{pool}, by {}", word(plan, "route"), word(plan, "policy"));
    let on: Vec<&str> = list(&plan["fallback_on"]).iter().filter_map(Json::as_str).collect();
    let _infallible = match (plan["fallback_on"].is_array(), on.is_empty()) {
        (false, _) => write!(out, "\nroute {place}"),
        (true, true) => write!(out, "\nfallback {place}"),
        (true, false) => write!(out, "\nfallback {place} (after {})", on.join(", ")),
    };
    if let Some(most) = plan["calls_at_most"].as_u64().filter(|most| *most > 1) {
        let _infallible = write!(out, ", up to {most} calls");
    }
    out.push('\n');
    let mut rows = Vec::new();
    for (nth, candidate) in (1..).zip(list(&plan["candidates"])) {
        rows.push(row(format!("{nth}."), candidate));
    }
    for dropped in list(&plan["dropped"]) {
        rows.push(row("✗".to_owned(), dropped));
    }
    for other in list(&plan["others"]) {
        rows.push(row("–".to_owned(), other));
    }
    if rows.is_empty() {
        out.push_str("  nobody\n");
    }
    table(out, &rows);
}

fn row(mark: String, of: &Json) -> Vec<String> {
    let refused = &of["in_spite_of"];
    let refused = if refused.is_null() { String::new() } else { format!(", though {}", reason(refused)) };
    let why = format!("{}{refused}", reason(of));
    vec![mark, word(of, "deployment").to_owned(), why, figures(of).join(" · ")]
}

fn reason(of: &Json) -> String {
    let said = match word(of, "reason") {
        "lacks_capability" => format!("does not take {}", word(of, "lacks")),
        "context_too_small" => "its context window is too small".to_owned(),
        "output_too_small" => "gives no answers as long as that".to_owned(),
        "label_required" => "is not what the route requires".to_owned(),
        "operation_not_served" => "has no operation like that".to_owned(),
        "other_region" => "is in no region that was asked for".to_owned(),
        "barred" => "has failed this request already".to_owned(),
        other => words(other),
    };
    match of["for_ms"].as_f64() {
        Some(left) => format!("{said} for {} more", time(left)),
        None => said,
    }
}

/// What was known of a deployment: as the policy saw it, then as it was besides.
fn figures(of: &Json) -> Vec<String> {
    let now = &of["now"];
    let number = |name: &str| of[name].as_f64().or_else(|| now[name].as_f64());
    let mut all = Vec::new();
    all.extend(number("expected_ms").map(|ms| format!("expected {}", time(ms))));
    all.extend(
        of["chance_in_budget"].as_f64().map(|chance| format!("in budget with {:.1} %", chance * 100.0)),
    );
    all.extend(of["score"].as_f64().map(|score| format!("score {score}")));
    let cached = of["cached_tokens"].as_u64().filter(|tokens| *tokens > 0);
    all.extend(cached.map(|tokens| format!("{tokens} tokens cached")));
    for (name, what) in [("first_token", "first token"), ("total", "answer")] {
        let kept = of[format!("{name}_p95_ms")].as_f64();
        let p95 = kept.or_else(|| now[format!("{name}_ms")]["p95"].as_f64());
        all.extend(p95.map(|ms| format!("{what} p95 {}", time(ms))));
    }
    let cost = of["expected_cost_usd"].as_str().or_else(|| now["expected_cost_usd"].as_str());
    match (cost, now["price_from"].as_str()) {
        (_, Some("unknown")) => all.push("price unknown".to_owned()),
        (Some(cost), Some(from)) if from.starts_with("catalog ") => {
            all.push(format!("about ${cost} ({from})"));
        }
        (cost, _) => all.extend(cost.map(|cost| format!("about ${cost}"))),
    }
    all.extend(number("quality").map(|quality| format!("quality {quality}")));
    all.extend(number("in_flight").filter(|n| *n > 0.0).map(|n| format!("{n} in flight")));
    all.extend(number("work_under_way_ms").map(|ms| format!("{} of work under way", time(ms))));
    if let Some(failed) = now["calls"]["failed"].as_u64().filter(|failed| *failed > 0) {
        let well = now["calls"]["well"].as_u64().unwrap_or_default();
        all.push(format!("{failed} of {} calls failed", failed + well));
    }
    let breaker = now["breaker"].as_str().filter(|state| *state != "closed");
    all.extend(breaker.map(|state| format!("breaker {}", words(state))));
    all
}

fn calls(out: &mut String, told: &Json) {
    let attempts = list(&told["attempts"]);
    if attempts.is_empty() {
        return;
    }
    out.push_str("\ncalls\n");
    let mut waits = list(&told["waits"]).iter().peekable();
    let mut rows = Vec::new();
    for (nth, attempt) in (1..).zip(attempts) {
        let began = attempt["began_ms"].as_f64().unwrap_or_default();
        while let Some(wait) = waits.next_if(|wait| wait["at_ms"].as_f64().is_some_and(|at| at <= began)) {
            rows.push(waited(wait));
        }
        rows.push(called(attempt["nth"].as_u64().unwrap_or(nth), began, attempt));
    }
    rows.extend(waits.map(waited));
    table(out, &rows);
}

fn called(nth: u64, began: f64, attempt: &Json) -> Vec<String> {
    let took = |name: &str| attempt[name].as_f64().map(time);
    let set_up = took("connect_ms").map(|after| format!("connected in {after}, ")).unwrap_or_default();
    let first = took("first_byte_ms").map(|after| format!("head after {after}, ")).unwrap_or_default();
    let took =
        took("ms").map_or_else(|| format!("{set_up}runs"), |took| format!("{set_up}{first}took {took}"));
    let end = match attempt["fault"].as_str() {
        Some(class) => {
            let (code, blame) = (word(attempt, "code"), word(attempt, "blame"));
            let told = format!("{} {code}", attempt["status"]);
            let by = if class == blame { String::new() } else { format!(" by the {blame}") };
            format!("{}{by}: {}", fault(class), told.trim_end())
        }
        None if attempt["aborted"] == true => "cancelled: another answered first".to_owned(),
        None if attempt["ms"].is_null() => String::new(),
        None => "answered".to_owned(),
    };
    let cost = match (attempt["cost_usd"].as_str().filter(|cost| *cost != "0"), &attempt["cost_unknown"]) {
        (_, Json::Bool(true)) => Some("cost unknown".to_owned()),
        (cost, _) => cost.map(|cost| format!("${cost}")),
    };
    let deployment = word(attempt, "deployment").to_owned();
    let (cause, began) = (words(word(attempt, "cause")), format!("at {}", time(began)));
    vec![format!("{nth}."), deployment, cause, began, took, end, cost.unwrap_or_default()]
}

fn waited(wait: &Json) -> Vec<String> {
    let of = |name: &str| time(wait[name].as_f64().unwrap_or_default());
    let why = words(word(wait, "why"));
    vec!["–".to_owned(), "wait".to_owned(), why, format!("at {}", of("at_ms")), format!("took {}", of("ms"))]
}

/// A class of faults, or an outcome.
fn fault(name: &str) -> String {
    match name {
        "caller" | "gateway" => format!("a fault of the {name}"),
        other => words(other),
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Milliseconds as people write a time.
fn time(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{} ms", (ms * 100.0).round() / 100.0),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{} s", (ms / 100.0).round() / 10.0),
    }
}

/// Rows whose columns stand below each other.
fn table(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            let gap = if line.len() == 1 { 1 } else { 2 };
            let _infallible = write!(line, "{:gap$}{cell:<width$}", "");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests;
