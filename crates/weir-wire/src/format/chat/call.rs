//! A chat call, read.

use super::{CacheControl, ThinkingBlock};
use crate::format::read::{self, TextOr, data_url, invalid, proof_of};
use crate::neutral::{
    Call, Effort, Lost, Media, MediaKind, Output, Part, Raw, Reasoning, Role, Sampling, Source, Str, Text,
    Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Str<'a>,
    messages: Vec<Message<'a>>,
    #[serde(borrow)]
    tools: Option<Vec<Raw<'a>>>,
    tool_choice: Option<TextOr<'a, Choice<'a>>>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<ResponseFormat<'a>>,
    reasoning_effort: Option<Str<'a>>,
    thinking: Option<ThinkingWish<'a>>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    min_p: Option<f64>,
    seed: Option<i64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    repetition_penalty: Option<f64>,
    stop: Option<TextOr<'a, Vec<Str<'a>>>>,
    n: Option<u64>,
    logprobs: Option<bool>,
    top_logprobs: Option<u64>,
    logit_bias: Option<Raw<'a>>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    user: Option<Str<'a>>,
    safety_identifier: Option<Str<'a>>,
    metadata: Option<Raw<'a>>,
    prompt_cache_key: Option<Str<'a>>,
    service_tier: Option<Str<'a>>,
    extra_body: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Anthropic's wish in OpenAI's clothes.
#[derive(Deserialize)]
struct ThinkingWish<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
    budget_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Str<'a>,
    content: Option<TextOr<'a, Vec<ContentPart<'a>>>>,
    name: Option<Str<'a>>,
    tool_calls: Option<Vec<Called<'a>>>,
    tool_call_id: Option<Str<'a>>,
    refusal: Option<Str<'a>>,
    reasoning_content: Option<Str<'a>>,
    reasoning: Option<Str<'a>>,
    thinking_blocks: Option<Vec<ThinkingBlock<'a>>>,
    cache_control: Option<CacheControl<'a>>,
}

#[derive(Deserialize)]
struct ContentPart<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    text: Option<Str<'a>>,
    refusal: Option<Str<'a>>,
    image_url: Option<TextOr<'a, Address<'a>>>,
    video_url: Option<TextOr<'a, Address<'a>>>,
    input_audio: Option<InputAudio<'a>>,
    file: Option<File<'a>>,
    cache_control: Option<CacheControl<'a>>,
}

#[derive(Deserialize)]
struct Address<'a> {
    #[serde(borrow)]
    url: Str<'a>,
    detail: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct InputAudio<'a> {
    #[serde(borrow)]
    data: Str<'a>,
    format: Str<'a>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    file_data: Option<Str<'a>>,
    file_id: Option<Str<'a>>,
    filename: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Called<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(rename = "type")]
    _type: Option<Str<'a>>,
    function: CalledFunction<'a>,
    #[serde(rename = "index")]
    _index: Option<u64>,
    extra_content: Option<ExtraContent<'a>>,
}

/// Where Google's compatible API puts its seal on a call.
#[derive(Deserialize)]
struct ExtraContent<'a> {
    #[serde(borrow)]
    google: Option<Google<'a>>,
}

#[derive(Deserialize)]
struct Google<'a> {
    #[serde(borrow)]
    thought_signature: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct CalledFunction<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    arguments: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct ToolWish<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Str<'a>>,
    function: FunctionWish<'a>,
    cache_control: Option<CacheControl<'a>>,
}

#[derive(Deserialize)]
struct FunctionWish<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    description: Option<Str<'a>>,
    parameters: Option<Raw<'a>>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    function: Option<NamedFunction<'a>>,
}

#[derive(Deserialize)]
struct NamedFunction<'a> {
    #[serde(borrow)]
    name: Str<'a>,
}

#[derive(Deserialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    json_schema: Option<SchemaWish<'a>>,
}

