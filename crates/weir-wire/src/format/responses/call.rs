//! A call, read.

use super::item;
use super::kept;
use crate::format::read::{self, TextOr, invalid};
use crate::neutral::{
    Call, Effort, Lost, Output, Part, Raw, Reasoning, Role, Sampling, Str, Text, Tool, ToolChoice, Turn,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use weir_core::Fault;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Str<'a>,
    #[serde(borrow)]
    input: Option<TextOr<'a, Vec<Raw<'a>>>>,
    instructions: Option<Str<'a>>,
    #[serde(borrow)]
    tools: Option<Vec<Raw<'a>>>,
    tool_choice: Option<TextOr<'a, Choice<'a>>>,
    parallel_tool_calls: Option<bool>,
    text: Option<TextWish<'a>>,
    reasoning: Option<ReasoningWish<'a>>,
    include: Option<Vec<Str<'a>>>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_logprobs: Option<u64>,
    max_output_tokens: Option<u64>,
    truncation: Option<Str<'a>>,
    stream: Option<bool>,
    /// Whether deltas are padded against eavesdroppers, which ours need not be.
    #[serde(rename = "stream_options", borrow)]
    _stream_options: Option<Raw<'a>>,
    user: Option<Str<'a>>,
    safety_identifier: Option<Str<'a>>,
    metadata: Option<Raw<'a>>,
    prompt_cache_key: Option<Str<'a>>,
    service_tier: Option<Str<'a>>,
    /// Whether it is kept and whether it is waited for are the gateway's business.
    #[serde(rename = "store")]
    _store: Option<bool>,
    #[serde(rename = "background")]
    _background: Option<bool>,
    previous_response_id: Option<Str<'a>>,
    conversation: Option<Raw<'a>>,
    prompt: Option<Raw<'a>>,
    extra_body: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct TextWish<'a> {
    #[serde(borrow)]
    format: Option<OutputFormat<'a>>,
}

#[derive(Deserialize)]
struct OutputFormat<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    name: Option<Str<'a>>,
    description: Option<Str<'a>>,
    schema: Option<Raw<'a>>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct ReasoningWish<'a> {
    #[serde(borrow)]
    effort: Option<Str<'a>>,
    summary: Option<Str<'a>>,
    generate_summary: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    name: Option<Str<'a>>,
    mode: Option<Str<'a>>,
    #[serde(rename = "tools", borrow)]
    _tools: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct FunctionWish<'a> {
    #[serde(rename = "type", borrow)]
    _type: Str<'a>,
    name: Str<'a>,
    description: Option<Str<'a>>,
    parameters: Option<Raw<'a>>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct FreeWish<'a> {
    #[serde(rename = "type", borrow)]
    _type: Str<'a>,
    name: Str<'a>,
    description: Option<Str<'a>>,
    format: Option<FreeFormat<'a>>,
}

#[derive(Deserialize)]
struct FreeFormat<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Str<'a>>,
    syntax: Option<Str<'a>>,
    definition: Option<Str<'a>>,
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Request<'b> = read::call(body, lost)?;
    if let Some(id) = &request.previous_response_id {
        return Err(kept::no_answer(id));
    }
    for (there, param) in
        [(request.conversation.is_some(), "conversation"), (request.prompt.is_some(), "prompt")]
    {
        if there {
            return Err(kept::elsewhere(param));
        }
    }
    let mut turns = Vec::new();
    if let Some(text) = request.instructions.filter(|text| !text.is_empty()) {
        turns.push(one(Role::System, text));
    }
    match request.input {
        Some(TextOr::Text(text)) => turns.push(one(Role::User, text)),
        Some(TextOr::Other(items)) => item::read(items, &mut turns, lost)?,
        None => return Err(invalid("input", "it is missing")),
    }
    let mut tools = Vec::new();
    for (at, tool) in request.tools.unwrap_or_default().into_iter().enumerate() {
        tools.push(tool_wish(at, tool, lost)?);
    }
    let logprobs = included(request.include.unwrap_or_default(), lost);
    let top_logprobs = request.top_logprobs.filter(|top| *top > 0);
    if request.truncation.is_some_and(|word| word != *"disabled") {
        lost.note("truncation");
    }
    Ok(Call {
        model: request.model,
        turns,
        tools,
        tool_choice: request.tool_choice.map(|choice| tool_choice(choice, lost)).transpose()?.flatten(),
        parallel_tools: request.parallel_tool_calls,
        output: request.text.and_then(|text| text.format).map(output).transpose()?.flatten(),
        reasoning: request.reasoning.map(reasoning).transpose()?.flatten(),
        sampling: Sampling {
            temperature: request.temperature,
            top_p: request.top_p,
            logprobs: (logprobs || top_logprobs.is_some()).then_some(true),
            top_logprobs,
            ..Sampling::default()
        },
        max_tokens: request.max_output_tokens,
        stream: request.stream.unwrap_or(false),
        stream_usage: true,
        user: request.safety_identifier.or(request.user),
        metadata: request.metadata,
        cache_key: request.prompt_cache_key,
        service_tier: request.service_tier,
        extra: request.extra_body,
    })
}

