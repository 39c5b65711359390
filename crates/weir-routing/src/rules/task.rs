//! Which task a prompt sounds like: words and marks that speak for one, weighed.
//!
//! A guess, made in microseconds and for English first of all; whoever knows better says so in `x-weir-task`. How good it
//! is on public sets of prompts is told in `docs/guide/rules.md`.

use std::collections::HashMap;
use std::sync::LazyLock;
use weir_core::Task;

/// So much of a prompt's beginning is looked at, where people say what they want, and so much of its end.
const BEGINNING: usize = 1536;
const END: usize = 512;
/// Less than this speaks for nothing.
const LEAST: i32 = 2;

/// Words, and pairs of words, and what they speak for.
const CUES: &[(Task, i32, &str)] = &[
    (
        Task::Coding,
        6,
        "python javascript typescript java c++ c# rust golang sql html css bash regex kotlin php haskell",
    ),
    (
        Task::Coding,
        5,
        "code codebase stacktrace traceback segfault refactor debug compiler algorithm api json yaml docker",
    ),
    (
        Task::Coding,
        5,
        "git npm kubernetes dockerfile endpoint repository recursion linux function unittest boilerplate",
    ),
    (
        Task::Coding,
        4,
        "script bug compile class method array string list tuple integer backend frontend database loop def",
    ),
    (Task::Coding, 4, "exception runtime async thread variable dictionary website binary-search subsequence"),
    (
        Task::Coding,
        7,
        "a function,unit test,pull request,stack trace,source code,def main,import numpy,c program,c++ program",
    ),
    (
        Task::Analysis,
        4,
        "analyze analyse analysis compare contrast evaluate assess critique implications pros strengths",
    ),
    (
        Task::Analysis,
        4,
        "discuss insights correlation trends advantages weaknesses tradeoffs trade-offs interpret impact",
    ),
    (
        Task::Analysis,
        5,
        "pros and,compare the,impact of,implications of,root cause,swot analysis,provide insights",
    ),
    (
        Task::Reasoning,
        5,
        "prove proof theorem equation probability triangle polynomial integral derivative modulo calculate",
    ),
    (
        Task::Reasoning,
        4,
        "solve puzzle logic remainder sum divisible perimeter sequence integers odds ratio percent percentage",
    ),
    (
        Task::Reasoning,
        3,
        "clues deduce step-by-step total each twice half average satisfy speed distance area compute",
    ),
    (
        Task::Reasoning,
        6,
        "step by,find the value,how many,how much,what fraction,let x,word problem,riddle me,the value",
    ),
    (
        Task::Reasoning,
        4,
        "positive integer,positive integers,real number,real numbers,per hour,per day,as much,as many",
    ),
    (
        Task::Creative,
        5,
        "story poem haiku sonnet lyrics limerick novel slogan tagline screenplay fiction rhyme rap song",
    ),
    (
        Task::Creative,
        3,
        "creative imagine compose draft brainstorm persuasive engaging blog headline character dialogue fictional",
    ),
    (Task::Creative, 4, "embrace pretend roleplay role-play captivating vivid invent"),
    (
        Task::Creative,
        6,
        "short story,blog post,write a story,write a poem,a poem,a song,coherent sentence,take on,the role",
    ),
    (
        Task::Extraction,
        5,
        "extract classify categorize categorise label parse tabulate csv summarize summarise summary tl;dr",
    ),
    (
        Task::Extraction,
        3,
        "identify list entities keywords fields named-entity sentiment tag bullet following",
    ),
    (
        Task::Extraction,
        5,
        "extract the,following information,key points,into json,as json,json format,json array,named entities",
    ),
    (
        Task::Extraction,
        3,
        "following text,following email,given data,following data,following reviews,main points,the presented",
    ),
    (
        Task::Translation,
        9,
        "translate translation übersetze übersetzen traduire traduis traducir traduce traduci tradurre",
    ),
    (Task::Translation, 9, "переведи traduza vertaal przetłumacz"),
    (
        Task::Translation,
        4,
        "to english,into english,to french,into french,to german,into german,to spanish,into spanish,to chinese",
    ),
    (
        Task::Translation,
        4,
        "into chinese,to japanese,into japanese,into italian,to italian,in spanish,in french,say in",
    ),
    (
        Task::Translation,
        6,
        "you say,say hello,said in,the spanish,the french,the german,the italian,in italian",
    ),
    (Task::Qa, 3, "who when where which whose whom"),
    (Task::Qa, 2, "what why explain define definition describe meaning statement answer true false"),
    (
        Task::Qa,
        4,
        "what is,what are,who is,who was,who wrote,what was,which of,how does,why do,why does,difference between",
    ),
    (
        Task::Qa,
        3,
        "how do,what does,capital of,what kind,what year,when did,when was,where is,where do,where might",
    ),
    (Task::Chat, 3, "hello hi hey thanks thank bye goodbye lol okay"),
    (
        Task::Chat,
        3,
        "how are,good morning,good evening,what's up,thank you,nice to,tell me,can you,could you,i want,i need",
    ),
];

