//! An environment for tests.

use crate::environment::Environment;
use std::io;
use std::path::Path;

/// These variables and no others. A file's text is `file:` and its path, with a line end; `/missing` does not exist.
pub(crate) struct Variables<'a>(pub &'a [(&'a str, &'a str)]);

impl Environment for Variables<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        if path == Path::new("/missing") {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such file"));
        }
        Ok(format!("text-of-{}\n", path.display()))
    }
}
