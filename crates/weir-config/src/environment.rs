//! What a configuration may take from outside its file.

use std::io::{self, Read};
use std::path::Path;

/// The largest file that is read: configurations and secrets alike.
pub(crate) const MOST_BYTES: usize = 4 << 20;

/// Variables and files, as an argument: tests give their own.
pub trait Environment {
    /// The value of a variable, `None` when it is not set.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a file. Implementations bound how much they read.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The variables and files of this process. Files above 4 MiB are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        // One byte more than allowed tells "exactly at the bound" from "above it", also for endless files.
        file.take(MOST_BYTES as u64 + 1).read_to_string(&mut text)?;
        if text.len() > MOST_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 4 MiB"));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_the_bound() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(ProcessEnvironment.read(&manifest).is_ok_and(|text| text.contains("weir-config")));
        assert!(ProcessEnvironment.read(Path::new("/no/such/file")).is_err());
        let endless = ProcessEnvironment.read(Path::new("/dev/zero")).map_err(|error| error.kind());
        assert_eq!(endless, Err(io::ErrorKind::FileTooLarge));
    }
}
