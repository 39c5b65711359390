//! Which language a text is in, by its script and, for Latin and Cyrillic, by its commonest words and letters.

use std::collections::HashMap;
use std::sync::LazyLock;

/// So much of a text is looked at, in bytes.
const MOST: usize = 2048;

/// Every language that can be told, by its ISO 639-1 code.
pub const LANGUAGES: [&str; 24] = [
    "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "pl", "tr", "id", "ru", "uk", "el", "ar", "fa",
    "he", "hi", "th", "ko", "ja", "zh", "vi",
];

/// Commonest words; one that two languages share stands in both.
const WORDS: &[(&str, &str)] = &[
    (
        "en",
        "the of and to in is that it you for was on are with as be this have from or by not but what which how can i my me please write do does your a an at we who when where why if all there",
    ),
    (
        "de",
        "der die das und ist nicht ich zu den mit sich auf für von dem ein eine wie was auch es wird einen im bitte kann sind bei oder mir wenn aus nach wir du sie warum",
    ),
    (
        "fr",
        "le la les des et est une un que pour dans qui pas sur avec ce il je vous nous du au plus par mais sont ne se cette comment quel quelle mon ma être c'est",
    ),
    (
        "es",
        "el la los las de que y en un una es por con para no se del lo como más pero su al me esta este cómo qué cuál son mi está tengo puedo quiero",
    ),
    (
        "it",
        "il lo la gli le di che e è un una per non sono con del della come si nel più ma questo questa mi ho ha perché cosa qual quale puoi vorrei",
    ),
    (
        "pt",
        "o os as de que e em um uma não para com por mais do da no na se como é foi ao seu sua você isso este esta meu minha qual quero posso são",
    ),
    (
        "nl",
        "de het een en van ik te dat die in is niet zijn op aan met voor er maar om hoe wat ook je mijn naar kan wordt bij deze waarom",
    ),
    (
        "sv",
        "och att det som en på är av för med den till inte jag har om ett vi kan hur vad mitt från eller du varför",
    ),
    (
        "da",
        "og at det som en på er af for med den til ikke jeg har om et vi kan hvordan hvad mit fra eller du hvorfor",
    ),
    ("pl", "i w nie na się że to jest z do jak co dla czy o po od ale mam tak jestem być przez proszę który"),
    ("tr", "ve bir bu için ile de da ne nasıl çok var mı olarak ben daha gibi en ama kadar bana değil"),
    (
        "id",
        "yang dan di ini itu dengan untuk tidak dari dalam adalah saya apa bagaimana pada ke akan bisa anda",
    ),
    ("vi", "là của và có không cho một được trong với các những này tôi như thế bạn để người nào gì"),
];

/// Each of the words with the languages it belongs to, as bits by their place in [`WORDS`].
static KNOWN: LazyLock<HashMap<&str, u16>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    for (place, (_, words)) in WORDS.iter().enumerate() {
        words.split(' ').for_each(|word| *known.entry(word).or_default() |= 1 << place);
    }
    known
});

/// The language of a text; `None` when nothing tells.
pub fn language(text: &str) -> Option<&'static str> {
    let text = text.get(..text.floor_char_boundary(MOST)).unwrap_or(text);
    let (script, letters) = scripts(text).into_iter().max_by_key(|(_, count)| *count)?;
    if letters == 0 {
        return None;
    }
    let has = |letters: &str| text.contains(|c| letters.contains(c));
    match script {
        Script::Latin => latin(text),
        Script::Cyrillic if has("іїєґІЇЄҐ") && !has("ыэъЫЭЪ") => Some("uk"),
        Script::Cyrillic => Some("ru"),
        Script::Greek => Some("el"),
        // Letters that Persian adds to the Arabic ones.
        Script::Arabic if has("پچژگی") => Some("fa"),
        Script::Arabic => Some("ar"),
        Script::Hebrew => Some("he"),
        Script::Devanagari => Some("hi"),
        Script::Thai => Some("th"),
        Script::Hangul => Some("ko"),
        Script::Kana => Some("ja"),
        Script::Han if text.chars().any(|c| script_of(c) == Some(Script::Kana)) => Some("ja"),
        Script::Han => Some("zh"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Latin,
    Cyrillic,
    Greek,
    Arabic,
    Hebrew,
    Devanagari,
    Thai,
    Hangul,
    Kana,
    Han,
}

fn script_of(c: char) -> Option<Script> {
    Some(match u32::from(c) {
        0x41..=0x5a | 0x61..=0x7a | 0xc0..=0x24f | 0x1e00..=0x1eff => Script::Latin,
        0x370..=0x3ff => Script::Greek,
        0x400..=0x52f => Script::Cyrillic,
        0x590..=0x5ff => Script::Hebrew,
        0x600..=0x6ff | 0x750..=0x77f => Script::Arabic,
        0x900..=0x97f => Script::Devanagari,
        0xe00..=0xe7f => Script::Thai,
        0x1100..=0x11ff | 0xac00..=0xd7af => Script::Hangul,
        0x3040..=0x30ff => Script::Kana,
        0x3400..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff => Script::Han,
        _ => return None,
    })
}

fn scripts(text: &str) -> [(Script, u32); 10] {
    use Script::{Arabic, Cyrillic, Devanagari, Greek, Han, Hangul, Hebrew, Kana, Latin, Thai};
    let mut counts = [Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Thai, Hangul, Kana, Han]
        .map(|script| (script, 0));
    for script in text.chars().filter_map(script_of) {
        if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == script) {
            // A sign of these says as much as a few letters.
            *count += if matches!(script, Han | Hangul | Kana) { 3 } else { 1 };
        }
    }
    counts
}

