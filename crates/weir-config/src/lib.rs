//! The file becomes a checked [`Config`]; the same types become its schema and its reference page.
//!
//! Knows nothing of runtime state, of the vendors there are and of what a policy does: kinds and settings are kept as
//! they were written, with their places, for whoever has the rosters.
//!
//! The way of a file: `yaml` reads a tree that remembers positions, `conform` fills in variables and holds it against
//! the schema, `decode` makes the loose types in `file`, `check` turns these into [`Config`]. Problems of all steps are
//! reported together.

mod check;
mod config;
mod conform;
mod decode;
mod environment;
mod file;
mod format;
mod node;
mod problem;
mod redacted;
mod reference;
mod schema;
mod substitute;
#[cfg(test)]
mod testing;
mod yaml;

pub use config::{
    AccessLog, Admin, Breaker, Config, Cors, Deployment, HealthCheck, Key, Limits, Pool, Provider,
    ResponseHeaders, Retries, Route, Server, Telemetry,
};
pub use environment::{Environment, ProcessEnvironment};
pub use node::{Node, Scalar, Value};
pub use problem::{Problem, Problems, Span, Spanned};
pub use reference::reference;
pub use schema::{SchemaNames, schema};

use std::path::Path;
use std::sync::Arc;

/// Reads and checks the file at `path`.
///
/// # Errors
/// Everything that is wrong with it; a file that cannot be read is one problem.
pub fn load(path: &Path, env: &dyn Environment) -> Result<Config, Problems> {
    let name = path.display().to_string();
    match env.read(path) {
        Ok(text) => parse(&name, &text, env),
        Err(error) => {
            let at = Span { file: Arc::from(name), line: 1, column: 1 };
            Err(Problem::new(&at, "", format!("the file cannot be read: {error}")).into())
        }
    }
}

/// Checks the text of a configuration; `name` is what problems call the file.
///
/// # Errors
/// Everything that is wrong with it. Text that is no YAML is one problem.
pub fn parse(name: &str, text: &str, env: &dyn Environment) -> Result<Config, Problems> {
    let mut tree = yaml::read(&Arc::from(name), text)?;
    let mut problems = conform::conform(&mut tree, schema::loose(), env);
    if tree.value == Value::Broken {
        // The file as a whole is something else; there is nothing to look at.
        Problems::none_of(problems)?;
        return Err(Problem::new(&tree.at, "", "not a configuration").into());
    }
    let config = match tree.decode() {
        Ok(file) => {
            let (config, more) = check::check(file, &tree);
            problems.extend(more);
            Some(config)
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    Problems::none_of(problems)?;
    config.ok_or_else(|| Problem::new(&tree.at, "", "not a configuration").into())
}

#[cfg(test)]
mod tests;
