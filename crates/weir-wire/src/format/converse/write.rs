//! A call of Converse, written.

use super::NAME;
use super::media::{self, Names};
use super::model::{Family, Wish};
use crate::format::read::Members;
use crate::format::tools::arguments;
use crate::format::write::merge;
use crate::format::{Losing, Target, messages};
use crate::json::write::{List, Object, object};
use crate::neutral::{
    CacheHint, Call, Media, MediaKind, Output, Param, Part, Raw, Role, Thinking, Tool, ToolCall, ToolChoice,
    ToolResult, Turn,
};

/// What stands where Bedrock wants a word and the client said none.
const NOTHING: &str = ".";

/// Ids of calls are no longer than this.
const LONGEST_ID: usize = 64;

/// The member in which clients and Weir alike put what only some models take.
const FIELDS: &str = "additionalModelRequestFields";

pub(super) fn call(call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) -> Vec<u8> {
    let family = Family::of(target.model);
    let wish = Wish::of(call, family, target.max_output, losing);
    let mut out = Vec::with_capacity(1024);
    let mut fields = Vec::new();
    object(&mut fields, |fields| wish.fields(fields, call, losing));
    let extra = call.extra.and_then(|raw| serde_json::from_str::<Members<'_>>(raw.text()).ok());
    for (_, theirs) in extra.iter().flat_map(|members| &members.0).filter(|(name, _)| *name == *FIELDS) {
        merge_fields(&mut fields, theirs.text());
    }
    object(&mut out, |body| {
        let mut writer = Writer { family, names: Names::default(), losing };
        writer.instructions(body, call);
        body.list("messages", |list| writer.turns(list, call));
        writer.tools(body, call);
        writer.settings(body, call, &wish);
        if let Ok(fields) = std::str::from_utf8(&fields)
            && fields != "{}"
        {
            body.json(FIELDS, fields);
        }
        for (name, value) in extra.iter().flat_map(|members| &members.0).filter(|(name, _)| *name != *FIELDS)
        {
            body.put(name, value);
        }
    });
    out
}

/// Members that the client wants passed on as they are, beside our own.
fn merge_fields(fields: &mut Vec<u8>, theirs: &str) {
    if fields == b"{}" && theirs.trim_start().starts_with('{') {
        theirs.trim().as_bytes().clone_into(fields);
    } else {
        merge(fields, theirs);
    }
}

/// A thought's seal, as far as the model takes it for its own: Anthropic's seals are the same wherever Claude runs
/// (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>).
pub(super) fn own_seal<'t>(thought: &'t Thinking<'_>, family: Family) -> Option<&'t str> {
    let proof = thought.proof.as_ref()?;
    let anthropic = family == Family::Claude && !thought.hidden && proof.format == *messages::NAME;
    (proof.format == *NAME || anthropic).then_some(&*proof.seal)
}

struct Writer<'w, 'l> {
    family: Family,
    names: Names,
    losing: &'w mut Losing<'l>,
}

impl Writer<'_, '_> {
    /// Instructions stand apart, wherever in the conversation they were given.
    fn instructions(&mut self, body: &mut Object<'_>, call: &Call<'_>) {
        let above = || call.turns.iter().filter(|turn| is_above(turn.role)).flat_map(|turn| &turn.parts);
        let said = |part: &Part<'_>| matches!(part, Part::Text(text) if !text.text.is_empty());
        if above().any(said) {
            body.list("system", |list| {
                for part in above() {
                    if let Part::Text(text) = part
                        && !text.text.is_empty()
                    {
                        list.object(|block| block.put("text", &text.text));
                        self.cache_point(list, text.cache);
                    }
                }
            });
        }
        self.losing.note_if(above().any(|part| matches!(part, Part::Media(_))), Param::Image);
        self.losing.note_if(call.turns.iter().any(|turn| turn.name.is_some()), Param::Name);
    }

    /// Sides alternate and the user begins: turns of one side become one.
    fn turns(&mut self, list: &mut List<'_>, call: &Call<'_>) {
        let mut spoken = call.turns.iter().filter(|turn| !is_above(turn.role)).peekable();
        if spoken.peek().is_none_or(|first| first.role == Role::Assistant) {
            list.object(|message| {
                message.put("role", "user");
                message.list("content", |list| list.object(|block| block.put("text", NOTHING)));
            });
        }
        while let Some(first) = spoken.next() {
            let role = first.role;
            let mut parts: Vec<&Part<'_>> = first.parts.iter().collect();
            while let Some(next) = spoken.next_if(|next: &&Turn<'_>| next.role == role) {
                parts.extend(&next.parts);
            }
            let family = self.family;
            if role == Role::User {
                // Results have to come before anything else.
                parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
            } else {
                // And thoughts before anything else that is said.
                let own =
                    |part: &Part<'_>| matches!(part, Part::Thinking(t) if own_seal(t, family).is_some());
                parts.sort_by_key(|part| !own(part));
            }
            let last = role == Role::Assistant && spoken.peek().is_none();
            list.object(|message| {
                message.put("role", if role == Role::Assistant { "assistant" } else { "user" });
                message.list("content", |list| self.content(list, &parts, last));
            });
        }
    }

    /// `last`: it is the beginning of the answer, which must not end in white space.
    fn content(&mut self, list: &mut List<'_>, parts: &[&Part<'_>], last: bool) {
        let (mut any, mut words, mut documents) = (false, false, false);
        for (at, part) in parts.iter().enumerate() {
            let written = self.block(list, part, last && at + 1 == parts.len());
            any |= written;
            words |= written && matches!(part, Part::Text(_) | Part::Refusal(_));
            let is_document = matches!(part, Part::Media(media) if media.kind == MediaKind::Document);
            documents |= written && is_document;
        }
        // A document does not stand without words.
        if !any || (documents && !words) {
            list.object(|block| block.put("text", NOTHING));
        }
    }

    /// Writes a part, and says whether there was anything to write.
    fn block(&mut self, list: &mut List<'_>, part: &Part<'_>, end: bool) -> bool {
        match part {
            Part::Text(text) => {
                let words = if end { text.text.trim_end() } else { &text.text };
                if words.is_empty() {
                    return false;
                }
                match &text.citations {
                    Some((NAME, citations)) => list.object(|block| {
                        block.object("citationsContent", |cited| {
                            cited.list("content", |list| list.object(|said| said.put("text", words)));
                            cited.put("citations", citations);
                        });
                    }),
                    _ => list.object(|block| block.put("text", words)),
                }
                self.cache_point(list, text.cache);
            }
            Part::Refusal(words) if words.is_empty() => return false,
            Part::Refusal(words) => list.object(|block| block.put("text", words)),
            Part::Media(media) => return self.media(list, media),
            Part::Thinking(thought) => match own_seal(thought, self.family) {
                Some(seal) => {
                    list.object(|block| put_thinking(block, &thought.text, Some(seal), thought.hidden));
                }
                None => {
                    self.losing.note(Param::Thinking);
                    return false;
                }
            },
            Part::ToolCall(call) => {
                self.losing.note_if(call.proof.is_some(), Param::Thinking);
                list.object(|block| put_tool_use(block, call, &call.id));
                self.cache_point(list, call.cache);
            }
            Part::ToolResult(result) => self.tool_result(list, result),
        }
        true
    }

    fn tool_result(&mut self, list: &mut List<'_>, result: &ToolResult<'_>) {
        let mut cache = result.cache;
        let exact = self.family.is_exact_about_tools();
        self.losing.note_if(result.is_error && !exact, Param::ToolError);
        list.object(|block| {
            block.object("toolResult", |entry| {
                entry.put("toolUseId", &tool_id(&result.id));
                entry.list("content", |list| {
                    let mut any = false;
                    for part in &result.parts {
                        // Marks have no place within a result; it is kept with all of it.
                        cache = cache.or(match part {
                            Part::Text(text) => text.cache,
                            Part::Media(media) => media.cache,
                            _ => None,
                        });
                        any |= match part {
                            Part::Text(text) if text.text.is_empty() => false,
                            Part::Text(text) => {
                                list.object(|block| block.put("text", &text.text));
                                true
                            }
                            Part::Media(media) => self.media_alone(list, media),
                            _ => false,
                        };
                    }
                    if !any {
                        let nothing = if result.is_error { "The tool failed." } else { NOTHING };
                        list.object(|block| block.put("text", nothing));
                    }
                });
                if result.is_error && exact {
                    entry.put("status", "error");
                }
            });
        });
        self.cache_point(list, cache);
    }

    fn media(&mut self, list: &mut List<'_>, media: &Media<'_>) -> bool {
        let written = self.media_alone(list, media);
        if written {
            self.cache_point(list, media.cache);
        }
        written
    }

    fn media_alone(&mut self, list: &mut List<'_>, media: &Media<'_>) -> bool {
        let Some(written) = media::written(media) else {
            self.losing.note(match media.kind {
                MediaKind::Image => Param::Image,
                MediaKind::Audio => Param::Audio,
                MediaKind::Video => Param::Video,
                MediaKind::Document => Param::Document,
            });
            return false;
        };
        let detail = media.detail.as_deref();
        self.losing.note_if(detail.is_some_and(|detail| detail != "auto"), Param::Detail);
        let name = (media.kind == MediaKind::Document).then(|| self.names.next(media.name.as_deref()));
        list.object(|block| {
            block.object(media::block(media.kind), |entry| written.put(entry, name.as_deref()));
        });
        true
    }

    fn cache_point(&mut self, list: &mut List<'_>, cache: Option<CacheHint>) {
        let Some(hint) = cache else { return };
        if !self.family.caches() {
            self.losing.note(Param::Cache);
            return;
        }
        list.object(|block| {
            block.object("cachePoint", |point| {
                point.put("type", "default");
                if hint == CacheHint::Hour {
                    point.put("ttl", "1h");
                }
            });
        });
    }

    /// Where a conversation holds calls and results of tools, tools have to be named: those that may not be called any
    /// more as well.
    fn tools(&mut self, body: &mut Object<'_>, call: &Call<'_>) {
        let native = call.tools.iter().any(|tool| matches!(tool, Tool::Native { .. }));
        self.losing.note_if(native, Param::NativeTool);
        let offered = call.tools.iter().any(|tool| matches!(tool, Tool::Function { .. }));
        let called = called(call);
        let none = call.tool_choice == Some(ToolChoice::None);
        if called.is_empty() && (none || !offered) {
            return;
        }
        self.losing.note_if(none, Param::ToolChoice);
        body.object("toolConfig", |config| {
            config.list("tools", |list| {
                if offered {
                    call.tools.iter().for_each(|tool| self.tool(list, tool));
                } else {
                    called.iter().for_each(|name| tool_spec(list, name, None, None, None));
                }
            });
            match &call.tool_choice {
                None | Some(ToolChoice::Auto | ToolChoice::None) => {}
                Some(ToolChoice::Required) => {
                    config.object("toolChoice", |choice| choice.object("any", |_| {}));
                }
                Some(ToolChoice::Named(name)) => config.object("toolChoice", |choice| {
                    choice.object("tool", |tool| tool.put("name", name));
                }),
            }
        });
        self.losing.note_if(call.parallel_tools == Some(false), Param::ParallelTools);
    }

    fn tool(&mut self, list: &mut List<'_>, tool: &Tool<'_>) {
        let Tool::Function { name, description, parameters, strict, cache } = tool else { return };
        let description = description.as_deref().filter(|text| !text.is_empty());
        let schema = parameters.as_ref().map(|schema| schema.0.get());
        tool_spec(list, name, description, schema, strict.filter(|strict| *strict));
        self.cache_point(list, *cache);
    }

    fn settings(&mut self, body: &mut Object<'_>, call: &Call<'_>, wish: &Wish) {
        let mut config = Vec::new();
        object(&mut config, |config| self.inference(config, call, wish));
        if let Ok(config) = std::str::from_utf8(&config)
            && config != "{}"
        {
            body.json("inferenceConfig", config);
        }
        match &call.output {
            Some(Output::Schema { name, description, schema, .. }) => body.object("outputConfig", |config| {
                config.object("textFormat", |format| {
                    format.put("type", "json_schema");
                    format.object("structure", |structure| {
                        structure.object("jsonSchema", |wish| {
                            wish.put("schema", schema.0.get());
                            wish.maybe("name", name.as_ref());
                            wish.maybe("description", description.as_ref());
                        });
                    });
                });
            }),
            Some(Output::Json) => self.losing.note(Param::Output),
            None => {}
        }
        let stops = call.sampling.stop.iter().any(|text| !text.trim().is_empty());
        if self.family == Family::Claude && stops {
            body.put("additionalModelResponseFieldPaths", &["/stop_sequence"]);
        }
        match call.service_tier.as_deref() {
            None | Some("auto") => {}
            Some("default" | "standard" | "standard_only") => {
                body.object("serviceTier", |tier| tier.put("type", "default"));
            }
            Some(tier @ ("priority" | "flex" | "reserved")) => {
                body.object("serviceTier", |object| object.put("type", tier));
            }
            Some(_) => self.losing.note(Param::ServiceTier),
        }
        match call.metadata {
            Some(notes) if can_be_notes(notes) => body.put("requestMetadata", &notes),
            Some(_) => self.losing.note(Param::Metadata),
            None => {}
        }
        self.lost_settings(call);
    }

    fn inference(&mut self, config: &mut Object<'_>, call: &Call<'_>, wish: &Wish) {
        let sampling = &call.sampling;
        config.maybe("maxTokens", wish.max_tokens.as_ref());
        // Thinking goes with Claude's own way of drawing tokens only.
        match sampling.temperature {
            Some(temperature) if wish.thinks() => {
                self.losing.note_if(temperature != 1.0, Param::Temperature);
            }
            Some(temperature) => {
                self.losing.note_if(temperature > 1.0, Param::Temperature);
                config.put("temperature", &temperature.min(1.0));
            }
            None => {}
        }
        // And newer ones of Claude take one of the two, not both.
        let claude = self.family == Family::Claude;
        match sampling.top_p {
            Some(top_p) if claude && (sampling.temperature.is_some() || (wish.thinks() && top_p < 0.95)) => {
                self.losing.note_if(top_p < 1.0, Param::TopP);
            }
            top_p => config.maybe("topP", top_p.as_ref()),
        }
        // A sequence of nothing but white space is refused.
        let stop: Vec<_> = sampling.stop.iter().filter(|text| !text.trim().is_empty()).collect();
        self.losing.note_if(stop.len() < sampling.stop.len(), Param::Stop);
        if !stop.is_empty() {
            config.put("stopSequences", &stop);
        }
    }

    fn lost_settings(&mut self, call: &Call<'_>) {
        let sampling = &call.sampling;
        let losing = &mut *self.losing;
        losing.note_if(sampling.min_p.is_some(), Param::MinP);
        losing.note_if(sampling.seed.is_some(), Param::Seed);
        losing.note_if(sampling.frequency_penalty.is_some_and(|p| p != 0.0), Param::FrequencyPenalty);
        losing.note_if(sampling.presence_penalty.is_some_and(|p| p != 0.0), Param::PresencePenalty);
        losing.note_if(sampling.repetition_penalty.is_some_and(|p| p != 1.0), Param::RepetitionPenalty);
        losing.note_if(sampling.n.is_some_and(|n| n > 1), Param::N);
        losing.note_if(sampling.logprobs == Some(true) || sampling.top_logprobs.is_some(), Param::Logprobs);
        losing.note_if(sampling.logit_bias.is_some(), Param::LogitBias);
        losing.note_if(call.cache_key.is_some(), Param::Cache);
        losing.note_if(call.user.is_some(), Param::User);
    }
}

