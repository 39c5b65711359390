//! What comes from outside, made fit for a terminal: upstreams choose their error codes, and whoever prints those prints
//! whatever moves a cursor, rings a bell or hides a line.

use serde_json::Value as Json;
use std::fmt::Write;

/// Whether a terminal would do something about it other than show it: control characters, and what changes the direction
/// or the breaking of lines.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text whose unprintable characters are written out, as `\u{1b}`.
pub(super) fn text(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_unprintable(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        out
    })
}

/// The same of every text in it.
pub(super) fn values(told: Json) -> Json {
    match told {
        Json::String(said) => Json::String(text(&said)),
        Json::Array(all) => all.into_iter().map(values).collect(),
        Json::Object(all) => all.into_iter().map(|(name, value)| (text(&name), values(value))).collect(),
        other => other,
    }
}

/// It as JSON, in lines, which means the same and is printable.
pub(super) fn json(told: &Json) -> String {
    let written = format!("{told:#}");
    let mut out = String::with_capacity(written.len());
    // Outside of texts JSON has no such character but the line's end.
    for c in written.chars() {
        if c == '\n' || !is_unprintable(c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let told = json!({ "code": "a\u{1b}[2J\u{9b}31m\u{7f}\r\nb", "of": ["\u{202e}x", 1, "größe ✓"] });
        let shown = values(told.clone());
        assert_eq!(shown["code"], "a\\u{1b}[2J\\u{9b}31m\\u{7f}\\u{d}\\u{a}b");
        assert_eq!(shown["of"], json!(["\\u{202e}x", 1, "größe ✓"]));
        let written = json(&told);
        assert!(!written.chars().any(|c| c != '\n' && is_unprintable(c)), "{written}");
        assert_eq!(serde_json::from_str::<Json>(&written).unwrap(), told, "it means the same");
    }
}
