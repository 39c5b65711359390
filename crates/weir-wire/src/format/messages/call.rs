//! A messages call, read.

use super::{CacheControl, NAME};
use crate::format::read::{self, TextOr, invalid, proof_of};
use crate::neutral::{
    CacheHint, Call, Effort, Lost, Media, MediaKind, Output, Part, Raw, Reasoning, Role, Sampling, Source,
    Str, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Str<'a>,
    max_tokens: Option<u64>,
    messages: Vec<Message<'a>>,
    system: Option<TextOr<'a, Vec<Block<'a>>>>,
    tools: Option<Vec<Raw<'a>>>,
    tool_choice: Option<Choice<'a>>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    stop_sequences: Option<Vec<Str<'a>>>,
    stream: Option<bool>,
    metadata: Option<Metadata<'a>>,
    thinking: Option<ThinkingWish<'a>>,
    output_config: Option<OutputConfig<'a>>,
    output_format: Option<OutputFormat<'a>>,
    service_tier: Option<Str<'a>>,
    extra_body: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Str<'a>,
    content: TextOr<'a, Vec<Block<'a>>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    text: Option<Str<'a>>,
    citations: Option<Raw<'a>>,
    source: Option<From<'a>>,
    title: Option<Str<'a>>,
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    input: Option<Raw<'a>>,
    tool_use_id: Option<Str<'a>>,
    content: Option<TextOr<'a, Vec<Block<'a>>>>,
    is_error: Option<bool>,
    thinking: Option<Str<'a>>,
    signature: Option<Str<'a>>,
    data: Option<Str<'a>>,
    cache_control: Option<CacheControl<'a>>,
}

#[derive(Deserialize)]
struct From<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    media_type: Option<Str<'a>>,
    data: Option<Str<'a>>,
    url: Option<Str<'a>>,
    file_id: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct ToolWish<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Str<'a>>,
    #[serde(borrow)]
    name: Str<'a>,
    description: Option<Str<'a>>,
    input_schema: Option<Raw<'a>>,
    strict: Option<bool>,
    cache_control: Option<CacheControl<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    name: Option<Str<'a>>,
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    user_id: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct ThinkingWish<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    budget_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputConfig<'a> {
    #[serde(borrow)]
    effort: Option<Str<'a>>,
    format: Option<OutputFormat<'a>>,
}

#[derive(Deserialize)]
struct OutputFormat<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    schema: Option<Raw<'a>>,
}

impl CacheControl<'_> {
    fn hint(&self) -> CacheHint {
        if self.ttl.as_deref() == Some("1h") { CacheHint::Hour } else { CacheHint::Usual }
    }
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Request<'b> = read::call(body, lost)?;
    let mut turns = Vec::with_capacity(request.messages.len() + 1);
    if let Some(system) = request.system {
        let parts = parts("system", system, lost)?;
        turns.push(Turn { role: Role::System, parts, name: None });
    }
    for (at, message) in request.messages.into_iter().enumerate() {
        let role = match &*message.role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            other => {
                let what = format!("there is no role `{other}`; user and assistant are known");
                return Err(invalid(&format!("messages[{at}].role"), &what));
            }
        };
        let parts = parts(&format!("messages[{at}].content"), message.content, lost)?;
        turns.push(Turn { role, parts, name: None });
    }
    let mut tools = Vec::new();
    for (at, tool) in request.tools.unwrap_or_default().into_iter().enumerate() {
        tools.push(tool_wish(at, tool, lost)?);
    }
    let (effort, format) =
        request.output_config.map_or((None, None), |config| (config.effort, config.format));
    let effort = match effort {
        Some(word) => Some(
            Effort::by_name(&word)
                .ok_or_else(|| invalid("output_config.effort", "low, medium, high and max are known"))?,
        ),
        None => None,
    };
    let parallel = request.tool_choice.as_ref().and_then(|choice| choice.disable_parallel_tool_use);
    Ok(Call {
        model: request.model,
        turns,
        tools,
        tool_choice: request.tool_choice.map(tool_choice).transpose()?,
        parallel_tools: parallel.map(|disabled| !disabled),
        output: format.or(request.output_format).as_ref().map(output).transpose()?,
        reasoning: reasoning(effort, request.thinking),
        sampling: Sampling {
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            stop: request.stop_sequences.unwrap_or_default(),
            ..Sampling::default()
        },
        max_tokens: request.max_tokens,
        stream: request.stream.unwrap_or(false),
        stream_usage: true,
        user: request.metadata.and_then(|metadata| metadata.user_id),
        metadata: None,
        cache_key: None,
        service_tier: request.service_tier.map(|tier| match &*tier {
            "standard_only" => Str::from("default"),
            _ => tier,
        }),
        extra: request.extra_body,
    })
}

/// `adaptive` leaves the amount to the model, whose own measure is `effort`, by default much
/// (<https://docs.anthropic.com/en/docs/build-with-claude/adaptive-thinking>).
fn reasoning(effort: Option<Effort>, wish: Option<ThinkingWish<'_>>) -> Option<Reasoning> {
    let Some(wish) = wish else {
        return effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() });
    };
    Some(match &*wish.kind {
        "disabled" => Reasoning { budget: Some(0), ..Reasoning::default() },
        "adaptive" => Reasoning { effort: effort.or(Some(Effort::High)), budget: None, shown: Some(true) },
        _ => Reasoning { effort, budget: wish.budget_tokens, shown: Some(true) },
    })
}

