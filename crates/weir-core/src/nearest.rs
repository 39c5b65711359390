//! "Did you mean": known names close to an unknown one.

/// The known names nearest to `wanted`, best first, at most three, by Damerau–Levenshtein distance (optimal string
/// alignment) without regard to case. Names further away than a third of the longer one's length are not offered, and
/// short ones only for what they share: of two letters one must be right, and one letter is near to nothing. Beside a
/// name that is near, one that is much further away is not offered, unless it contains what was written.
pub fn nearest<'k>(wanted: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    // Distances are quadratic in length: what a client sends is cut first.
    let wanted: Vec<char> = wanted.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut scored: Vec<(usize, &str, bool)> = known
        .into_iter()
        .filter_map(|name| {
            let lower: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
            let (shorter, longer) = (wanted.len().min(lower.len()), wanted.len().max(lower.len()));
            let distance = distance(&wanted, &lower);
            let allowed = if shorter < 2 { 0 } else { (longer / 3).max(1) };
            let contained = wanted.len() >= 3 && lower.windows(wanted.len()).any(|w| w == wanted);
            (distance <= allowed || contained).then_some((distance, name, contained))
        })
        .collect();
    scored.sort_unstable();
    let furthest = scored.first().map_or(0, |(best, ..)| best + 1);
    scored.retain(|(distance, _, contained)| *distance <= furthest || *contained);
    scored.truncate(3);
    scored.into_iter().map(|(_, name, _)| name).collect()
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &str, expect: &[&str]) {
        let known = ["gpt-4o", "gpt-4o-mini", "claude-sonnet", "listen", "a", "b2", "xyz"];
        assert_eq!(nearest(wanted, known), expect, "{wanted}");
    }

    #[test]
    fn near_names_are_offered_best_first() {
        check("gpt-4o-min", &["gpt-4o-mini"]);
        check("gpt-4o-i", &["gpt-4o", "gpt-4o-mini"]);
        check("GPT4o", &["gpt-4o"]);
        check("lisetn", &["listen"]);
        check("sonnet", &["claude-sonnet"]);
        check("llama", &[]);
        let known = ["demo", "demo-fast", "demo-best", "demo-flaky", "demo-fast-2"];
        assert_eq!(nearest("demo-fas", known), ["demo-fast", "demo-fast-2"]);
    }

    #[test]
    fn a_short_name_is_near_to_little() {
        check("c", &[]);
        check("A", &["a"]);
        check("ab", &[]);
        check("b1", &["b2"]);
        check("c1", &[]);
        check("xzy", &["xyz"]);
        check("xaa", &[]);
    }
}
