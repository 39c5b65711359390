//! `weir check`: everything there is to say about a configuration file, for people or for programs.

use crate::cli::{Failure, say};
use crate::source;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::PathBuf;
use weir_config::{Config, Overrides, Problem, Problems};

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
            say(&format!("{}: fine ({})", arguments.config.display(), found.join(", ")))
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
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
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
