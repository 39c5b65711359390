//! Arguments and exit codes.

use crate::{demo, environment, run};
use clap::{Args, Parser, Subcommand};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use weir_config::{Config, Problems, ProcessEnvironment, SchemaNames};
use weir_engine::{Engine, Rosters};

/// What went wrong, by whose hand: decides the exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Arguments or configuration: exit code 2.
    Usage(String),
    /// Everything else: exit code 1.
    Runtime(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Usage(text) | Failure::Runtime(text)) = self;
        f.write_str(text)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let count = problems.len();
        let things = if count == 1 { "problem" } else { "problems" };
        Failure::Usage(format!("{problems}\n\n{count} {things} in the configuration"))
    }
}

#[derive(Parser)]
#[command(
    name = "weir",
    version,
    about = "One address for all your language models",
    long_about = "Weir stands between your applications and language models. Applications keep their SDK and change one \
                  base URL; Weir decides request by request which deployment of which model answers, retries and falls \
                  back when one fails, and counts what it cost.",
    after_help = "Try it without a key or a network:\n  weir demo --traffic 20\n\nExit codes: 0 fine, 1 failed while running, \
                  2 wrong usage or configuration.",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API by a configuration file, or by what the environment offers
    #[command(
        after_help = "Examples:\n  weir serve                      what the environment offers: OPENAI_API_KEY, a local Ollama …\n  \
                            weir serve -c weir.yaml         a configuration file, followed as it changes"
    )]
    Serve(ServeArguments),
    /// Start six demo model servers and a router in front of them; needs no key and no network
    #[command(
        after_help = "Examples:\n  weir demo                       snippets to paste into another terminal\n  \
                            weir demo --traffic 50          with a steady load and a live summary"
    )]
    Demo(demo::Arguments),
    /// Check a configuration file and say everything that is wrong with it
    #[command(after_help = "Example:\n  weir check -c weir.yaml && echo fine")]
    Check(CheckArguments),
    /// Print the JSON Schema of the configuration file, for editors
    #[command(after_help = "Example:\n  weir schema > weir.schema.json")]
    Schema,
}

#[derive(Args)]
struct ServeArguments {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
}

#[derive(Args)]
struct CheckArguments {
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
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors and go to stdout; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    let outcome = match arguments.command {
        Command::Serve(arguments) => serve(arguments.config),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check(&arguments.config),
        Command::Schema => say(&format!("{:#}", weir_config::schema(&known_names().borrowed()))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// Prints a line of command output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{text}").map_err(|e| Failure::Runtime(format!("writing to stdout: {e}")))
}

fn serve(config: Option<PathBuf>) -> Result<(), Failure> {
    let path = config.or_else(|| Some(PathBuf::from("weir.yaml")).filter(|p| p.exists()));
    match path {
        Some(path) => {
            let config = load(&path)?;
            run::until_signalled(&config, Some(path))
        }
        None => {
            let config = environment::config()?;
            run::until_signalled(&config, None)
        }
    }
}

fn check(path: &Path) -> Result<(), Failure> {
    let config = load(path)?;
    let (deployments, routes) = (config.deployments.len(), config.routes.len());
    let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let (deployments, routes) = (count(deployments, "deployment"), count(routes, "route"));
    say(&format!("{}: fine ({deployments}, {routes})", path.display()))
}

/// Loads a configuration file and checks it in full, against the rosters too.
pub(crate) fn load(path: &Path) -> Result<Config, Problems> {
    let config = weir_config::load(path, &ProcessEnvironment)?;
    Engine::check(&config, Rosters::BUILT_IN)?;
    Ok(config)
}

/// The names the configuration may use, from the rosters.
struct KnownNames {
    kinds: Vec<&'static str>,
    policies: Vec<&'static str>,
}

fn known_names() -> KnownNames {
    KnownNames { kinds: weir_engine::provider_kinds(), policies: weir_engine::policies() }
}

impl KnownNames {
    fn borrowed(&self) -> SchemaNames<'_> {
        SchemaNames { provider_kinds: &self.kinds, policies: &self.policies }
    }
}

#[cfg(test)]
mod tests;
