//! An answer of Google's, read and written.

use super::call::{Content, is_own, parts};
use super::write::function_call;
use super::{finish, finish_word, seal_for, usage_of, write_usage};
use crate::format::logprobs::{self, tokens, write_token};
use crate::format::{Asked, read};
use crate::json::write::{List, Object, object};
use crate::neutral::{Choice, Finish, Logprobs, Part, Raw, Reply, Source, Str};
use serde::Deserialize;
use weir_core::{Class, Fault};

/// An answer, or an event of a stream of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) response_id: Option<Str<'a>>,
    pub(super) model_version: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    pub(super) prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow)]
    pub(super) usage_metadata: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<Raw<'a>>,
}

/// One answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    pub(super) finish_reason: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) logprobs_result: Option<Raw<'a>>,
}

/// What Google thinks of the prompt.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback<'a> {
    #[serde(borrow)]
    pub(super) block_reason: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogprobsResult<'a> {
    #[serde(borrow)]
    chosen_candidates: Option<Vec<LikelyToken<'a>>>,
    top_candidates: Option<Vec<TopCandidates<'a>>>,
}

#[derive(Deserialize)]
struct TopCandidates<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<LikelyToken<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LikelyToken<'a> {
    #[serde(borrow)]
    token: Option<Str<'a>>,
    log_probability: Option<f64>,
}

/// An answer that promises a part and does not hold it, or holds nothing at all.
pub(super) fn malformed() -> Fault {
    let message = "The upstream's answer is not what its API promises.";
    Fault::new(Class::Malformed, 502, "upstream_malformed", message)
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let answer: Answer<'b> = read::answer(body)?;
    let blocked = answer.prompt_feedback.and_then(|feedback| feedback.block_reason).is_some();
    let mut choices = Vec::new();
    for (candidate, at) in answer.candidates.into_iter().flatten().zip(0..) {
        choices.push(choice(candidate, at)?);
    }
    if choices.is_empty() {
        if !blocked {
            return Err(malformed().with_cause("no candidates"));
        }
        choices.push(Choice { finish: Some(Finish::ContentFilter), ..Choice::default() });
    }
    Ok(Reply {
        id: answer.response_id.unwrap_or_default(),
        model: answer.model_version.unwrap_or_default(),
        choices,
        usage: answer.usage_metadata.and_then(|raw| usage_of(raw.text())),
        ..Reply::default()
    })
}

fn choice<'a>(candidate: Candidate<'a>, at: u32) -> Result<Choice<'a>, Fault> {
    let parts = match candidate.content.map(parts) {
        Some(Ok(parts)) => parts,
        Some(Err((at, what))) => return Err(malformed().with_cause(format!("part {at} misses {what}"))),
        None => Vec::new(),
    };
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    Ok(Choice {
        index: candidate.index.unwrap_or(at),
        finish: candidate.finish_reason.map(|word| finish(word, calls)),
        logprobs: candidate.logprobs_result.and_then(|raw| neutral_logprobs(raw.text())),
        parts,
    })
}

/// Google's account of probabilities in OpenAI's shape.
pub(super) fn neutral_logprobs(text: &str) -> Option<Logprobs<'static>> {
    let result: LogprobsResult<'_> = serde_json::from_str(text).ok()?;
    let token = |object: &mut Object<'_>, token: &LikelyToken<'_>| {
        let text = token.token.as_deref().unwrap_or_default();
        write_token(object, text, token.log_probability.unwrap_or_default(), None);
    };
    let chosen = result.chosen_candidates?;
    let mut tops = result.top_candidates.unwrap_or_default().into_iter();
    logprobs::write(|list| {
        for chosen in &chosen {
            let top = tops.next().and_then(|top| top.candidates).unwrap_or_default();
            list.object(|entry| {
                token(entry, chosen);
                entry.list("top_logprobs", |list| {
                    for other in &top {
                        list.object(|entry| token(entry, other));
                    }
                });
            });
        }
    })
}

/// What is in OpenAI's shape in Google's.
pub(super) fn write_logprobs(candidate: &mut Object<'_>, text: &str) {
    let tokens = tokens(text);
    let likely = |list: &mut List<'_>, token: &str, logprob: f64| {
        list.object(|entry| {
            entry.put("token", token);
            entry.put("logProbability", &logprob);
        });
    };
    candidate.object("logprobsResult", |result| {
        result.list("chosenCandidates", |list| {
            for token in &tokens {
                likely(list, &token.token, token.logprob);
            }
        });
        if tokens.iter().any(|token| token.top_logprobs.is_some()) {
            result.list("topCandidates", |list| {
                for token in &tokens {
                    list.object(|top| {
                        top.list("candidates", |list| {
                            for token in token.top_logprobs.iter().flatten() {
                                likely(list, &token.token, token.logprob);
                            }
                        });
                    });
                }
            });
        }
    });
}

pub(super) fn write(reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    object(&mut out, |body| {
        body.list("candidates", |list| {
            for choice in &reply.choices {
                let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
                let finish = choice.finish.as_ref().filter(|_| !refused);
                let finish = finish.unwrap_or(if refused { &Finish::Refusal } else { &Finish::Stop });
                list.object(|candidate| {
                    candidate.object("content", |content| {
                        content.list("parts", |list| choice.parts.iter().for_each(|p| part(list, p)));
                        content.put("role", "model");
                    });
                    candidate.put("finishReason", finish_word(finish));
                    candidate.put("index", &choice.index);
                    if let Some(logprobs) = &choice.logprobs {
                        write_logprobs(candidate, logprobs.0.get());
                    }
                });
            }
        });
        if let Some(usage) = reply.usage {
            body.object("usageMetadata", |object| write_usage(object, usage));
        }
        body.put("modelVersion", if reply.model.is_empty() { &*asked.model } else { &*reply.model });
        body.put("responseId", if reply.id.is_empty() { &*asked.id } else { &*reply.id });
    });
    out
}

fn part(list: &mut List<'_>, part: &Part<'_>) {
    let text = |list: &mut List<'_>, text: &str| list.object(|part| part.put("text", text));
    match part {
        Part::Text(words) => text(list, &words.text),
        Part::Refusal(words) => text(list, words),
        Part::Thinking(thought) => list.object(|part| {
            let seal = thought.proof.as_ref().map(seal_for);
            part.put("text", &thought.text);
            // A seal of Google's own without words belongs to what is said.
            if !(thought.text.is_empty() && thought.proof.as_ref().is_some_and(is_own)) {
                part.put("thought", &true);
            }
            part.maybe("thoughtSignature", seal.as_ref());
        }),
        Part::ToolCall(call) => {
            let seal = call.proof.as_ref().map(seal_for);
            list.object(|part| function_call(part, call, seal.as_deref()));
        }
        Part::Media(media) => {
            if let Source::Data { mime, base64 } = &media.source {
                list.object(|part| {
                    part.object("inlineData", |blob| {
                        blob.put("mimeType", mime);
                        blob.put("data", base64);
                    });
                });
            }
        }
        Part::ToolResult(_) => {}
    }
}
