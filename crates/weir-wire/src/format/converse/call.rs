//! A call of Converse, read.

use super::media;
use super::{NAME, media::Block as MediaBlock};
use crate::format::read::{self, invalid, proof_of, proof_of_blob};
use crate::neutral::{
    CacheHint, Call, Effort, Lost, MediaKind, Output, Part, Raw, Reasoning, Role, Sampling, Schema, Str,
    Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use weir_core::Fault;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    system: Option<Vec<Block<'a>>>,
    inference_config: Option<Inference<'a>>,
    tool_config: Option<Tools<'a>>,
    additional_model_request_fields: Option<Fields<'a>>,
    #[serde(rename = "additionalModelResponseFieldPaths")]
    _paths: Option<Vec<Str<'a>>>,
    request_metadata: Option<Raw<'a>>,
    service_tier: Option<Tier<'a>>,
    output_config: Option<OutputConfig<'a>>,
    #[serde(rename = "extra_body")]
    extra: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Str<'a>,
    content: Vec<Block<'a>>,
}

/// One block: the member that is there says what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    image: Option<MediaBlock<'a>>,
    document: Option<MediaBlock<'a>>,
    video: Option<MediaBlock<'a>>,
    audio: Option<MediaBlock<'a>>,
    tool_use: Option<ToolUse<'a>>,
    tool_result: Option<ResultBlock<'a>>,
    reasoning_content: Option<ReasoningBlock<'a>>,
    citations_content: Option<Cited<'a>>,
    cache_point: Option<CachePoint<'a>>,
    /// Of a tool's result.
    json: Option<Raw<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Str<'a>,
    name: Str<'a>,
    input: Option<Raw<'a>>,
    #[serde(rename = "type")]
    kind: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultBlock<'a> {
    #[serde(borrow)]
    tool_use_id: Str<'a>,
    content: Vec<Block<'a>>,
    status: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningBlock<'a> {
    #[serde(borrow)]
    reasoning_text: Option<ReasoningText<'a>>,
    redacted_content: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct ReasoningText<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    signature: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Cited<'a> {
    #[serde(borrow)]
    content: Option<Vec<CitedText<'a>>>,
    citations: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct CitedText<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct CachePoint<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Str<'a>>,
    ttl: Option<Str<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inference<'a> {
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    #[serde(borrow)]
    stop_sequences: Option<Vec<Str<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    #[serde(borrow)]
    tools: Vec<ToolWish<'a>>,
    tool_choice: Option<Choice<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolWish<'a> {
    #[serde(borrow)]
    tool_spec: Option<Spec<'a>>,
    system_tool: Option<Raw<'a>>,
    cache_point: Option<CachePoint<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    description: Option<Str<'a>>,
    input_schema: Option<InputSchema<'a>>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct InputSchema<'a> {
    #[serde(borrow)]
    json: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    auto: Option<Raw<'a>>,
    any: Option<Raw<'a>>,
    tool: Option<Named<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Str<'a>,
}

/// What only some models take.
#[derive(Default, Deserialize)]
struct Fields<'a> {
    top_k: Option<u64>,
    #[serde(rename = "inferenceConfig")]
    inference_config: Option<NovaConfig>,
    #[serde(alias = "reasoning_config", borrow)]
    thinking: Option<ThinkingWish<'a>>,
    #[serde(rename = "reasoningConfig")]
    reasoning_config: Option<NovaThinking<'a>>,
    reasoning_effort: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct NovaConfig {
    #[serde(rename = "topK")]
    top_k: Option<u64>,
}

#[derive(Deserialize)]
struct ThinkingWish<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    budget_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NovaThinking<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    max_reasoning_effort: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Tier<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'a> {
    #[serde(borrow)]
    text_format: Option<TextFormat<'a>>,
    effort: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct TextFormat<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    structure: Option<Structure<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'a> {
    #[serde(borrow)]
    json_schema: Option<JsonSchema<'a>>,
}

#[derive(Deserialize)]
struct JsonSchema<'a> {
    /// As a text.
    #[serde(borrow)]
    schema: Str<'a>,
    name: Option<Str<'a>>,
    description: Option<Str<'a>>,
}

