//! Patterns of all rules of a route, compiled into one set so that a text is gone through once.

use regex::{RegexSet, RegexSetBuilder, SetMatches};
use std::sync::Arc;

/// One pattern of a set.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Its place in the set.
    pub(super) place: usize,
    /// As the operator wrote it.
    pub(super) written: Arc<str>,
    /// Whether it is a word, and no regular expression.
    pub(super) is_word: bool,
}

/// Why a pattern is none.
#[derive(Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

/// What all patterns of one route may take when compiled, in bytes.
const LARGEST: usize = 8 << 20;
/// What the search may keep of states it has met, in bytes, for each thread that searches.
const SEARCH_MEMORY: usize = 4 << 20;

/// The patterns of one route.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    sources: Vec<String>,
    set: Option<RegexSet>,
}

impl Patterns {
    /// Adds a regular expression.
    ///
    /// # Errors
    /// When it is none, or too large once compiled.
    pub fn regex(&mut self, source: &str) -> Result<Pattern, PatternError> {
        self.add(source.to_owned(), source, false)
    }

    /// Adds a word or phrase: found in either case, and, where it begins or ends with a letter or digit of a script that
    /// puts spaces between words, not inside of a longer word.
    ///
    /// # Errors
    /// When it is too large.
    pub fn keyword(&mut self, word: &str) -> Result<Pattern, PatternError> {
        // Written out as classes: `\b` would keep the search from its fast path on text that is not ASCII.
        let bounded = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && !is_unspaced(c));
        let before = if bounded(word.chars().next()) { r"(?:^|[^\p{L}\p{N}_])" } else { "" };
        let after = if bounded(word.chars().next_back()) { r"(?:$|[^\p{L}\p{N}_])" } else { "" };
        self.add(format!("(?i){before}{}{after}", regex::escape(word)), word, true)
    }

    fn add(&mut self, source: String, written: &str, is_word: bool) -> Result<Pattern, PatternError> {
        compile(std::slice::from_ref(&source))?;
        self.sources.push(source);
        Ok(Pattern { place: self.sources.len() - 1, written: Arc::from(written), is_word })
    }

    /// Compiles the set; patterns added afterwards are not part of it.
    ///
    /// # Errors
    /// When all patterns together are too large.
    pub fn finish(mut self) -> Result<Patterns, PatternError> {
        if !self.sources.is_empty() {
            self.set = Some(compile(&self.sources)?);
        }
        Ok(self)
    }

    /// Which patterns are in the text. Takes time in proportion to its length.
    pub(super) fn matches(&self, text: &str) -> Option<SetMatches> {
        self.set.as_ref().map(|set| set.matches(text))
    }
}

fn compile(sources: &[String]) -> Result<RegexSet, PatternError> {
    let set = RegexSetBuilder::new(sources).size_limit(LARGEST).dfa_size_limit(SEARCH_MEMORY).build();
    set.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            PatternError(format!("compiled it takes more than {} MiB", LARGEST >> 20))
        }
        // The last line says what is wrong; those before it draw the place.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            PatternError(last.trim_start_matches("error: ").to_owned())
        }
    })
}

/// Whether a character belongs to a script that is written without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x2e80..=0x31ff | 0x3400..=0x9fff
        | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, text: &str, expect: bool) {
        let mut patterns = Patterns::default();
        let pattern = patterns.keyword(word).unwrap();
        let found = patterns.finish().unwrap().matches(text).unwrap();
        assert_eq!(found.matched(pattern.place), expect, "{word:?} in {text:?}");
    }

    #[test]
    fn keywords_are_whole_words_in_either_case() {
        check("sql", "Write SQL, please", true);
        check("sql", "mysqldump", false);
        check("sql", "sql", true);
        check("c++", "in C++?", true);
        check("c++", "in c+", false);
        check("unit test", "a Unit Test.", true);
        check("größe", "die GRÖSSE", false);
        check("größe", "die GRÖßE", true);
        check("翻译", "请翻译这句话", true);
        check("été", "un été chaud", true);
        check("été", "répétée", false);
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        let error = Patterns::default().regex("a(b").unwrap_err();
        assert_eq!(error.to_string(), "unclosed group");
        let error = Patterns::default().regex(r"(?:\pL{900}){900}").unwrap_err();
        assert_eq!(error.to_string(), "compiled it takes more than 8 MiB");
    }
}