fn output<'a>(format: &OutputFormat<'a>) -> Result<Output<'a>, Fault> {
    match (&*format.kind, format.schema) {
        ("json_schema", Some(schema)) => {
            Ok(Output::Schema { name: None, description: None, schema, strict: Some(true) })
        }
        ("json_schema", None) => Err(invalid("output_config.format.schema", "it is missing")),
        (other, _) => Err(invalid("output_config.format.type", &format!("there is no format `{other}`"))),
    }
}

fn tool_choice<'a>(choice: Choice<'a>) -> Result<ToolChoice<'a>, Fault> {
    Ok(match (&*choice.kind, choice.name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Named(name),
        ("tool", None) => return Err(invalid("tool_choice.name", "it is missing")),
        (other, _) => return Err(invalid("tool_choice.type", &format!("there is no choice `{other}`"))),
    })
}

fn tool_wish<'a>(at: usize, tool: Raw<'a>, lost: &mut Lost) -> Result<Tool<'a>, Fault> {
    let path = format!("tools[{at}]");
    let body = tool.text().as_bytes();
    let kind: Kind<'a> = read::call_at(body, &path, &mut Lost::default())?;
    match kind.kind {
        Some(kind) if kind != *"custom" => Ok(Tool::Native { kind, value: tool }),
        _ => {
            let wish: ToolWish<'a> = read::call_at(body, &path, lost)?;
            Ok(Tool::Function {
                name: wish.name,
                description: wish.description,
                parameters: wish.input_schema,
                strict: wish.strict,
                cache: wish.cache_control.map(|cache| cache.hint()),
            })
        }
    }
}

fn parts<'a>(
    path: &str,
    content: TextOr<'a, Vec<Block<'a>>>,
    lost: &mut Lost,
) -> Result<Vec<Part<'a>>, Fault> {
    match content {
        TextOr::Text(text) => Ok(vec![Part::Text(Text { text, ..Text::default() })]),
        TextOr::Other(blocks) => {
            let mut parts = Vec::with_capacity(blocks.len());
            for (at, block) in blocks.into_iter().enumerate() {
                parts.extend(part(&format!("{path}[{at}]"), block, lost)?);
            }
            Ok(parts)
        }
    }
}

/// One block. What only Anthropic's own tools say is left behind: no other model can read it.
fn part<'a>(path: &str, block: Block<'a>, lost: &mut Lost) -> Result<Option<Part<'a>>, Fault> {
    let missing = |what: &str| invalid(&format!("{path}.{what}"), "it is missing");
    let cache = block.cache_control.map(|cache| cache.hint());
    let own = |seal: Option<Str<'a>>| seal.filter(|seal| !seal.is_empty()).map(|seal| proof_of(NAME, &seal));
    Ok(Some(match &*block.kind {
        "text" => Part::Text(Text {
            text: block.text.ok_or_else(|| missing("text"))?,
            citations: block
                .citations
                .filter(|raw| !matches!(raw.text(), "null" | "[]"))
                .map(|raw| (NAME, raw)),
            cache,
        }),
        kind @ ("image" | "document") => {
            let source = source(path, block.source.ok_or_else(|| missing("source"))?)?;
            let kind = if kind == "image" { MediaKind::Image } else { MediaKind::Document };
            Part::Media(Media { kind, source, name: block.title, detail: None, cache })
        }
        "tool_use" => Part::ToolCall(ToolCall {
            id: block.id.ok_or_else(|| missing("id"))?,
            name: block.name.ok_or_else(|| missing("name"))?,
            arguments: block.input.map(|input| Str::from(input.text())).unwrap_or_default(),
            proof: None,
            cache,
        }),
        "tool_result" => Part::ToolResult(ToolResult {
            id: block.tool_use_id.ok_or_else(|| missing("tool_use_id"))?,
            name: Str::default(),
            parts: match block.content {
                Some(content) => parts(&format!("{path}.content"), content, lost)?,
                None => Vec::new(),
            },
            is_error: block.is_error.unwrap_or(false),
            cache,
        }),
        "thinking" => Part::Thinking(Thinking {
            text: block.thinking.unwrap_or_default(),
            proof: own(block.signature),
            hidden: false,
        }),
        "redacted_thinking" => {
            Part::Thinking(Thinking { text: Str::default(), proof: own(block.data), hidden: true })
        }
        other => {
            lost.note(format!("{path} ({other})"));
            return Ok(None);
        }
    }))
}

fn source<'a>(path: &str, from: From<'a>) -> Result<Source<'a>, Fault> {
    let missing = |what: &str| invalid(&format!("{path}.source.{what}"), "it is missing");
    Ok(match &*from.kind {
        "base64" => Source::Data {
            mime: from.media_type.ok_or_else(|| missing("media_type"))?,
            base64: from.data.ok_or_else(|| missing("data"))?,
        },
        "url" => Source::Url(from.url.ok_or_else(|| missing("url"))?),
        "file" => Source::File(from.file_id.ok_or_else(|| missing("file_id"))?),
        "text" => Source::Text(from.data.ok_or_else(|| missing("data"))?),
        other => {
            let what = format!("there is no kind of source `{other}`; base64, url, file and text are known");
            return Err(invalid(&format!("{path}.source.type"), &what));
        }
    })
}