impl CachePoint<'_> {
    fn hint(&self) -> CacheHint {
        if self.ttl.as_deref() == Some("1h") { CacheHint::Hour } else { CacheHint::Usual }
    }
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Request<'b> = read::call(body, lost)?;
    let mut turns = Vec::with_capacity(request.messages.len() + 1);
    if let Some(system) = request.system {
        turns.push(Turn { role: Role::System, parts: parts("system", system, lost)?, name: None });
    }
    for (at, message) in request.messages.into_iter().enumerate() {
        let role = match &*message.role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            other => {
                let what = format!("there is no role `{other}`; user, assistant and system are known");
                return Err(invalid(&format!("messages[{at}].role"), &what));
            }
        };
        let parts = parts(&format!("messages[{at}].content"), message.content, lost)?;
        turns.push(Turn { role, parts, name: None });
    }
    let (mut tools, mut tool_choice) = (Vec::new(), None);
    if let Some(config) = request.tool_config {
        tools = tool_wishes(config.tools, lost)?;
        tool_choice = config.tool_choice.map(choice).transpose()?;
    }
    let fields = request.additional_model_request_fields.unwrap_or_default();
    let inference = request.inference_config.unwrap_or_default();
    let (format, effort) =
        request.output_config.map_or((None, None), |config| (config.text_format, config.effort));
    Ok(Call {
        turns,
        tools,
        tool_choice,
        output: format.map(output).transpose()?,
        sampling: Sampling {
            temperature: inference.temperature,
            top_p: inference.top_p,
            top_k: fields.top_k.or(fields.inference_config.as_ref().and_then(|config| config.top_k)),
            stop: inference.stop_sequences.unwrap_or_default(),
            ..Sampling::default()
        },
        reasoning: reasoning(&fields, effort)?,
        max_tokens: inference.max_tokens,
        stream_usage: true,
        metadata: request.request_metadata,
        service_tier: request.service_tier.map(|tier| tier.kind),
        extra: request.extra,
        ..Call::default()
    })
}

fn reasoning(fields: &Fields<'_>, effort: Option<Str<'_>>) -> Result<Option<Reasoning>, Fault> {
    let by_word = |word: &Str<'_>, path: &str| {
        Effort::by_name(word).ok_or_else(|| invalid(path, "low, medium, high and max are known"))
    };
    const FIELDS: &str = "additionalModelRequestFields";
    let effort = effort.map(|word| by_word(&word, "outputConfig.effort")).transpose()?;
    if let Some(wish) = &fields.thinking {
        return Ok(Some(match &*wish.kind {
            "disabled" => Reasoning { budget: Some(0), ..Reasoning::default() },
            "adaptive" => {
                Reasoning { effort: effort.or(Some(Effort::High)), budget: None, shown: Some(true) }
            }
            _ => Reasoning { effort, budget: wish.budget_tokens, shown: Some(true) },
        }));
    }
    let effort = match (&fields.reasoning_config, &fields.reasoning_effort) {
        (Some(config), _) if config.kind == *"disabled" => Some(Effort::None),
        (Some(NovaThinking { max_reasoning_effort: Some(word), .. }), _) => {
            Some(by_word(word, &format!("{FIELDS}.reasoningConfig.maxReasoningEffort"))?)
        }
        (_, Some(word)) => Some(by_word(word, &format!("{FIELDS}.reasoning_effort"))?),
        (Some(_), None) => Some(Effort::Medium),
        (None, None) => effort,
    };
    Ok(effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }))
}

fn output<'a>(format: TextFormat<'a>) -> Result<Output<'a>, Fault> {
    const PATH: &str = "outputConfig.textFormat";
    let schema = format.structure.and_then(|structure| structure.json_schema);
    match (&*format.kind, schema) {
        ("json_schema", Some(wish)) => {
            let raw = RawValue::from_string(wish.schema.0.into_owned()).map_err(|_| {
                invalid(&format!("{PATH}.structure.jsonSchema.schema"), "it is not the text of a JSON schema")
            })?;
            let schema = Schema(Cow::Owned(raw));
            let (name, description) = (wish.name, wish.description);
            Ok(Output::Schema { name, description, schema, strict: Some(true) })
        }
        ("json_schema", None) => Err(invalid(&format!("{PATH}.structure.jsonSchema"), "it is missing")),
        (other, _) => Err(invalid(&format!("{PATH}.type"), &format!("there is no format `{other}`"))),
    }
}

fn choice(choice: Choice<'_>) -> Result<ToolChoice<'_>, Fault> {
    match choice {
        Choice { tool: Some(tool), .. } => Ok(ToolChoice::Named(tool.name)),
        Choice { any: Some(_), .. } => Ok(ToolChoice::Required),
        Choice { auto: Some(_), .. } => Ok(ToolChoice::Auto),
        Choice { .. } => Err(invalid("toolConfig.toolChoice", "auto, any and tool are known")),
    }
}

fn tool_wishes<'a>(wishes: Vec<ToolWish<'a>>, lost: &mut Lost) -> Result<Vec<Tool<'a>>, Fault> {
    let mut tools: Vec<Tool<'a>> = Vec::with_capacity(wishes.len());
    for (at, wish) in wishes.into_iter().enumerate() {
        match wish {
            ToolWish { tool_spec: Some(spec), .. } => tools.push(Tool::Function {
                name: spec.name,
                description: spec.description,
                parameters: spec.input_schema.and_then(|schema| schema.json).map(Into::into),
                strict: spec.strict,
                cache: None,
            }),
            ToolWish { system_tool: Some(value), .. } => {
                tools.push(Tool::Native { kind: Str::from("systemTool"), value });
            }
            ToolWish { cache_point: Some(point), .. } => match tools.last_mut() {
                Some(Tool::Function { cache, .. }) => *cache = Some(point.hint()),
                _ => lost.note(format!("toolConfig.tools[{at}].cachePoint")),
            },
            ToolWish { .. } => {
                let path = format!("toolConfig.tools[{at}]");
                return Err(invalid(&path, "toolSpec, systemTool and cachePoint are known"));
            }
        }
    }
    Ok(tools)
}