fn is_above(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

/// The names of the tools that were called, each once.
fn called<'c>(call: &'c Call<'_>) -> Vec<&'c str> {
    let mut names: Vec<&str> = call
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(&*call.name),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn tool_spec(
    list: &mut List<'_>,
    name: &str,
    description: Option<&str>,
    schema: Option<&str>,
    strict: Option<bool>,
) {
    list.object(|tool| {
        tool.object("toolSpec", |spec| {
            spec.put("name", name);
            spec.maybe("description", description);
            spec.object("inputSchema", |input| {
                input.json("json", schema.unwrap_or(r#"{"type":"object","properties":{}}"#));
            });
            spec.maybe("strict", strict.as_ref());
        });
    });
}

/// Whether notes are such as Bedrock takes for its logs: at most sixteen, of some letters only.
fn can_be_notes(notes: Raw<'_>) -> bool {
    let fits = |text: &str| {
        text.len() <= 256
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b":_@$#=/+,-.".contains(&b))
    };
    serde_json::from_str::<Members<'_>>(notes.text()).is_ok_and(|Members(members)| {
        (1..=16).contains(&members.len())
            && members.iter().all(|(key, value)| {
                let value = serde_json::from_str::<crate::neutral::Str<'_>>(value.text());
                !key.is_empty() && fits(key) && value.is_ok_and(|value| fits(&value))
            })
    })
}

/// A thought with its seal, as its own vendor and its clients hold it.
pub(super) fn put_thinking(block: &mut Object<'_>, text: &str, seal: Option<&str>, hidden: bool) {
    block.object("reasoningContent", |content| {
        if hidden {
            content.put("redactedContent", seal.unwrap_or_default());
        } else {
            content.object("reasoningText", |thought| {
                thought.put("text", text);
                thought.maybe("signature", seal);
            });
        }
    });
}

/// The call of a tool. Arguments that are no object, which models make at times, become the only member of one.
pub(super) fn put_tool_use(block: &mut Object<'_>, call: &ToolCall<'_>, id: &str) {
    block.object("toolUse", |entry| {
        entry.put("toolUseId", &tool_id(id));
        entry.put("name", &call.name);
        match arguments(&call.arguments) {
            Some(json) => entry.json("input", json),
            None => entry.object("input", |input| input.put("arguments", &call.arguments)),
        }
    });
}

/// Ids are short and of letters, digits, `_` and `-`; others' are made so, alike for call and result.
pub(super) fn tool_id(id: &str) -> String {
    if id.is_empty() {
        return "call".to_owned();
    }
    let sign = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let skipped = id.chars().count().saturating_sub(LONGEST_ID);
    id.chars().skip(skipped).map(sign).collect()
}