/// Words in scripts that put no spaces between them, and what they speak for wherever they stand.
const UNSPACED: &[(Task, &str)] = &[
    (Task::Translation, "翻译"),
    (Task::Translation, "翻譯"),
    (Task::Translation, "翻訳"),
    (Task::Coding, "代码"),
    (Task::Coding, "コード"),
    (Task::Extraction, "总结"),
    (Task::Extraction, "要約"),
    (Task::Creative, "写一首"),
    (Task::Creative, "故事"),
    (Task::Reasoning, "计算"),
    (Task::Reasoning, "証明"),
];

type Scores = [i32; Task::ALL.len()];

#[derive(Default)]
struct Cue {
    alone: Scores,
    /// What it means with the next word behind it.
    before: Vec<(&'static str, Scores)>,
}

/// The words by the first of a cue. Words of a cue beyond the second are there for the reader of the table only.
static WORDS: LazyLock<HashMap<&'static str, Cue>> = LazyLock::new(|| {
    let mut words: HashMap<&'static str, Cue> = HashMap::new();
    for &(task, weight, line) in CUES {
        if line.contains(',') {
            for phrase in line.split(',') {
                let mut parts = phrase.split(' ');
                let (Some(first), Some(second)) = (parts.next(), parts.next()) else { continue };
                let mut scores = Scores::default();
                scores[task as usize] = weight;
                words.entry(first).or_default().before.push((second, scores));
            }
        } else {
            for word in line.split(' ') {
                words.entry(word).or_default().alone[task as usize] += weight;
            }
        }
    }
    words
});

