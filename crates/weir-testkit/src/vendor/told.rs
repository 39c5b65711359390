//! What a call tells a model, in the same words whatever format it came in.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A call as the model hears it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) system: Vec<String>,
    /// Who says what, in order.
    pub(crate) turns: Vec<(Who, Item)>,
    /// Names, and the schemas of their arguments.
    pub(crate) tools: Vec<(String, Value)>,
    /// How a tool is to be chosen, and how much is to be said and thought: by one name in all formats.
    pub(crate) terms: BTreeMap<&'static str, String>,
    /// What the format itself refuses about the call.
    pub(crate) wrong: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    User,
    Model,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Text(String),
    /// Of what kind, and how it is given.
    Media(String),
    Thought(String),
    Call {
        id: String,
        name: String,
        arguments: Value,
    },
    Result {
        id: String,
        text: String,
    },
}

impl Told {
    pub(crate) fn say(&mut self, who: Who, item: Item) {
        self.turns.push((who, item));
    }

    /// Notes a term of the call where it is given.
    pub(crate) fn term(&mut self, name: &'static str, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => drop(self.terms.insert(name, text.clone())),
            value => drop(self.terms.insert(name, value.to_string())),
        }
    }

    /// How a tool is to be chosen. That the model decides goes without saying.
    pub(crate) fn choice(&mut self, value: &Value) {
        match value.as_str().unwrap_or_default().to_lowercase().as_str() {
            "" | "auto" | "validated" => {}
            "any" | "required" => self.term("choice", &"required".into()),
            "none" => self.term("choice", &"none".into()),
            _ => self.term("choice", value),
        }
    }

    /// Whether several tools may be called at once. That they may goes without saying.
    pub(crate) fn parallel(&mut self, value: &Value) {
        if *value == Value::Bool(false) {
            self.term("parallel", value);
        }
    }

    /// How much may be thought, by the word for so many tokens.
    pub(crate) fn budget(&mut self, tokens: &Value) {
        let word = match tokens.as_u64() {
            None => return,
            Some(..=1024) => "low",
            Some(..=8192) => "medium",
            Some(_) => "high",
        };
        self.term("effort", &word.into());
    }

    /// What it stops at, one text or several.
    pub(crate) fn stop(&mut self, value: &Value) {
        match value {
            Value::String(_) => self.term("stop", &Value::Array(vec![value.clone()])),
            value => self.term("stop", value),
        }
    }

    /// How often the model has spoken before.
    pub(crate) fn answers(&self) -> usize {
        let mut last = Who::User;
        let begins =
            |(who, _): &&(Who, Item)| std::mem::replace(&mut last, *who) != *who && *who == Who::Model;
        self.turns.iter().filter(begins).count()
    }

    /// What a vendor would refuse: results of calls that nobody made, calls whose results are missing.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.wrong.is_some() {
            return self.wrong.clone();
        }
        let mut open: Vec<&str> = Vec::new();
        for (who, item) in &self.turns {
            match item {
                Item::Call { id, .. } => open.push(id),
                Item::Result { id, .. } => match open.iter().position(|call| call == id) {
                    Some(at) => drop(open.remove(at)),
                    None => return Some(format!("a result for {id:?}, which was not called")),
                },
                _ if *who == Who::User && !open.is_empty() => return Some(format!("no result for {open:?}")),
                _ => {}
            }
        }
        match (open.is_empty(), self.turns.is_empty()) {
            (false, _) => Some(format!("no result for {open:?}")),
            (true, true) => Some("nothing was said".to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said: Vec<String> = Vec::new();
        said.extend(self.system.iter().map(|text| format!("system: {text}")));
        for (who, item) in &self.turns {
            let who = if *who == Who::User { "user" } else { "model" };
            said.push(match item {
                Item::Text(text) => format!("{who}: {text}"),
                Item::Media(media) => format!("{who} shows {media}"),
                Item::Thought(text) => format!("{who} thinks {text}"),
                Item::Call { id, name, arguments } => format!("{who} calls {id} {name} {arguments}"),
                // An object is the same however it is written.
                Item::Result { id, text } => match serde_json::from_str::<Value>(text) {
                    Ok(value) if value.is_object() => format!("{who} answers {id} {value}"),
                    _ => format!("{who} answers {id} {text}"),
                },
            });
        }
        said.extend(self.tools.iter().map(|(name, schema)| format!("tool {name} {schema}")));
        said.extend(self.terms.iter().map(|(name, value)| format!("{name} {value}")));
        f.write_str(&said.join("; "))
    }
}

/// The texts of a value that is one, or a list of parts with `text` members.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// A member that is a text, or nothing.
pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The members of a value that is a list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Data of a type, by how much there is of it.
pub(crate) fn data(kind: &str, base64: &str) -> Item {
    Item::Media(format!("{kind} of {} letters", base64.len()))
}

/// Media by an address, which may hold the data itself.
pub(crate) fn address(kind: &str, url: &str) -> Item {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((kind, base64)) => data(kind, base64),
        None => Item::Media(format!("{kind} at {url}")),
    }
}

/// A text that should be JSON; as a text where it is not.
pub(crate) fn parsed(text: &Value) -> Value {
    match text {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())),
        other => other.clone(),
    }
}
