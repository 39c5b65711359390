//! (being written)
use crate::cli::Failure;
pub(crate) fn config() -> Result<weir_config::Config, Failure> { Err(Failure::Usage("no".into())) }
