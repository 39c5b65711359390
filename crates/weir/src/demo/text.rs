//! Little generated texts.

use weir_routing::Chance;

const OPENINGS: [&str; 6] =
    ["In short,", "Well,", "As the millers say,", "Look closely:", "Strictly speaking,", "Most days"];
const WHO: [&str; 8] = [
    "the river",
    "a patient weir",
    "the old mill",
    "the keeper of the sluice",
    "a heron on the bank",
    "the upper pond",
    "every small stream",
    "the miller's daughter",
];
const DOES: [&str; 8] = [
    "sends the water",
    "finds a way",
    "counts what passes",
    "waits for the flood",
    "opens one gate at a time",
    "shares the load",
    "takes the shorter branch",
    "keeps its level",
];
const WHERE: [&str; 8] = [
    "to whichever wheel is free",
    "around the broken plank",
    "down the quieter channel",
    "without spilling a drop",
    "past the second lock",
    "before the night is over",
    "where the current is kind",
    "and nobody downstream notices",
];

/// One to four sentences, word by word: every word after the first begins with its space.
pub(super) fn words(chance: &mut impl Chance) -> Vec<String> {
    let mut words = Vec::new();
    for sentence in 0..=chance.below(4) {
        let mut text = String::new();
        let opened = sentence == 0 && chance.below(3) == 0;
        if opened {
            text = format!("{} ", pick(&OPENINGS, chance));
        }
        text.push_str(&[pick(&WHO, chance), pick(&DOES, chance), pick(&WHERE, chance)].join(" "));
        if !opened && let Some(first) = text.get(..1) {
            text.replace_range(..1, &first.to_uppercase());
        }
        text.push('.');
        for word in text.split(' ') {
            let space = if words.is_empty() { "" } else { " " };
            words.push(format!("{space}{word}"));
        }
    }
    words
}

fn pick<'t>(table: &[&'t str], chance: &mut impl Chance) -> &'t str {
    let index = usize::try_from(chance.below(table.len() as u64)).unwrap_or_default();
    table.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_routing::SplitMix64;

    #[test]
    fn texts_follow_from_the_seed_and_read_as_sentences() {
        let text = |seed| words(&mut SplitMix64::seeded(seed)).concat();
        assert_eq!(text(3), text(3));
        assert_ne!(text(3), text(4));
        for seed in 0..200 {
            let text = text(seed);
            assert!(text.ends_with('.') && !text.contains("  "), "{text:?}");
            assert!(text.starts_with(|c: char| c.is_uppercase()), "{text:?}");
        }
    }
}