/// The task that a prompt sounds like; [`Task::Chat`] when it sounds like nothing.
pub fn classify(prompt: &str) -> Task {
    let mut scores = Scores::default();
    let beginning = cut(prompt, BEGINNING);
    words(beginning, &mut scores);
    if let Some(rest) = prompt.get(beginning.len()..) {
        words(tail(rest, END), &mut scores);
    }
    marks(beginning, prompt, &mut scores);
    let best = Task::ALL.into_iter().rev().max_by_key(|task| scores[*task as usize]);
    best.filter(|task| scores[*task as usize] >= LEAST).unwrap_or(Task::Chat)
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

fn tail(text: &str, most: usize) -> &str {
    text.get(text.ceil_char_boundary(text.len().saturating_sub(most))..).unwrap_or_default()
}

/// Adds up what the words speak for. The same word counts twice at most: a long text is not more of a task.
fn words(text: &str, scores: &mut Scores) {
    let known = &*WORDS;
    let mut counted: HashMap<&'static str, u8> = HashMap::new();
    let mut lower = [String::with_capacity(24), String::with_capacity(24)];
    let mut first: Option<&Cue> = None;
    for word in text.split(|c: char| c.is_whitespace() || ",.!?()[]{}\"“”:".contains(c)) {
        if word.is_empty() || word.len() > 24 {
            first = None;
            continue;
        }
        let [now, _] = &mut lower;
        now.clear();
        now.extend(word.chars().flat_map(char::to_lowercase));
        if let Some((_, more)) =
            first.take().and_then(|cue| cue.before.iter().find(|(second, _)| second == now))
        {
            add(scores, more);
        }
        if let Some((&name, cue)) = known.get_key_value(now.as_str()) {
            let times = counted.entry(name).or_default();
            *times = times.saturating_add(1);
            if *times <= 2 {
                add(scores, &cue.alone);
                first = Some(cue);
            }
        }
    }
}

fn add(scores: &mut Scores, more: &Scores) {
    for (score, more) in scores.iter_mut().zip(more) {
        *score += more;
    }
}

/// What the shape of a prompt speaks for.
fn marks(beginning: &str, prompt: &str, scores: &mut Scores) {
    let mut speak = |task: Task, weight: i32| scores[task as usize] += weight;
    if beginning.contains("```") {
        speak(Task::Coding, 8);
    }
    let coded = |line: &str| {
        let line = line.trim_end();
        line.ends_with([';', '{', '}']) || line.trim_start().starts_with("def ") || line.ends_with("):")
    };
    if beginning.lines().filter(|line| coded(line)).count() >= 2 || beginning.contains("#include") {
        speak(Task::Coding, 6);
    }
    if beginning.contains("\\frac")
        || beginning.matches('$').count() >= 2 && beginning.contains(['=', '^', '\\'])
    {
        speak(Task::Reasoning, 7);
    }
    let numbers = beginning
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .filter(|part| part.starts_with(|c: char| c.is_ascii_digit()))
        .count();
    let ends_in_question = prompt.trim_end().ends_with(['?', '？']);
    if numbers >= 2 && ends_in_question {
        speak(Task::Reasoning, 4);
    }
    if ends_in_question {
        speak(Task::Qa, 2);
    }
    let start = beginning.trim_start().as_bytes();
    let asks = [&b"who "[..], b"what ", b"when ", b"where ", b"which ", b"why ", b"how "];
    if asks.iter().any(|word| start.get(..word.len()).is_some_and(|is| is.eq_ignore_ascii_case(word))) {
        speak(Task::Qa, 2);
    }
    if !beginning.is_ascii() {
        for (task, word) in UNSPACED {
            if beginning.contains(word) {
                speak(*task, 8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prompt: &str, expect: Task) {
        assert_eq!(classify(prompt), expect, "{prompt}");
    }

    #[test]
    fn prompts_sound_like_their_task() {
        check("Write a Python function that reverses a linked list.", Task::Coding);
        check("Why does this fail?\n```rust\nlet x: &str = String::new();\n```", Task::Coding);
        check("Compare the pros and cons of renting and buying a home.", Task::Analysis);
        check("A train goes 60 miles per hour for 3 hours. How many miles does it go?", Task::Reasoning);
        check("Let $x^2 + 2x = 8$. Find the sum of all solutions.", Task::Reasoning);
        check("Write a short story about a lighthouse keeper.", Task::Creative);
        check(
            "Extract the following information from the email below as JSON: name, date.",
            Task::Extraction,
        );
        check("What is the capital of France?", Task::Qa);
        check("Translate this sentence into German: the cat sleeps.", Task::Translation);
        check("请把这句话翻译成英文", Task::Translation);
        check("hey there, how are you doing", Task::Chat);
        check("", Task::Chat);
    }

    #[test]
    fn any_text_has_a_task() {
        check(&"é".repeat(4000), Task::Chat);
        check(&"code ".repeat(100_000), Task::Coding);
        check("\u{0}\u{7f}𝒳", Task::Chat);
    }

    /// Measures against labelled prompts: `WEIR_TASKS=file`, one `task<TAB>prompt` a line, line ends as `\n` in it.
    #[test]
    fn measured_on_labelled_prompts() {
        let Some(file) = std::env::var_os("WEIR_TASKS") else { return };
        let mut by_task: HashMap<String, HashMap<&str, u32>> = HashMap::new();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let (label, prompt) = line.split_once('\t').unwrap();
            let task = classify(&prompt.replace("\\n", "\n")).name();
            *by_task.entry(label.to_owned()).or_default().entry(task).or_default() += 1;
        }
        for (label, found) in &by_task {
            let wanted = label.split('/').next().unwrap();
            let all: u32 = found.values().sum();
            let right = found.get(wanted).copied().unwrap_or(0);
            eprintln!("{label}: {right} of {all} ({}%) {found:?}", 100 * right / all);
        }
    }
}