#[derive(Deserialize)]
struct SchemaWish<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
    description: Option<Str<'a>>,
    schema: Option<Raw<'a>>,
    strict: Option<bool>,
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Request<'b> = read::call(body, lost)?;
    let mut turns: Vec<Turn<'b>> = Vec::with_capacity(request.messages.len());
    let mut results_last = false;
    for (at, message) in request.messages.into_iter().enumerate() {
        let is_result = matches!(&*message.role, "tool" | "function");
        let turn = turn(at, message)?;
        match turns.last_mut().filter(|_| is_result && results_last) {
            Some(last) => last.parts.extend(turn.parts), // results of one round belong to one turn
            None => turns.push(turn),
        }
        results_last = is_result;
    }
    let mut tools = Vec::new();
    for (at, tool) in request.tools.unwrap_or_default().into_iter().enumerate() {
        tools.push(tool_wish(at, tool, lost)?);
    }
    let effort = match &request.reasoning_effort {
        Some(word) => Some(
            Effort::by_name(word)
                .ok_or_else(|| invalid("reasoning_effort", "none, minimal, low, medium, high or xhigh"))?,
        ),
        None => None,
    };
    Ok(Call {
        model: request.model,
        turns,
        tools,
        tool_choice: request.tool_choice.map(|choice| tool_choice(choice, lost)).transpose()?.flatten(),
        parallel_tools: request.parallel_tool_calls,
        output: request.response_format.map(output).transpose()?.flatten(),
        reasoning: reasoning(effort, request.thinking),
        sampling: Sampling {
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            min_p: request.min_p,
            seed: request.seed,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            repetition_penalty: request.repetition_penalty,
            stop: request.stop.map(list).unwrap_or_default(),
            n: request.n,
            logprobs: request.logprobs,
            top_logprobs: request.top_logprobs,
            logit_bias: request.logit_bias,
        },
        max_tokens: request.max_completion_tokens.or(request.max_tokens),
        stream: request.stream.unwrap_or(false),
        stream_usage: request.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        user: request.safety_identifier.or(request.user),
        metadata: request.metadata,
        cache_key: request.prompt_cache_key,
        service_tier: request.service_tier,
        extra: request.extra_body,
    })
}

fn list<'a>(stop: TextOr<'a, Vec<Str<'a>>>) -> Vec<Str<'a>> {
    match stop {
        TextOr::Text(text) => vec![text],
        TextOr::Other(texts) => texts,
    }
}

fn reasoning(effort: Option<Effort>, thinking: Option<ThinkingWish<'_>>) -> Option<Reasoning> {
    let budget = thinking.and_then(|wish| match wish.kind.as_deref() {
        Some("disabled") => Some(0),
        _ => wish.budget_tokens,
    });
    (effort.is_some() || budget.is_some()).then_some(Reasoning { effort, budget, shown: None })
}

fn turn<'a>(at: usize, message: Message<'a>) -> Result<Turn<'a>, Fault> {
    let role = match &*message.role {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" | "tool" | "function" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let what =
                format!("there is no role `{other}`; system, developer, user, assistant and tool are known");
            return Err(invalid(&format!("messages[{at}].role"), &what));
        }
    };
    let mut parts = Vec::new();
    for block in message.thinking_blocks.into_iter().flatten() {
        parts.push(Part::Thinking(thinking(block)));
    }
    if let Some(text) = message.reasoning_content.or(message.reasoning).filter(|text| !text.is_empty())
        && parts.is_empty()
    {
        parts.push(Part::Thinking(Thinking { text, ..Thinking::default() }));
    }
    let cache = message.cache_control.map(|cache| cache.hint());
    match message.content {
        Some(TextOr::Text(text)) if !text.is_empty() || role != Role::Assistant => {
            parts.push(Part::Text(Text { text, cache, citations: None }));
        }
        Some(TextOr::Other(content)) => {
            for (index, part) in content.into_iter().enumerate() {
                parts.push(content_part(&format!("messages[{at}].content[{index}]"), part)?);
            }
        }
        Some(TextOr::Text(_)) | None => {}
    }
    if let Some(refusal) = message.refusal {
        parts.push(Part::Refusal(refusal));
    }
    for call in message.tool_calls.into_iter().flatten() {
        let seal =
            call.extra_content.and_then(|extra| extra.google).and_then(|google| google.thought_signature);
        parts.push(Part::ToolCall(ToolCall {
            id: call.id.unwrap_or_default(),
            name: call.function.name,
            arguments: call.function.arguments.unwrap_or_default(),
            proof: seal.map(|seal| proof_of("gemini", &seal)),
            cache: None,
        }));
    }
    if matches!(&*message.role, "tool" | "function") {
        let result = ToolResult {
            id: message.tool_call_id.unwrap_or_default(),
            name: message.name.unwrap_or_default(),
            parts,
            is_error: false,
            cache,
        };
        return Ok(Turn { role, parts: vec![Part::ToolResult(result)], name: None });
    }
    Ok(Turn { role, parts, name: message.name })
}

fn thinking<'a>(block: ThinkingBlock<'a>) -> Thinking<'a> {
    let hidden = block.kind == *"redacted_thinking";
    let seal = if hidden { block.data } else { block.signature };
    Thinking {
        text: block.thinking.unwrap_or_default(),
        proof: seal
            .filter(|seal| !seal.is_empty())
            .map(|seal| proof_of(crate::format::messages::NAME, &seal)),
        hidden,
    }
}

