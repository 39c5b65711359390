//! What models take beyond what all of them do, as far as their names tell.

use crate::format::Losing;
use crate::json::write::Object;
use crate::neutral::{Call, Effort, Param, Part, Role, ToolChoice};

/// The least that Claude may think (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>).
const LEAST_BUDGET: u64 = 1024;

/// Room for the answer behind thoughts of a given length, where nobody says how long it may be.
const ROOM: u64 = 4096;

/// Whose model it is. Names of profiles and of models of one's own (`arn:…`) may tell nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude,
    /// Amazon's own, before Nova 2.
    Nova,
    /// Amazon's own, which can think.
    Nova2,
    /// OpenAI's open ones.
    GptOss,
    /// Somebody's.
    Other,
}

impl Family {
    pub(super) fn of(model: &str) -> Self {
        let is = |word: &str| model.contains(word);
        match () {
            () if is("anthropic.") || is("claude") => Family::Claude,
            () if is("nova-2") => Family::Nova2,
            () if is("amazon.nova") => Family::Nova,
            () if is("gpt-oss") => Family::GptOss,
            () => Family::Other,
        }
    }

    /// Whether it takes marks of what to keep
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>); others refuse calls that have them.
    pub(super) fn caches(self) -> bool {
        matches!(self, Family::Claude | Family::Nova | Family::Nova2)
    }

    /// Whether it takes how a tool ended, and that one tool must be called.
    pub(super) fn is_exact_about_tools(self) -> bool {
        self.caches()
    }
}

/// How much is thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thought {
    /// As the model does by itself.
    Usual,
    /// At most so many tokens (Claude).
    Budget(u64),
    /// So much (Nova 2).
    Much(&'static str),
    /// So much (gpt-oss).
    Effort(&'static str),
}

/// What is asked for of what not every model knows.
pub(super) struct Wish {
    pub(super) family: Family,
    pub(super) thought: Thought,
    pub(super) max_tokens: Option<u64>,
}

impl Wish {
    /// `most`: the most tokens that the deployment generates, where that is known.
    pub(super) fn of(call: &Call<'_>, family: Family, most: Option<u64>, losing: &mut Losing<'_>) -> Self {
        let effort = call.reasoning.and_then(|reasoning| reasoning.effort());
        let wanted = effort.filter(|effort| *effort != Effort::None);
        let mut wish = Wish { family, thought: Thought::Usual, max_tokens: call.max_tokens };
        match (family, wanted) {
            (_, None) => {}
            (Family::Claude, Some(_)) => {
                let budget = call.reasoning.and_then(|reasoning| reasoning.budget()).unwrap_or(0);
                match claude(call, budget, most.unwrap_or(u64::MAX)) {
                    Some((budget, max_tokens)) => {
                        wish.thought = Thought::Budget(budget);
                        wish.max_tokens = Some(max_tokens);
                    }
                    None => losing.note(Param::Reasoning),
                }
            }
            (Family::Nova2, Some(effort)) => {
                // High effort rules out limits and ways of drawing tokens
                // (<https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html>).
                let free = call.max_tokens.is_none()
                    && call.sampling.temperature.is_none()
                    && call.sampling.top_p.is_none();
                wish.thought = Thought::Much(match effort {
                    Effort::None | Effort::Minimal | Effort::Low => "low",
                    Effort::High | Effort::Max if free => "high",
                    Effort::Medium | Effort::High | Effort::Max => "medium",
                });
                losing.note_if(effort >= Effort::High && !free, Param::Reasoning);
            }
            (Family::GptOss, Some(effort)) => {
                wish.thought = Thought::Effort(match effort {
                    Effort::None | Effort::Minimal | Effort::Low => "low",
                    Effort::Medium => "medium",
                    Effort::High | Effort::Max => "high",
                });
            }
            (Family::Nova | Family::Other, Some(_)) => losing.note(Param::Reasoning),
        }
        wish
    }

    /// Whether Claude thinks, which rules out other settings.
    pub(super) fn thinks(&self) -> bool {
        matches!(self.thought, Thought::Budget(_))
    }

    /// Members of `additionalModelRequestFields`.
    pub(super) fn fields(&self, fields: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
        match self.thought {
            Thought::Usual => {}
            Thought::Budget(budget) => fields.object("thinking", |thinking| {
                thinking.put("type", "enabled");
                thinking.put("budget_tokens", &budget);
            }),
            Thought::Much(effort) => fields.object("reasoningConfig", |config| {
                config.put("type", "enabled");
                config.put("maxReasoningEffort", effort);
            }),
            Thought::Effort(effort) => fields.put("reasoning_effort", effort),
        }
        match (call.sampling.top_k, self.family) {
            (None, _) => {}
            (Some(top_k), Family::Claude) if !self.thinks() => fields.put("top_k", &top_k),
            (Some(top_k), Family::Nova | Family::Nova2) => {
                fields.object("inferenceConfig", |config| config.put("topK", &top_k));
            }
            (Some(_), _) => losing.note(Param::TopK),
        }
    }
}

/// How much Claude thinks and says, under the same rules as at Anthropic: thoughts are part of what is said, no tool may be
/// forced, and an answer to a tool's result has to go on with the thoughts that led to the call.
fn claude(call: &Call<'_>, budget: u64, most: u64) -> Option<(u64, u64)> {
    let forced = matches!(call.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    if forced || misses_thoughts(call) {
        return None;
    }
    let budget = budget.max(LEAST_BUDGET);
    let max_tokens = match call.max_tokens {
        Some(said) => said,
        None => budget.saturating_add(ROOM).min(most),
    };
    let budget = budget.min(max_tokens.saturating_sub(1));
    (budget >= LEAST_BUDGET).then_some((budget, max_tokens))
}

/// Whether the conversation stands in the middle of a round of tools that the model began without thoughts of its own.
fn misses_thoughts(call: &Call<'_>) -> bool {
    let is_result = |part: &Part<'_>| matches!(part, Part::ToolResult(_));
    let answered = call.turns.last().is_some_and(|turn| turn.parts.iter().any(is_result));
    let asked = call.turns.iter().rev().find(|turn| turn.role == Role::Assistant);
    let sealed = |part: &Part<'_>| matches!(part, Part::Thinking(t) if super::write::own_seal(t, Family::Claude).is_some());
    answered && asked.is_some_and(|turn| !turn.parts.iter().any(sealed))
}