fn one(role: Role, text: Str<'_>) -> Turn<'_> {
    Turn { role, parts: vec![Part::Text(Text { text, ..Text::default() })], name: None }
}

/// Whether probabilities are to be included. Seals of thoughts always are; the rest is of tools that only OpenAI has.
fn included(include: Vec<Str<'_>>, lost: &mut Lost) -> bool {
    let mut logprobs = false;
    for word in include {
        match &*word {
            "message.output_text.logprobs" => logprobs = true,
            "reasoning.encrypted_content" => {}
            other => lost.note(format!("include.{other}")),
        }
    }
    logprobs
}

fn reasoning(wish: ReasoningWish<'_>) -> Result<Option<Reasoning>, Fault> {
    let effort = match &wish.effort {
        Some(word) => Some(
            Effort::by_name(word)
                .ok_or_else(|| invalid("reasoning.effort", "none, minimal, low, medium, high or xhigh"))?,
        ),
        None => None,
    };
    let shown = wish.summary.or(wish.generate_summary).map(|word| word != *"none");
    Ok((effort.is_some() || shown.is_some()).then_some(Reasoning { effort, budget: None, shown }))
}

fn output<'a>(format: OutputFormat<'a>) -> Result<Option<Output<'a>>, Fault> {
    Ok(match (&*format.kind, format.schema) {
        ("text", _) => None,
        ("json_object", _) => Some(Output::Json),
        ("json_schema", Some(schema)) => Some(Output::Schema {
            name: format.name,
            description: format.description,
            schema: schema.into(),
            strict: format.strict,
        }),
        ("json_schema", None) => return Err(invalid("text.format.schema", "it is missing")),
        (other, _) => return Err(invalid("text.format.type", &format!("there is no format `{other}`"))),
    })
}

fn tool_choice<'a>(choice: TextOr<'a, Choice<'a>>, lost: &mut Lost) -> Result<Option<ToolChoice<'a>>, Fault> {
    let choice = match choice {
        TextOr::Text(word) => {
            return Ok(Some(match &*word {
                "auto" => ToolChoice::Auto,
                "none" => ToolChoice::None,
                "required" => ToolChoice::Required,
                other => return Err(invalid("tool_choice", &format!("there is no choice `{other}`"))),
            }));
        }
        TextOr::Other(choice) => choice,
    };
    match (&*choice.kind, choice.name) {
        ("function" | "custom", Some(name)) => Ok(Some(ToolChoice::Named(name))),
        ("function" | "custom", None) => Err(invalid("tool_choice.name", "it is missing")),
        (kind, _) => {
            lost.note(format!("tool_choice.{kind}"));
            // Of `allowed_tools` the mode can be kept though the list cannot.
            Ok(choice.mode.map(
                |mode| {
                    if mode == *"required" { ToolChoice::Required } else { ToolChoice::Auto }
                },
            ))
        }
    }
}

fn tool_wish<'a>(at: usize, tool: Raw<'a>, lost: &mut Lost) -> Result<Tool<'a>, Fault> {
    let path = format!("tools[{at}]");
    let body = tool.text().as_bytes();
    let kind: Kind<'a> = read::call_at(body, &path, &mut Lost::default())?;
    let kind = kind.kind.ok_or_else(|| invalid(&format!("{path}.type"), "it is missing"))?;
    match &*kind {
        "function" => {
            let wish: FunctionWish<'a> = read::call_at(body, &path, lost)?;
            Ok(Tool::Function {
                name: wish.name,
                description: wish.description,
                parameters: wish.parameters.filter(|raw| raw.text() != "null").map(Into::into),
                // Elsewhere it is so without being said.
                strict: wish.strict.filter(|strict| *strict),
                cache: None,
            })
        }
        "custom" => Ok(free_tool(&path, read::call_at(body, &path, lost)?, lost)),
        _ => Ok(Tool::Native { kind, value: tool }),
    }
}

/// A tool of free text, as a function. A grammar that its text has to keep to cannot be held to, only told.
fn free_tool<'a>(path: &str, wish: FreeWish<'a>, lost: &mut Lost) -> Tool<'a> {
    const INPUT: &str = concat!(
        r#"{"type":"object","properties":{"input":{"type":"string"}},"#,
        r#""required":["input"],"additionalProperties":false}"#
    );
    let mut description = wish.description;
    if let Some(grammar) = wish.format.as_ref().and_then(|format| format.definition.as_deref()) {
        lost.note(format!("{path}.format"));
        let syntax = wish.format.as_ref().and_then(|format| format.syntax.as_deref()).unwrap_or("formal");
        let mut text = description.map(|text| text.0.into_owned()).unwrap_or_default();
        let gap = if text.is_empty() { "" } else { "\n\n" };
        let _ = write!(text, "{gap}The text given as `input` has to match this {syntax} grammar:\n{grammar}");
        description = Some(Str::from(text));
    }
    Tool::Function {
        name: wish.name,
        description,
        parameters: serde_json::from_str::<&RawValue>(INPUT).ok().map(|schema| Raw(schema).into()),
        strict: None,
        cache: None,
    }
}
