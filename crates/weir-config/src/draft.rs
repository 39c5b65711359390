//! A file as far as it could be understood, with everything there is to say about it.

use crate::check::check;
use crate::conform::{Findings, conform};
use crate::environment::Environment;
use crate::file::text::AddressText;
use crate::node::{Node, Value};
use crate::problem::{Problem, Problems, Span};
use crate::{Config, SchemaNames, schema, yaml};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// What is said outside the file and goes before it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// For `server.listen`.
    pub listen: Option<SocketAddr>,
    /// For `server.admin.listen`.
    pub admin_listen: Option<SocketAddr>,
}

/// A file as far as it could be understood. Others may add problems and warnings before it is finished, so that the
/// operator sees all of them at once.
#[derive(Debug)]
pub struct Draft {
    /// What could be understood; `None` when that is nothing. As long as there are problems it means something only for
    /// finding more of them, and indices in it may lead nowhere.
    pub config: Option<Config>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// Everything that is allowed and was probably not meant.
    pub warnings: Vec<Problem>,
}

impl From<Problem> for Draft {
    fn from(problem: Problem) -> Self {
        Draft { config: None, problems: vec![problem], warnings: Vec::new() }
    }
}

/// What a file is read with.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// Where variables and files come from.
    pub env: &'a dyn Environment,
    /// The names that rosters know; where a list is empty, any name passes.
    pub names: SchemaNames<'a>,
    /// What goes before the file.
    pub overrides: Overrides,
}

impl<'a> Reader<'a> {
    /// Knows no roster, and puts nothing before the file.
    pub fn new(env: &'a dyn Environment) -> Self {
        Reader { env, names: SchemaNames::default(), overrides: Overrides::default() }
    }

    /// Reads the file at `path`. A file that cannot be read is one problem.
    pub fn load(&self, path: &Path) -> Draft {
        let name = path.display().to_string();
        match self.env.read(path) {
            Ok(text) => self.parse(&name, &text),
            Err(error) => {
                let at = Span { file: Arc::from(name), line: 1, column: 1 };
                Problem::new(&at, "", format!("the file cannot be read: {error}")).into()
            }
        }
    }

    /// Reads the text of a configuration; `name` is what problems call the file. Text that is no YAML is one problem.
    pub fn parse(&self, name: &str, text: &str) -> Draft {
        let mut tree = match yaml::read(&Arc::from(name), text) {
            Ok(tree) => tree,
            Err(problem) => return problem.into(),
        };
        if let Some(problem) = another_programs(&tree) {
            return problem.into();
        }
        let Findings { mut problems, mut warnings } =
            conform(&mut tree, schema::loose(), self.env, &self.names);
        if tree.value == Value::Broken {
            // The file as a whole is something else; there is nothing to look at.
            return Draft { config: None, problems, warnings };
        }
        let config = match tree.decode::<crate::file::File>() {
            Ok(mut file) => {
                let server = &mut file.server;
                for (said, listen) in [
                    (self.overrides.listen, &mut server.listen),
                    (self.overrides.admin_listen, &mut server.admin.listen),
                ] {
                    *listen = said.map_or_else(|| listen.clone(), AddressText);
                }
                let (config, more, doubts) = check(file, &tree, self.env);
                problems.extend(more);
                if problems.is_empty() {
                    warnings.extend(doubts);
                    warnings.extend(unused(&config));
                }
                Some(config)
            }
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        Draft { config, problems, warnings }
    }
}

impl Draft {
    /// Adds a problem, unless its place has one already: what follows from a mistake is not another one.
    pub fn add(&mut self, problem: Problem) {
        let same_place = |known: &Problem| {
            known.at == problem.at || (!known.path.is_empty() && known.path == problem.path)
        };
        if !self.problems.iter().any(same_place) {
            self.problems.push(problem);
        }
    }

    /// The configuration and the warnings about it, by position.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn finish(mut self) -> Result<(Config, Vec<Problem>), Problems> {
        Problems::none_of(std::mem::take(&mut self.problems))?;
        let warnings =
            Problems::none_of(self.warnings).err().map_or_else(Vec::new, |all| all.into_iter().collect());
        let nothing = Span { file: "configuration".into(), line: 1, column: 1 };
        let config = self.config.ok_or_else(|| Problem::new(&nothing, "", "not a configuration"))?;
        Ok((config, warnings))
    }
}

/// A file of LiteLLM's, by a key that only it has: one word instead of a problem for each of its keys.
fn another_programs(tree: &Node) -> Option<Problem> {
    let ours = ["providers", "deployments", "routes"];
    let (key, _) = tree.entries().iter().find(|(key, _)| key.value == "model_list")?;
    if ours.iter().any(|section| tree.get(section).is_some()) {
        return None;
    }
    let message = "this is a configuration of LiteLLM, which is not read";
    let help = "an entry of model_list becomes one of `deployments` (its provider in `providers`), the model_name that \
                entries share a route: routes: { MODEL_NAME: { deployments: [DEPLOYMENT] } }; see \
                docs/guide/configuration.md";
    Some(Problem::new(&key.at, "model_list", message).with_help(help))
}

/// Deployments that no route names: nothing is ever sent there.
fn unused(config: &Config) -> Vec<Problem> {
    let used = |index: usize| config.routes.iter().any(|route| route.members().any(|i| i == index));
    let unused = config.deployments.iter().enumerate().filter(|(index, _)| !used(*index));
    unused
        .map(|(_, deployment)| {
            let path = crate::node::path_key("deployments", &deployment.name);
            Problem::new(&deployment.at, path, "no route uses it, so nothing is ever sent there")
                .with_help("name it in a route's `deployments`, or leave it out")
        })
        .collect()
}
