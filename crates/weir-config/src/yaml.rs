//! YAML text into a tree, with bounds: one document, 64 levels, 4 MiB, 200,000 values after aliases are resolved.

use crate::environment::MOST_BYTES;
use crate::node::{Node, Scalar, Value};
use crate::problem::{Problem, Span, Spanned};
use crate::substitute::{unveil, veil};
use granit_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};
use std::collections::HashMap;
use std::sync::Arc;

const MOST_LEVELS: usize = 64;
const MOST_VALUES: usize = 200_000;

/// Reads one document. Text that holds nothing is an empty map.
pub(crate) fn read(file: &Arc<str>, text: &str) -> Result<Node, Problem> {
    let start = Span { file: file.clone(), line: 1, column: 1 };
    if text.len() > MOST_BYTES {
        return Err(Problem::new(&start, "", "the file is larger than 4 MiB"));
    }
    let Some(veiled) = veil(text) else {
        return Err(Problem::new(
            &start,
            "",
            "the file holds the code point U+FDD0 or U+FDD1, which means nothing in text",
        ));
    };
    let parser = Parser::new_from_str(&veiled);
    let mut reader = Reader { parser, file, anchors: HashMap::new(), values: 0 };
    reader.document(start)
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    file: &'t Arc<str>,
    anchors: HashMap<usize, Subtree>,
    values: usize,
}

#[derive(Clone)]
struct Subtree {
    node: Node,
    values: usize,
    levels: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::StreamStart, _))) => {}
                Some(Ok((event, span))) => return Ok((event, self.span(&span.start))),
                Some(Err(error)) => {
                    let message = format!("not valid YAML: {}", unveil(&error.info()));
                    return Err(Problem::new(&self.span(error.marker()), "", message));
                }
                None => return Ok((Event::StreamEnd, Span { file: self.file.clone(), line: 1, column: 1 })),
            }
        }
    }

    fn span(&self, mark: &Marker) -> Span {
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            file: self.file.clone(),
            line: at(mark.line()).max(1),
            column: at(mark.col()).saturating_add(1),
        }
    }

    fn document(&mut self, start: Span) -> Result<Node, Problem> {
        let (Event::DocumentStart(..), _) = self.next()? else { return Ok(Node::empty_map(start)) };
        let (event, at) = self.next()?;
        let mut tree = self.node(event, at, 0)?.node;
        self.next()?;
        if let (Event::DocumentStart(..), at) = self.next()? {
            return Err(Problem::new(
                &at,
                "",
                "a second document begins here; a configuration is one document",
            ));
        }
        if tree.value == Value::Null {
            tree = Node::empty_map(tree.at);
        }
        Ok(tree)
    }

    fn node(&mut self, event: Event<'t>, at: Span, level: usize) -> Result<Subtree, Problem> {
        if level >= MOST_LEVELS {
            return Err(Problem::new(&at, "", format!("nested deeper than {MOST_LEVELS} levels")));
        }
        self.count(1, &at)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                check_tag(tag.as_deref(), &at)?;
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let node = Node { value: scalar(&text, plain), at };
                Ok(self.done(anchor, node, 1, 1))
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), &at)?;
                self.list(anchor, at, level)
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), &at)?;
                self.map(anchor, at, level)
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor).cloned() else {
                    return Err(Problem::new(&at, "", "this alias refers to something it is itself part of"));
                };
                if level + target.levels > MOST_LEVELS {
                    return Err(Problem::new(&at, "", format!("nested deeper than {MOST_LEVELS} levels")));
                }
                self.count(target.values, &at)?;
                Ok(target)
            }
            _ => Err(Problem::new(&at, "", "not valid YAML: a value is missing")),
        }
    }

    fn list(&mut self, anchor: usize, at: Span, level: usize) -> Result<Subtree, Problem> {
        let (mut items, mut values, mut levels) = (Vec::new(), 1, 0);
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, at) => {
                    let item = self.node(event, at, level + 1)?;
                    values += item.values;
                    levels = levels.max(item.levels);
                    items.push(item.node);
                }
            }
        }
        Ok(self.done(anchor, Node { value: Value::List(items), at }, values, levels + 1))
    }

    fn map(&mut self, anchor: usize, at: Span, level: usize) -> Result<Subtree, Problem> {
        let (mut entries, mut values, mut levels) = (Vec::new(), 1, 0);
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => break,
                (event, at) => self.node(event, at, level + 1)?.node,
            };
            let name = match &key.value {
                Value::Scalar(Scalar { text, plain: true, .. }) if text == "<<" => {
                    let problem = Problem::new(&key.at, "", "merge keys (`<<`) are not supported");
                    return Err(
                        problem.with_help("write the keys out, or refer to a whole value with `*name`")
                    );
                }
                Value::Scalar(Scalar { text, .. }) => text.clone(),
                _ => {
                    let message = format!("a key must be a single name, found {}", key.found());
                    return Err(Problem::new(&key.at, "", message));
                }
            };
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, level + 1)?;
            values += value.values + 1;
            levels = levels.max(value.levels);
            entries.push((Spanned { value: name, at: key.at }, value.node));
        }
        Ok(self.done(anchor, Node { value: Value::Map(entries), at }, values, levels + 1))
    }

    /// Counts values before they are made: a file of a few lines of aliases to aliases stays small.
    fn count(&mut self, values: usize, at: &Span) -> Result<(), Problem> {
        self.values = self.values.saturating_add(values);
        if self.values > MOST_VALUES {
            return Err(Problem::new(at, "", format!("more than {MOST_VALUES} values, aliases included")));
        }
        Ok(())
    }

    fn done(&mut self, anchor: usize, node: Node, values: usize, levels: usize) -> Subtree {
        let subtree = Subtree { node, values, levels };
        if anchor > 0 {
            self.anchors.insert(anchor, subtree.clone());
        }
        subtree
    }
}

fn scalar(text: &str, plain: bool) -> Value {
    let text = unveil(text);
    if plain && is_null(&text) {
        Value::Null
    } else {
        Value::Scalar(Scalar { text: text.into_owned(), plain, written: None })
    }
}

/// The plain scalars that mean nothing in YAML's core schema (<https://yaml.org/spec/1.2.2/#103-core-schema>).
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn check_tag(tag: Option<&Tag>, at: &Span) -> Result<(), Problem> {
    match tag {
        Some(tag) if tag.core_suffix().is_none() => {
            Err(Problem::new(at, "", format!("tags such as {} are not supported", unveil(&tag.original()))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
