//! The repository's text files.

use std::fs;
use std::path::{Path, PathBuf};

/// One text file.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root, with `/` between its parts.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    pub(super) fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it holds tests only, by where it stands.
    pub(super) fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').any(|part| part == "tests" || part == "benches")
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: PathBuf,
    /// In order of their paths.
    pub(super) files: Vec<File>,
    /// Every path, binary files included.
    pub(super) paths: Vec<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let mut tree = Tree { root: root.to_owned(), files: Vec::new(), paths: Vec::new() };
        tree.walk(root, "").map_err(|error| format!("{}: {error}", root.display()))?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree.paths.sort();
        Ok(tree)
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                if !is_foreign(&entry.path(), &name) {
                    self.walk(&entry.path(), &format!("{path}/"))?;
                }
                continue;
            }
            if name == ".git" {
                continue; // a file in a linked worktree, and no part of the tree
            }
            if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
                self.files.push(File { path: path.clone(), text });
            }
            self.paths.push(path);
        }
        Ok(())
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|p| p == path)
    }
}

/// Folders that are made, not written: build outputs carry a tag (<https://bford.info/cachedir/>).
fn is_foreign(folder: &Path, name: &str) -> bool {
    matches!(name, ".git" | ".cache" | "node_modules") || folder.join("CACHEDIR.TAG").exists()
}
