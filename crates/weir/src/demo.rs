//! (being written)
use crate::cli::Failure;
#[derive(clap::Args)]
pub(crate) struct Arguments { #[arg(long)] traffic: Option<f64> }
pub(crate) fn run(_: &Arguments) -> Result<(), Failure> { Ok(()) }
