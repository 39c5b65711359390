mod checked;
mod documents;
mod problems;
mod rules;
mod secrets;
mod warnings;

use crate::testing::Variables;
use crate::{Config, Problems};

/// The least that is a configuration: one route `chat` to one deployment `a` of the provider `p`.
const BASE: &str = "\
providers:
  p: {kind: openai}
deployments:
  a: {provider: p, model: m}
routes:
  chat: {deployments: [a]}
";

const VARIABLES: Variables<'static> = Variables(&[
    ("KEY", "canary-secret-1"),
    ("EMPTY", ""),
    ("SHORT", "canary"),
    ("LINE", "canary-1\ncanary-2"),
]);

fn parse(text: &str) -> Result<Config, Problems> {
    crate::parse("t.yaml", text, &VARIABLES)
}

/// The base with more sections before it.
fn with(more: &str) -> String {
    format!("{more}{BASE}")
}

fn valid(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}
