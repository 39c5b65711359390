//! A call of Google's, written.

use super::call::{is_kept, is_own, mime_of};
use crate::format::tools::{self, arguments};
use crate::format::write::merge;
use crate::format::{Losing, Target};
use crate::json::write::{List, Object, object};
use crate::neutral::{
    Call, Effort, Media, MediaKind, Output, Param, Part, Reasoning, Role, Source, Text, Tool, ToolCall,
    ToolChoice, ToolResult, Turn,
};
use std::collections::HashMap;

/// What stands where Google wants a word and the client said none.
const NOTHING: &str = ".";

/// What Google takes in place of a seal on a call that another vendor's model made
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>).
const UNSEALED: &str = "skip_thought_signature_validator";

/// The most stop sequences (<https://ai.google.dev/api/generate-content#generationconfig>).
const MOST_STOPS: usize = 5;

/// Which model it is, as far as that changes what it takes.
#[derive(Clone, Copy)]
struct Model<'a>(&'a str);

impl Model<'_> {
    /// From Gemini 3 on: thinking is measured by a level, calls have to be sealed, and results may hold media.
    fn is_third(self) -> bool {
        let rest = self.0.split("gemini-").nth(1).unwrap_or_default();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().is_ok_and(|generation| generation >= 3)
    }

    /// Between these many tokens may be thought (<https://ai.google.dev/gemini-api/docs/thinking#set-budget>).
    fn budget(self, tokens: u64) -> u64 {
        match self.0 {
            name if name.contains("gemini-2.5-pro") => tokens.clamp(128, 32_768),
            name if name.contains("gemini-2.5-flash-lite") && tokens > 0 => tokens.clamp(512, 24_576),
            name if name.contains("gemini-2.5-flash") => tokens.min(24_576),
            _ => tokens,
        }
    }

    /// The level for a word. Not to think at all is not to be had; the least is, of smaller models, less.
    fn level(self, effort: Effort) -> &'static str {
        match effort {
            Effort::None | Effort::Minimal if self.0.contains("flash") => "minimal",
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High | Effort::Max => "high",
        }
    }
}

pub(super) fn call(call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) -> Vec<u8> {
    let model = Model(target.model);
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        instructions(body, call, losing);
        let names = tools::names(call);
        body.list("contents", |list| Contents { model, names, losing }.write(list, call));
        functions(body, call, losing);
        let mut config = Vec::new();
        object(&mut config, |config| settings(config, call, target, losing));
        if let Ok(config) = String::from_utf8(config)
            && config != "{}"
        {
            body.json("generationConfig", &config);
        }
        match call.service_tier.as_deref() {
            None | Some("auto") => {}
            Some("default" | "standard") => body.put("serviceTier", "standard"),
            Some(tier @ ("flex" | "priority")) => body.put("serviceTier", tier),
            Some(_) => losing.note(Param::ServiceTier),
        }
    });
    if let Some(extra) = &call.extra {
        merge(&mut out, extra.text());
    }
    out
}

fn above(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

/// Instructions stand apart, wherever in the conversation they were given.
fn instructions(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    let given = || {
        call.turns.iter().filter(|turn| above(turn.role)).flat_map(|turn| &turn.parts).filter_map(|part| {
            match part {
                Part::Text(text) if !text.text.is_empty() => Some(text),
                _ => None,
            }
        })
    };
    if given().next().is_some() {
        body.object("systemInstruction", |content| {
            content.list("parts", |list| {
                for text in given() {
                    losing.note_if(text.cache.is_some(), Param::Cache);
                    list.object(|part| part.put("text", &text.text));
                }
            });
        });
    }
    let media = |turn: &Turn<'_>| turn.parts.iter().any(|part| matches!(part, Part::Media(_)));
    losing.note_if(call.turns.iter().any(|turn| above(turn.role) && media(turn)), Param::Image);
    losing.note_if(call.turns.iter().any(|turn| turn.name.is_some()), Param::Name);
}

/// What is known while contents are written.
struct Contents<'c, 'l, 'n> {
    model: Model<'c>,
    names: HashMap<&'c str, &'c str>,
    losing: &'l mut Losing<'n>,
}