fn content_part<'a>(path: &str, part: ContentPart<'a>) -> Result<Part<'a>, Fault> {
    let cache = part.cache_control.map(|cache| cache.hint());
    let missing = |what: &str| invalid(&format!("{path}.{what}"), "it is missing");
    let media = |kind, source, name, detail| Part::Media(Media { kind, source, name, detail, cache });
    Ok(match &*part.kind {
        "text" | "input_text" | "output_text" => {
            Part::Text(Text { text: part.text.ok_or_else(|| missing("text"))?, citations: None, cache })
        }
        "refusal" => Part::Refusal(part.refusal.ok_or_else(|| missing("refusal"))?),
        "image_url" => {
            let (source, detail) = address(part.image_url.ok_or_else(|| missing("image_url"))?);
            media(MediaKind::Image, source, None, detail)
        }
        "video_url" => {
            let (source, detail) = address(part.video_url.ok_or_else(|| missing("video_url"))?);
            media(MediaKind::Video, source, None, detail)
        }
        "input_audio" => {
            let audio = part.input_audio.ok_or_else(|| missing("input_audio"))?;
            let mime = Str::from(format!("audio/{}", audio.format));
            media(MediaKind::Audio, Source::Data { mime, base64: audio.data }, None, None)
        }
        "file" => {
            let file = part.file.ok_or_else(|| missing("file"))?;
            let source = match (file.file_id, file.file_data) {
                (Some(id), _) => Source::File(id),
                (None, Some(data)) => match data_url(&data) {
                    Some((mime, base64)) => Source::Data { mime, base64 },
                    None => Source::Data { mime: Str::from("application/pdf"), base64: data },
                },
                (None, None) => return Err(missing("file.file_data")),
            };
            media(MediaKind::Document, source, file.filename, None)
        }
        other => {
            let what = format!("there is no kind of content `{other}`");
            return Err(invalid(&format!("{path}.type"), &what));
        }
    })
}

fn address<'a>(at: TextOr<'a, Address<'a>>) -> (Source<'a>, Option<Str<'a>>) {
    let (url, detail) = match at {
        TextOr::Text(url) => (url, None),
        TextOr::Other(Address { url, detail }) => (url, detail),
    };
    let source = match data_url(&url) {
        Some((mime, base64)) => Source::Data { mime, base64 },
        None => Source::Url(url),
    };
    (source, detail)
}

fn tool_wish<'a>(at: usize, tool: Raw<'a>, lost: &mut Lost) -> Result<Tool<'a>, Fault> {
    let path = format!("tools[{at}]");
    let body = tool.text().as_bytes();
    let kind: Kind<'a> = read::call_at(body, &path, &mut Lost::default())?;
    match kind.kind {
        Some(kind) if kind != *"function" => Ok(Tool::Native { kind, value: tool }),
        _ => {
            let wish: ToolWish<'a> = read::call_at(body, &path, lost)?;
            Ok(Tool::Function {
                name: wish.function.name,
                description: wish.function.description,
                parameters: wish.function.parameters,
                strict: wish.function.strict,
                cache: wish.cache_control.map(|cache| cache.hint()),
            })
        }
    }
}

fn tool_choice<'a>(choice: TextOr<'a, Choice<'a>>, lost: &mut Lost) -> Result<Option<ToolChoice<'a>>, Fault> {
    Ok(Some(match choice {
        TextOr::Text(word) => match &*word {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Required,
            other => return Err(invalid("tool_choice", &format!("there is no choice `{other}`"))),
        },
        TextOr::Other(Choice { kind, function: Some(function) }) if kind == *"function" => {
            ToolChoice::Named(function.name)
        }
        TextOr::Other(choice) => {
            lost.note(format!("tool_choice.{}", choice.kind));
            return Ok(None);
        }
    }))
}

fn output<'a>(format: ResponseFormat<'a>) -> Result<Option<Output<'a>>, Fault> {
    Ok(match &*format.kind {
        "text" => None,
        "json_object" => Some(Output::Json),
        "json_schema" => {
            let wish =
                format.json_schema.ok_or_else(|| invalid("response_format.json_schema", "it is missing"))?;
            Some(match wish.schema {
                Some(schema) => Output::Schema {
                    name: wish.name,
                    description: wish.description,
                    schema,
                    strict: wish.strict,
                },
                None => Output::Json,
            })
        }
        other => return Err(invalid("response_format.type", &format!("there is no format `{other}`"))),
    })
}