fn latin(text: &str) -> Option<&'static str> {
    let mut scores = [0u32; WORDS.len()];
    let mut lower = String::with_capacity(24);
    for word in text.split(|c: char| !(c.is_alphabetic() || c == '\'')) {
        if word.is_empty() || word.len() > 12 {
            continue;
        }
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        let languages = KNOWN.get(lower.as_str()).copied().unwrap_or(0);
        for (place, score) in scores.iter_mut().enumerate() {
            *score += u32::from(languages >> place & 1);
        }
    }
    let best = scores.iter().copied().max().filter(|best| *best > 0)?;
    let mut leading = scores.iter().zip(WORDS).filter(|(score, _)| **score == best);
    let (_, (name, _)) = leading.next()?;
    // Two that are as likely are none.
    leading.next().is_none().then_some(*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<&str>) {
        assert_eq!(language(text), expect, "{text}");
        assert!(expect.is_none_or(|code| LANGUAGES.contains(&code)));
    }

    #[test]
    fn languages_are_told_apart() {
        check("How do I sort a list in this program?", Some("en"));
        check("Wie kann ich eine Liste sortieren und was kostet das?", Some("de"));
        check("Comment est-ce que je peux trier cette liste dans le programme ?", Some("fr"));
        check("¿Cómo puedo ordenar una lista en este programa?", Some("es"));
        check("Come posso ordinare gli elementi della lista? Non sono sicuro.", Some("it"));
        check("Como você pode ordenar uma lista? Não sei o que fazer.", Some("pt"));
        check("Hoe kan ik een lijst sorteren met deze functie?", Some("nl"));
        check("Hur kan jag sortera en lista och vad är det för fel?", Some("sv"));
        check("Hvordan kan jeg sortere en liste, og hvad er det?", Some("da"));
        check("Jak to jest, że nie mam dostępu do pliku?", Some("pl"));
        check("Bu liste nasıl sıralanır ve bunun için ne gerekir?", Some("tr"));
        check("Bagaimana saya bisa mengurutkan daftar ini dengan cepat?", Some("id"));
        check("Làm thế nào để tôi có được những thứ này?", Some("vi"));
        check("Как отсортировать список?", Some("ru"));
        check("Як відсортувати цей список її друзів?", Some("uk"));
        check("Πώς ταξινομώ μια λίστα;", Some("el"));
        check("كيف يمكنني ترتيب القائمة؟", Some("ar"));
        check("چگونه لیست را مرتب کنم؟", Some("fa"));
        check("איך ממיינים רשימה?", Some("he"));
        check("मैं सूची को कैसे क्रमबद्ध करूँ?", Some("hi"));
        check("ฉันจะเรียงรายการอย่างไร", Some("th"));
        check("목록을 어떻게 정렬하나요?", Some("ko"));
        check("リストを並べ替えるには？", Some("ja"));
        check("如何对列表进行排序？", Some("zh"));
    }

    #[test]
    fn what_tells_nothing_is_no_language() {
        check("", None);
        check("1 + 1 = 2", None);
        check("xyzzy plugh", None);
    }
}
