//! Where the configuration comes from: a file, or the environment, and what the command line puts before it.

use std::fmt;
use std::path::{Path, PathBuf};
use weir_config::{
    Config, Draft, Environment, Overrides, Problem, Problems, ProcessEnvironment, Reader, SchemaNames,
};
use weir_engine::{Engine, Rosters};

/// The file, if there is one, and what goes before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// `None` when the configuration was made of the environment.
    pub(crate) path: Option<PathBuf>,
    pub(crate) overrides: Overrides,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => path.display().fmt(f),
            None => f.write_str("the environment"),
        }
    }
}

/// Everything there is to say about a file, the rosters' word included.
pub(crate) fn draft(path: &Path, overrides: &Overrides) -> Draft {
    read(&ProcessEnvironment, overrides, |reader| reader.load(path))
}

/// The same for a text that is called `name`.
pub(crate) fn draft_of(name: &str, text: &str, env: &dyn Environment, overrides: &Overrides) -> Draft {
    read(env, overrides, |reader| reader.parse(name, text))
}

fn read(env: &dyn Environment, overrides: &Overrides, read: impl FnOnce(&Reader<'_>) -> Draft) -> Draft {
    let (kinds, policies) = (weir_engine::provider_kinds(), weir_engine::policies());
    let names = SchemaNames { provider_kinds: &kinds, policies: &policies };
    let mut draft = read(&Reader { env, names, overrides: *overrides });
    Engine::review(&mut draft, Rosters::BUILT_IN);
    draft
}

/// The configuration of a file that has no problems. What was probably not meant goes to the log.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<Config, Problems> {
    finish(draft(path, overrides))
}

/// The same for what has been read.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn finish(draft: Draft) -> Result<Config, Problems> {
    let (config, warnings) = draft.finish()?;
    warn(&warnings);
    Ok(config)
}

/// Tells the log what is allowed and was probably not meant.
pub(crate) fn warn(warnings: &[Problem]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}