/// The parts that blocks stand for. A mark of what to keep belongs to the part before it.
pub(super) fn parts<'a>(path: &str, blocks: Vec<Block<'a>>, lost: &mut Lost) -> Result<Vec<Part<'a>>, Fault> {
    let mut parts: Vec<Part<'a>> = Vec::with_capacity(blocks.len());
    for (at, block) in blocks.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        match block.cache_point {
            None => parts.extend(part(&path, block, lost)?),
            Some(point) => {
                let cache = match parts.last_mut() {
                    Some(Part::Text(text)) => &mut text.cache,
                    Some(Part::Media(media)) => &mut media.cache,
                    Some(Part::ToolCall(call)) => &mut call.cache,
                    Some(Part::ToolResult(result)) => &mut result.cache,
                    Some(Part::Thinking(_) | Part::Refusal(_)) | None => {
                        lost.note(format!("{path}.cachePoint"));
                        continue;
                    }
                };
                *cache = Some(point.hint());
            }
        }
    }
    Ok(parts)
}

/// One block. What only Bedrock's own tools and guardrails say is left behind: no other model can read it.
fn part<'a>(path: &str, block: Block<'a>, lost: &mut Lost) -> Result<Option<Part<'a>>, Fault> {
    let medium = |kind, block, lost: &mut Lost| {
        let path = format!("{path}.{}", media::block(kind));
        Ok(media::read(kind, block, &path, lost)?.map(Part::Media))
    };
    Ok(Some(match block {
        Block { text: Some(text), .. } => Part::Text(Text { text, ..Text::default() }),
        Block { image: Some(image), .. } => return medium(MediaKind::Image, image, lost),
        Block { document: Some(document), .. } => return medium(MediaKind::Document, document, lost),
        Block { video: Some(video), .. } => return medium(MediaKind::Video, video, lost),
        Block { audio: Some(audio), .. } => return medium(MediaKind::Audio, audio, lost),
        Block { tool_use: Some(call), .. } => {
            if call.kind.is_some() {
                lost.note(format!("{path}.toolUse"));
                return Ok(None);
            }
            Part::ToolCall(ToolCall {
                id: call.tool_use_id,
                name: call.name,
                arguments: call.input.map(|input| Str::from(input.text())).unwrap_or_default(),
                ..ToolCall::default()
            })
        }
        Block { tool_result: Some(result), .. } => Part::ToolResult(ToolResult {
            id: result.tool_use_id,
            name: Str::default(),
            parts: parts(&format!("{path}.toolResult.content"), result.content, lost)?,
            is_error: result.status.is_some_and(|status| status == *"error"),
            cache: None,
        }),
        Block { reasoning_content: Some(thought), .. } => Part::Thinking(thinking(thought)),
        Block { citations_content: Some(cited), .. } => {
            let texts = cited.content.unwrap_or_default().into_iter().filter_map(|content| content.text);
            let text = joined(texts);
            let citations = cited.citations.filter(|raw| !matches!(raw.text(), "null" | "[]"));
            Part::Text(Text { text, citations: citations.map(|raw| (NAME, raw)), cache: None })
        }
        Block { json: Some(json), .. } => {
            Part::Text(Text { text: Str::from(json.text()), ..Text::default() })
        }
        Block { .. } => {
            lost.note(path.to_owned());
            return Ok(None);
        }
    }))
}

fn thinking<'a>(block: ReasoningBlock<'a>) -> Thinking<'a> {
    let own = |seal: Option<Str<'a>>| seal.filter(|seal| !seal.is_empty()).map(|seal| proof_of(NAME, &seal));
    match block {
        ReasoningBlock { redacted_content: Some(data), .. } => {
            let proof = (!data.is_empty()).then(|| proof_of_blob(NAME, &data));
            Thinking { text: Str::default(), proof, hidden: true }
        }
        ReasoningBlock { reasoning_text, .. } => {
            let (text, signature) = reasoning_text.map_or((None, None), |said| (said.text, said.signature));
            Thinking { text: text.unwrap_or_default(), proof: own(signature), hidden: false }
        }
    }
}

fn joined<'a>(mut texts: impl Iterator<Item = Str<'a>>) -> Str<'a> {
    let first = texts.next().unwrap_or_default();
    texts.fold(first, |before, text| Str::from(before.0.into_owned() + &text))
}
