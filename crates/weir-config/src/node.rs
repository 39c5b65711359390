//! The file as a tree that remembers where everything stands.

use crate::problem::{Problem, Span, Spanned};
use serde::de::DeserializeOwned;
use std::fmt;

/// One value of the file and where it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it begins.
    pub at: Span,
}

/// What a node holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: `key:`, `~`, `null`, or a variable that is set to nothing.
    Null,
    /// Something that was reported as a problem. Never part of a checked configuration.
    Broken,
    /// Text, a number, true or false: which of them is decided by who reads it.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file.
    Map(Vec<(Spanned<String>, Node)>),
}

/// A single value, as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, variables filled in.
    pub text: String,
    /// Whether it was written without quotes.
    pub plain: bool,
    /// What the file says, when it names variables; only this is ever shown.
    pub written: Option<Box<str>>,
}

impl Scalar {
    /// The text in quotes for a message: as the file has it, shortened.
    pub(crate) fn shown(&self) -> String {
        let text = self.written.as_deref().unwrap_or(&self.text);
        match text.char_indices().nth(60) {
            Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
            None => format!("{text:?}"),
        }
    }
}

impl Node {
    /// An empty map.
    pub fn empty_map(at: Span) -> Self {
        Node { value: Value::Map(Vec::new()), at }
    }

    /// The value of `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// The entries of a map; none when this is something else.
    pub fn entries(&self) -> &[(Spanned<String>, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none when this is something else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Reads the tree into a type. The problem has no path: only the reader knows where the tree belongs.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        crate::decode::decode(self)
    }

    /// Whether this or anything below was reported as a problem.
    pub(crate) fn has_broken(&self) -> bool {
        match &self.value {
            Value::Broken => true,
            Value::Null | Value::Scalar(_) => false,
            Value::List(items) => items.iter().any(Node::has_broken),
            Value::Map(entries) => entries.iter().any(|(_, node)| node.has_broken()),
        }
    }

    /// What this is, in a word, for messages.
    pub(crate) fn found(&self) -> &'static str {
        match &self.value {
            Value::Null | Value::Broken => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Null => f.write_str("null"),
            Value::Broken => f.write_str("[broken]"),
            Value::Scalar(scalar) => f.write_str(&scalar.shown()),
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Map(entries) => f.debug_map().entries(entries.iter().map(|(k, v)| (&k.value, v))).finish(),
        }
    }
}

/// A place in the tree together with its path: what checks hand around so that every problem knows where it is.
#[derive(Clone)]
pub(crate) struct Place<'n> {
    pub path: String,
    /// Where the value stands; where the nearest thing above it stands when it is absent.
    pub at: &'n Span,
    /// Where its key stands.
    pub key_at: &'n Span,
    pub node: Option<&'n Node>,
}

impl<'n> Place<'n> {
    pub(crate) fn root(node: &'n Node) -> Self {
        Place { path: String::new(), at: &node.at, key_at: &node.at, node: Some(node) }
    }

    /// The value of `key` in a map, present or not.
    pub(crate) fn key(&self, key: &str) -> Place<'n> {
        let path = path_key(&self.path, key);
        let entry = self.node.and_then(|node| node.entries().iter().find(|(name, _)| name.value == key));
        match entry {
            Some((name, node)) => Place { path, at: &node.at, key_at: &name.at, node: Some(node) },
            None => Place { path, at: self.key_at, key_at: self.key_at, node: None },
        }
    }

    /// The entries of a map that were not reported as broken: the same ones, in the same order, that decoding yields.
    pub(crate) fn entries(&self) -> Vec<(&'n str, Place<'n>)> {
        let entries = self.node.map(Node::entries).unwrap_or_default();
        let sound = entries.iter().filter(|(_, node)| node.value != Value::Broken);
        sound
            .map(|(name, node)| {
                let path = path_key(&self.path, &name.value);
                (name.value.as_str(), Place { path, at: &node.at, key_at: &name.at, node: Some(node) })
            })
            .collect()
    }

    /// The items of a list that were not reported as broken: the same ones, in the same order, that decoding yields.
    pub(crate) fn items(&self) -> Vec<Place<'n>> {
        let items = self.node.map(Node::items).unwrap_or_default().iter().enumerate();
        items
            .filter(|(_, node)| node.value != Value::Broken)
            .map(|(i, node)| Place {
                path: path_index(&self.path, i),
                at: &node.at,
                key_at: &node.at,
                node: Some(node),
            })
            .collect()
    }

    /// Every name in a map, broken entries included: what another part of the file may refer to.
    pub(crate) fn names(&self) -> Vec<&'n str> {
        let entries = self.node.map(Node::entries).unwrap_or_default();
        entries.iter().map(|(name, _)| name.value.as_str()).collect()
    }

    pub(crate) fn has_broken(&self) -> bool {
        self.node.is_some_and(Node::has_broken)
    }

    /// The value in quotes for a message, as the file has it: never what a variable holds.
    pub(crate) fn shown(&self) -> String {
        match self.node.map(|node| &node.value) {
            Some(Value::Scalar(scalar)) => scalar.shown(),
            _ => "the value".to_owned(),
        }
    }

    /// A problem with the value.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.at, self.path.clone(), message)
    }

    /// A problem with the name, or with the entry as a whole.
    pub(crate) fn key_problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.key_at, self.path.clone(), message)
    }
}

/// `path.key`, the key in quotes when it has characters that would confuse the path.
pub fn path_key(path: &str, key: &str) -> String {
    let simple = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let dot = if path.is_empty() { "" } else { "." };
    if simple { format!("{path}{dot}{key}") } else { format!("{path}{dot}{key:?}") }
}

/// `path[index]`.
pub(crate) fn path_index(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
