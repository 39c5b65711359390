//! The section `store`.

use super::text::{DurationText, SizeText};
use crate::config;
use schemars::JsonSchema;
use serde::Deserialize;

/// What is kept after a restart: answers of the Responses API, and where vendors have videos, batches and files. Callers'
/// prompts and their answers stand in the file as they are. It is on a local disk and belongs to one process.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Store {
    /// The file, made when it is not there; a path that is not absolute begins at the folder of the configuration's own
    /// file.
    #[schemars(example = "/var/lib/weir/weir.db")]
    pub path: String,
    /// How many days an answer is kept, 1 to 3650; one that a later answer continues, as long as that.
    #[schemars(range(min = 1, max = 3650), example = 7)]
    pub keep_days: u32,
    /// How much is kept, all callers together; beyond it nothing more is until something expires or is deleted.
    #[schemars(example = "10GiB")]
    pub max_total: SizeText,
    /// The most that one answer, its input included, may take, at least 1KiB.
    #[schemars(example = "32MiB")]
    pub max_entry: SizeText,
    /// How long a request waits for the store.
    #[schemars(example = "500ms")]
    pub timeout: DurationText,
}

impl Default for Store {
    fn default() -> Self {
        let from = config::Store::default();
        Store {
            path: from.path.display().to_string(),
            keep_days: from.keep_days,
            max_total: SizeText(from.max_total),
            max_entry: SizeText(from.max_entry),
            timeout: DurationText(from.timeout),
        }
    }
}
