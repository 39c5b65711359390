//! `weir check`: everything there is to say about a configuration file, for people or for programs.

use crate::cli::{Failure, say};
use crate::source::{self, ConfigFile};
use serde_json::{Value as Json, json};
use std::io::Write;
use weir_config::{Overrides, Problem, Problems};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Take warnings as problems: exit code 2
    #[arg(long)]
    strict: bool,
    /// Say it as one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Checks a file and says what it found. Problems are a failure; warnings are one only when asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut draft = source::draft(&arguments.file.config, &Overrides::default());
    let warnings = sorted(std::mem::take(&mut draft.warnings));
    let checked = draft.finish();
    let fine = checked.is_ok() && (warnings.is_empty() || !arguments.strict);
    let problems = checked.as_ref().err().map_or_else(Vec::new, |all| all.iter().cloned().collect());
    if arguments.json {
        let counts = checked.as_ref().ok().map(|(c, _)| (c.deployments.len(), c.routes.len()));
        say(&format!(
            "{:#}",
            json!({
                "file": arguments.file.config.display().to_string(),
                "fine": fine,
                "deployments": counts.map(|(deployments, _)| deployments),
                "routes": counts.map(|(_, routes)| routes),
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
            let (deployments, routes) =
                (count(config.deployments.len(), "deployment"), count(config.routes.len(), "route"));
            let warned = warned.map_or_else(String::new, |warned| format!(", {warned}"));
            say(&format!("{}: fine ({deployments}, {routes}{warned})", arguments.file.config.display()))
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
