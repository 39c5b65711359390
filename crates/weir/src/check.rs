//! `weir check`: everything there is to say about a configuration file, for people or for programs.

use crate::cli::{Failure, say};
use crate::source;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;
use weir_config::{Config, Overrides, Problem, Problems, path_key};
use weir_core::Pricing;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "WEIR_CONFIG",
        hide_env_values = true,
        default_value = "weir.yaml"
    )]
    config: PathBuf,
    /// Take warnings as problems: exit code 2
    #[arg(long)]
    strict: bool,
    /// Say it as one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Checks a file and says what it found. Problems are a failure; warnings are one only when asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut draft = source::draft(&arguments.config, &Overrides::default());
    let passed = draft.config.as_ref().map(|config| deprecated(config, &today())).unwrap_or_default();
    draft.warnings.extend(passed);
    let warnings = sorted(std::mem::take(&mut draft.warnings));
    let checked = draft.finish();
    let fine = checked.is_ok() && (warnings.is_empty() || !arguments.strict);
    let problems = checked.as_ref().err().map_or_else(Vec::new, |all| all.iter().cloned().collect());
    if arguments.json {
        let counts = checked.as_ref().ok().map(|(config, _)| (config.deployments.len(), routes(config)));
        say(&format!(
            "{:#}",
            json!({
                "file": arguments.config.display().to_string(),
                "fine": fine,
                "deployments": counts.map(|(deployments, _)| deployments),
                "routes": counts.map(|(_, (routes, _))| routes),
                "classes": counts.map(|(_, (_, classes))| classes),
                "catalog": checked.as_ref().ok().map(|(config, _)| listed(config)),
                "problems": problems.iter().map(entry).collect::<Vec<_>>(),
                "warnings": warnings.iter().map(entry).collect::<Vec<_>>(),
            })
        ))?;
        return if fine { Ok(()) } else { Err(Failure::Told) };
    }
    for problem in &problems {
        tell(&problem.to_string())?;
    }
    for warning in &warnings {
        tell(&format!("warning: {warning}"))?;
    }
    let warned = (!warnings.is_empty()).then(|| count(warnings.len(), "warning"));
    match checked {
        Ok((config, _)) if fine => {
            let (routes, classes) = routes(&config);
            let mut found = vec![count(config.deployments.len(), "deployment"), count(routes, "route")];
            if classes > 0 {
                let plural = if classes == 1 { "" } else { "es" };
                found.push(format!("{classes} class{plural} of models"));
            }
            found.extend(warned);
            say(&format!("{}: fine ({})", arguments.config.display(), found.join(", ")))?;
            let notes = notes(&config);
            if notes.is_empty() { Ok(()) } else { say(notes.trim_end()) }
        }
        Ok(_) => Err(Failure::Usage(format!("\n{} in the configuration", count(warnings.len(), "warning")))),
        Err(problems) => {
            let warned = warned.map_or_else(String::new, |warned| format!(" and {warned}"));
            Err(Failure::Usage(format!(
                "\n{}{warned} in the configuration",
                count(problems.len(), "problem")
            )))
        }
    }
}

/// How many routes the file has, and how many classes make one beside them.
fn routes(config: &Config) -> (usize, usize) {
    let written = config.routes.iter().filter(|route| route.is_written).count();
    (written, config.routes.len() - written)
}

/// A number of things, in words.
pub(crate) fn count(n: usize, one: &str) -> String {
    match one.strip_suffix('y') {
        Some(stem) if n != 1 => format!("{n} {stem}ies"),
        _ => format!("{n} {one}{}", if n == 1 { "" } else { "s" }),
    }
}

/// The present day in UTC, `2026-11-21`.
pub(crate) fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    day(since.as_secs() / 86_400)
}

/// The calendar's day so many days after 1970-01-01, by the Gregorian calendar's cycle of 400 years
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn day(days: u64) -> String {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Deployments whose vendor does not promise their model any more.
fn deprecated(config: &Config, today: &str) -> Vec<Problem> {
    let all = config.deployments.iter().filter_map(|deployment| {
        let listed = deployment.listed.as_ref()?;
        let date = listed.deprecated.as_deref().filter(|date| *date <= today)?;
        let path = path_key(&path_key("deployments", &deployment.name), "model");
        let message = format!("deprecated since {date}, as the catalogue has it ({})", listed.entry);
        Some(Problem::new(&deployment.at, path, message).with_help("its vendor may refuse it any day"))
    });
    all.collect()
}

/// What deployments have from the catalogue, and whose price nobody knows.
fn notes(config: &Config) -> String {
    let mut text = String::new();
    for deployment in &config.deployments {
        let from = deployment.listed.as_ref().filter(|listed| !listed.taken.is_empty());
        let from = from.map(|listed| {
            let date = listed.source.as_ref().map_or(String::new(), |source| format!(" of {}", source.date));
            format!("{} from the catalogue ({}{date})", listed.taken.join(", "), listed.entry)
        });
        let unknown = matches!(deployment.pricing, Pricing::Unknown).then(|| "price unknown".to_owned());
        let notes: Vec<String> = from.into_iter().chain(unknown).collect();
        if !notes.is_empty() {
            text.push_str(&format!("  {}: {}\n", deployment.name, notes.join("; ")));
        }
    }
    text
}

/// The same for programs.
fn listed(config: &Config) -> Json {
    let of = |deployment: &weir_config::Deployment| {
        let listed = deployment.listed.as_ref();
        let mut all = listed.map_or_else(|| json!({}), weir_config::Listed::to_json);
        all["entry"] = json!(listed.map(|listed| &*listed.entry));
        all["price_known"] = json!(!matches!(deployment.pricing, Pricing::Unknown));
        (deployment.name.to_string(), all)
    };
    Json::Object(config.deployments.iter().map(of).collect())
}

fn sorted(warnings: Vec<Problem>) -> Vec<Problem> {
    Problems::none_of(warnings).err().map_or_else(Vec::new, |all| all.into_iter().collect())
}

fn tell(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stderr(), "{line}").map_err(|e| Failure::Runtime(format!("writing to stderr: {e}")))
}

fn entry(problem: &Problem) -> Json {
    json!({
        "file": *problem.at.file,
        "line": problem.at.line,
        "column": problem.at.column,
        "path": problem.path,
        "message": problem.message,
        "help": problem.help,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, expect) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_778, "2026-11-21"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(day(days), expect);
        }
    }

    #[test]
    fn things_are_counted_in_words() {
        assert_eq!([count(1, "entry"), count(2, "entry")], ["1 entry", "2 entries"]);
        assert_eq!([count(0, "route"), count(1, "route")], ["0 routes", "1 route"]);
    }
}