impl Contents<'_, '_, '_> {
    /// Sides alternate and the user begins: turns of one side become one.
    fn write(&mut self, list: &mut List<'_>, call: &Call<'_>) {
        let mut spoken = call.turns.iter().filter(|turn| !above(turn.role)).peekable();
        if spoken.peek().is_none_or(|first| first.role == Role::Assistant) {
            list.object(|content| {
                content.put("role", "user");
                content.list("parts", |parts| parts.object(|part| part.put("text", NOTHING)));
            });
        }
        while let Some(first) = spoken.next() {
            let role = first.role;
            let mut parts: Vec<&Part<'_>> = first.parts.iter().collect();
            while let Some(next) = spoken.next_if(|next| next.role == role) {
                parts.extend(&next.parts);
            }
            if role == Role::User {
                // Results stand right behind their calls.
                parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
            }
            list.object(|content| {
                content.put("role", if role == Role::Assistant { "model" } else { "user" });
                content.list("parts", |list| self.parts(list, &parts));
            });
        }
    }

    fn parts(&mut self, list: &mut List<'_>, parts: &[&Part<'_>]) {
        let mut any = false;
        // A seal waits for the part it belongs to.
        let mut seal: Option<&str> = None;
        let mut unsealed = self.model.is_third();
        for part in parts {
            match part {
                Part::Thinking(thought) => match thought.proof.as_ref().filter(|proof| is_own(proof)) {
                    Some(proof) if thought.text.is_empty() => seal = Some(&*proof.seal),
                    Some(proof) => list.object(|part| {
                        part.put("text", &thought.text);
                        part.put("thought", &true);
                        part.put("thoughtSignature", &proof.seal);
                    }),
                    // Another model's thoughts are of no use to this one, and without a seal it does not know its own.
                    None => self.losing.note(Param::Thinking),
                },
                Part::Text(Text { text, cache, .. }) if !text.is_empty() => {
                    self.losing.note_if(cache.is_some(), Param::Cache);
                    words(list, text, seal.take());
                }
                Part::Refusal(text) if !text.is_empty() => words(list, text, seal.take()),
                Part::Text(_) | Part::Refusal(_) => continue,
                Part::Media(media) => {
                    if !self.media(list, media) {
                        continue;
                    }
                }
                Part::ToolCall(call) => {
                    let own = call.proof.as_ref().filter(|proof| is_own(proof)).map(|proof| &*proof.seal);
                    let first = std::mem::take(&mut unsealed).then_some(UNSEALED);
                    self.losing.note_if(call.cache.is_some(), Param::Cache);
                    let seal = own.or(seal.take()).or(first);
                    list.object(|part| function_call(part, call, seal));
                }
                Part::ToolResult(result) => self.result(list, result),
            }
            any = true;
        }
        if seal.is_some() {
            words(list, "", seal);
        } else if !any {
            words(list, NOTHING, None);
        }
    }

    fn result(&mut self, list: &mut List<'_>, result: &ToolResult<'_>) {
        self.losing.note_if(result.cache.is_some(), Param::Cache);
        let known = self.names.get(&*result.id).copied().unwrap_or("tool");
        let name = if result.name.is_empty() { known } else { &*result.name };
        let texts: Vec<&str> = result.parts.iter().filter_map(text_of).collect();
        let within = self.model.is_third();
        let media = || {
            result.parts.iter().filter_map(|part| match part {
                Part::Media(media) if !matches!(media.source, Source::Text(_)) => Some(media),
                _ => None,
            })
        };
        list.object(|part| {
            part.object("functionResponse", |response| {
                if !result.id.is_empty() && !tools::is_made(&result.id) {
                    response.put("id", &result.id);
                }
                response.put("name", name);
                let said = texts.join("\n");
                match (result.is_error, arguments(&said)) {
                    (true, _) => response.object("response", |given| given.put("error", &said)),
                    (false, Some(json)) if json != "{}" || !said.is_empty() => {
                        response.json("response", json);
                    }
                    _ => response.object("response", |given| given.put("output", &said)),
                }
                if within && media().next().is_some() {
                    response.list("parts", |list| {
                        for media in media() {
                            self.media(list, media);
                        }
                    });
                }
            });
        });
        if !within {
            for media in media() {
                self.media(list, media);
            }
        }
    }

    /// Writes a medium, and says whether it could be.
    fn media(&mut self, list: &mut List<'_>, media: &Media<'_>) -> bool {
        let (param, usual) = match media.kind {
            MediaKind::Image => (Param::Image, "image/jpeg"),
            MediaKind::Audio => (Param::Audio, "audio/mpeg"),
            MediaKind::Video => (Param::Video, "video/mp4"),
            MediaKind::Document => (Param::Document, "application/pdf"),
        };
        self.losing.note_if(media.cache.is_some(), Param::Cache);
        self.losing.note_if(media.detail.as_deref().is_some_and(|detail| detail != "auto"), Param::Detail);
        match &media.source {
            Source::Data { mime, base64 } => list.object(|part| {
                part.object("inlineData", |blob| {
                    blob.put("mimeType", mime);
                    blob.put("data", base64);
                    blob.maybe("displayName", media.name.as_ref());
                });
            }),
            Source::Text(text) => words(list, text, None),
            Source::File(uri) if !is_kept(uri) => {
                self.losing.note(param);
                return false;
            }
            Source::File(uri) | Source::Url(uri) => list.object(|part| {
                part.object("fileData", |file| {
                    file.put("mimeType", mime_of(uri).unwrap_or(usual));
                    file.put("fileUri", uri);
                });
            }),
        }
        true
    }
}

fn words(list: &mut List<'_>, text: &str, seal: Option<&str>) {
    list.object(|part| {
        part.put("text", text);
        part.maybe("thoughtSignature", seal);
    });
}

fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match part {
        Part::Text(text) => Some(&text.text),
        Part::Media(Media { source: Source::Text(text), .. }) => Some(text),
        _ => None,
    }
}

/// The call of a tool. Arguments that are no object, which models make at times, become the only member of one.
pub(super) fn function_call(part: &mut Object<'_>, call: &ToolCall<'_>, seal: Option<&str>) {
    part.object("functionCall", |function| {
        if !call.id.is_empty() && !tools::is_made(&call.id) {
            function.put("id", &call.id);
        }
        function.put("name", &call.name);
        match arguments(&call.arguments) {
            Some(json) => function.json("args", json),
            None => function.object("args", |args| args.put("arguments", &call.arguments)),
        }
    });
    part.maybe("thoughtSignature", seal);
}

fn functions(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    losing.note_if(call.tools.iter().any(|tool| matches!(tool, Tool::Native { .. })), Param::NativeTool);
    if !call.tools.iter().any(|tool| matches!(tool, Tool::Function { .. })) {
        return;
    }
    body.list("tools", |list| {
        list.object(|entry| {
            entry.list("functionDeclarations", |list| {
                for tool in &call.tools {
                    let Tool::Function { name, description, parameters, strict, cache } = tool else {
                        continue;
                    };
                    losing.note_if(*strict == Some(true), Param::Strict);
                    losing.note_if(cache.is_some(), Param::Cache);
                    list.object(|function| {
                        function.put("name", name);
                        function.maybe("description", description.as_ref());
                        function.maybe("parametersJsonSchema", parameters.as_ref());
                    });
                }
            });
        });
    });
    losing.note_if(call.parallel_tools == Some(false), Param::ParallelTools);
    let mode = match &call.tool_choice {
        None => return,
        Some(ToolChoice::Auto) => "AUTO",
        Some(ToolChoice::None) => "NONE",
        Some(ToolChoice::Required | ToolChoice::Named(_)) => "ANY",
    };
    body.object("toolConfig", |config| {
        config.object("functionCallingConfig", |calling| {
            calling.put("mode", mode);
            if let Some(ToolChoice::Named(name)) = &call.tool_choice {
                calling.put("allowedFunctionNames", &[name]);
            }
        });
    });
}

fn settings(config: &mut Object<'_>, call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) {
    let sampling = &call.sampling;
    config.maybe("temperature", sampling.temperature.as_ref());
    config.maybe("topP", sampling.top_p.as_ref());
    config.maybe("topK", sampling.top_k.as_ref());
    config.maybe("candidateCount", sampling.n.as_ref());
    config.maybe("maxOutputTokens", call.max_tokens.as_ref());
    let stop = sampling.stop.get(..MOST_STOPS).unwrap_or(&sampling.stop);
    losing.note_if(stop.len() < sampling.stop.len(), Param::Stop);
    if !stop.is_empty() {
        config.put("stopSequences", stop);
    }
    match sampling.seed.map(i32::try_from) {
        Some(Ok(seed)) => config.put("seed", &seed),
        Some(Err(_)) => losing.note(Param::Seed),
        None => {}
    }
    config.maybe("presencePenalty", sampling.presence_penalty.as_ref());
    config.maybe("frequencyPenalty", sampling.frequency_penalty.as_ref());
    config.maybe("responseLogprobs", sampling.logprobs.as_ref());
    config.maybe("logprobs", sampling.top_logprobs.as_ref());
    match &call.output {
        None => {}
        Some(Output::Json) => config.put("responseMimeType", "application/json"),
        Some(Output::Schema { schema, .. }) => {
            config.put("responseMimeType", "application/json");
            config.put("responseJsonSchema", schema);
        }
    }
    if let Some(reasoning) = call.reasoning {
        thinking(config, reasoning, Model(target.model));
    }
    losing.note_if(sampling.min_p.is_some(), Param::MinP);
    losing.note_if(sampling.repetition_penalty.is_some_and(|p| p != 1.0), Param::RepetitionPenalty);
    losing.note_if(sampling.logit_bias.is_some(), Param::LogitBias);
    losing.note_if(call.user.is_some(), Param::User);
    // Labels are of small letters only; notes are of anything.
    losing.note_if(call.metadata.is_some(), Param::Metadata);
    losing.note_if(call.cache_key.is_some(), Param::Cache);
}

/// By a level or by tokens, not both; older models know tokens only, and all take them.
fn thinking(config: &mut Object<'_>, reasoning: Reasoning, model: Model<'_>) {
    config.object("thinkingConfig", |thinking| {
        thinking.maybe("includeThoughts", reasoning.shown.as_ref());
        match (reasoning.effort, reasoning.budget) {
            (Some(effort), None) if model.is_third() => thinking.put("thinkingLevel", model.level(effort)),
            _ => thinking.maybe("thinkingBudget", reasoning.budget().map(|t| model.budget(t)).as_ref()),
        }
    });
}
