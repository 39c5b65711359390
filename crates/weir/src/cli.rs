//! Arguments and exit codes.

use crate::source::{self, Source};
use crate::{catalog, check, demo, environment, explain, run, signals};
use clap::{Args, Parser, Subcommand};
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use weir_config::{Overrides, Problems, SchemaNames};

/// What went wrong, by whose hand: decides the exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Arguments or configuration: exit code 2.
    Usage(String),
    /// Everything else: exit code 1.
    Runtime(String),
    /// As `Usage`, and everything there is to say has been said.
    Told,
    /// As `Runtime`, and everything there is to say has been said: the answer is no.
    Negative,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) | Failure::Runtime(text) => f.write_str(text),
            Failure::Told | Failure::Negative => Ok(()),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let count = check::count(problems.len(), "problem");
        Failure::Usage(format!("{problems}\n\n{count} in the configuration"))
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
                            weir serve -c weir.yaml         a configuration file, followed as it changes\n  \
                            weir serve --listen 127.0.0.1:7700 --admin-listen 127.0.0.1:7701   on other ports"
    )]
    Serve(ServeArguments),
    /// Start six demo model servers and a router in front of them; needs no key and no network
    #[command(
        after_help = "Examples:\n  weir demo                       snippets to paste into another terminal\n  \
                            weir demo --traffic 50          with a steady load and a live summary"
    )]
    Demo(demo::Arguments),
    /// Check a configuration file and say everything that is wrong with it
    #[command(after_help = "Examples:\n  weir check -c weir.yaml && echo fine\n  weir check --strict --json")]
    Check(check::Arguments),
    /// Say who would answer a request and why, without sending it, or who has answered one
    ///
    /// By a configuration file alone every deployment is well and nothing is known of any. With --admin, a running gateway
    /// decides by what it knows just now.
    #[command(after_help = "Examples:\n  weir explain -c weir.yaml --request call.json\n  \
                      echo '{\"model\": \"chat\", \"messages\": []}' | weir explain -r - --headers 'x-tier: gold'\n  \
                      weir explain -r call.json --admin http://127.0.0.1:7601\n  \
                      weir explain --id dec_441886ccaedb420b042a8394\n\nExit codes: 0 somebody would be called, or the \
                      decision is told; 1 the request would be refused, or the gateway\nhas no answer; 2 wrong usage or \
                      configuration.")]
    Explain(explain::Arguments),
    /// Show what is known of models: what they are for, what they take, what calls cost where
    #[command(
        after_help = "Exit codes: 0 fine, 1 a difference was found, 2 wrong usage or a file that cannot be read."
    )]
    Catalog(catalog::Arguments),
    /// Print the JSON Schema of the configuration file, for editors
    #[command(after_help = "Example:\n  weir schema > weir.schema.json")]
    Schema,
}

#[derive(Args)]
struct ServeArguments {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Where the public API listens; goes before the file's `server.listen`
    #[arg(long, value_name = "ADDRESS:PORT", env = "WEIR_LISTEN", hide_env_values = true)]
    listen: Option<SocketAddr>,
    /// Where metrics and administration listen; goes before the file's `server.admin.listen`
    #[arg(long, value_name = "ADDRESS:PORT", env = "WEIR_ADMIN_LISTEN", hide_env_values = true)]
    admin_listen: Option<SocketAddr>,
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
        Command::Serve(arguments) => serve(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Catalog(arguments) => catalog::run(&arguments),
        Command::Schema => say(&format!("{:#}", weir_config::schema(&known_names().borrowed()))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::from(2),
        Err(Failure::Negative) => ExitCode::from(1),
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

fn serve(arguments: ServeArguments) -> Result<(), Failure> {
    signals::log_to_stderr();
    let overrides = Overrides { listen: arguments.listen, admin_listen: arguments.admin_listen };
    let path = arguments.config.or_else(|| Some(PathBuf::from("weir.yaml")).filter(|p| p.exists()));
    let config = match &path {
        Some(path) => source::load(path, &overrides)?,
        None => environment::config(&overrides)?,
    };
    run::until_signalled(&config, Source { path, overrides })
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
