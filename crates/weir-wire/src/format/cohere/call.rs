//! A call of Cohere's, read.

use super::NAME;
use crate::format::read::{self, TextOr, Whole, data_url, invalid};
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
    tools: Option<Vec<ToolWish<'a>>>,
    strict_tools: Option<bool>,
    tool_choice: Option<Str<'a>>,
    response_format: Option<ResponseFormat<'a>>,
    max_tokens: Option<u64>,
    stop_sequences: Option<Vec<Str<'a>>>,
    temperature: Option<f64>,
    seed: Option<Whole>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    k: Option<Whole>,
    p: Option<f64>,
    logprobs: Option<bool>,
    thinking: Option<ThinkingWish<'a>>,
    stream: Option<bool>,
    extra_body: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Str<'a>,
    content: Option<TextOr<'a, Vec<Block<'a>>>>,
    tool_calls: Option<Vec<Called<'a>>>,
    tool_plan: Option<Str<'a>>,
    tool_call_id: Option<Str<'a>>,
    citations: Option<Raw<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    text: Option<Str<'a>>,
    thinking: Option<Str<'a>>,
    image_url: Option<ImageUrl<'a>>,
    document: Option<Document<'a>>,
}

#[derive(Deserialize)]
struct ImageUrl<'a> {
    #[serde(borrow)]
    url: Str<'a>,
    detail: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    data: Raw<'a>,
}

/// A call of a tool, in a conversation or an answer.
#[derive(Deserialize)]
pub(super) struct Called<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(rename = "type")]
    _type: Option<Str<'a>>,
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
    arguments: Option<Str<'a>>,
}

impl<'a> Called<'a> {
    /// The same in the neutral form.
    pub(super) fn into_call(self) -> ToolCall<'a> {
        ToolCall {
            id: self.id.unwrap_or_default(),
            name: self.function.name.unwrap_or_default(),
            arguments: self.function.arguments.unwrap_or_default(),
            ..ToolCall::default()
        }
    }
}

#[derive(Deserialize)]
struct ToolWish<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Str<'a>>,
    function: FunctionWish<'a>,
}

#[derive(Deserialize)]
struct FunctionWish<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    description: Option<Str<'a>>,
    parameters: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    json_schema: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct ThinkingWish<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
    token_budget: Option<u64>,
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Request<'b> = read::call(body, lost)?;
    let mut turns: Vec<Turn<'b>> = Vec::with_capacity(request.messages.len());
    let mut results_last = false;
    for (at, message) in request.messages.into_iter().enumerate() {
        let is_result = message.role == *"tool";
        let turn = turn(at, message, lost)?;
        match turns.last_mut().filter(|_| is_result && results_last) {
            Some(last) => last.parts.extend(turn.parts), // results of one round belong to one turn
            None => turns.push(turn),
        }
        results_last = is_result;
    }
    let strict = request.strict_tools.filter(|strict| *strict);
    let function = |wish: ToolWish<'b>| Tool::Function {
        name: wish.function.name,
        description: wish.function.description,
        parameters: wish.function.parameters.map(Into::into),
        strict,
        cache: None,
    };
    Ok(Call {
        model: request.model,
        turns,
        tools: request.tools.into_iter().flatten().map(function).collect(),
        tool_choice: request.tool_choice.map(|word| choice(&word)).transpose()?,
        output: request.response_format.as_ref().map(output).transpose()?.flatten(),
        reasoning: request.thinking.map(|wish| reasoning(&wish)),
        sampling: Sampling {
            temperature: request.temperature,
            top_p: request.p,
            top_k: request.k.and_then(|Whole(k)| u64::try_from(k).ok()).filter(|k| *k > 0),
            seed: request.seed.map(|Whole(seed)| seed),
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            stop: request.stop_sequences.unwrap_or_default(),
            logprobs: request.logprobs,
            ..Sampling::default()
        },
        max_tokens: request.max_tokens,
        stream: request.stream.unwrap_or(false),
        stream_usage: true,
        extra: request.extra_body,
        ..Call::default()
    })
}

fn choice<'a>(word: &str) -> Result<ToolChoice<'a>, Fault> {
    match word {
        "REQUIRED" => Ok(ToolChoice::Required),
        "NONE" => Ok(ToolChoice::None),
        other => {
            let what = format!("there is no choice `{other}`; REQUIRED and NONE are known");
            Err(invalid("tool_choice", &what))
        }
    }
}

fn output<'a>(format: &ResponseFormat<'a>) -> Result<Option<Output<'a>>, Fault> {
    match (&*format.kind, format.json_schema) {
        ("text", _) => Ok(None),
        ("json_object", None) => Ok(Some(Output::Json)),
        ("json_object", Some(schema)) => {
            Ok(Some(Output::Schema { name: None, description: None, schema: schema.into(), strict: None }))
        }
        (other, _) => Err(invalid("response_format.type", &format!("there is no format `{other}`"))),
    }
}

/// Models that can think do so unless they are told not to.
fn reasoning(wish: &ThinkingWish<'_>) -> Reasoning {
    if wish.kind.as_deref() == Some("disabled") {
        return Reasoning { budget: Some(0), ..Reasoning::default() };
    }
    let effort = wish.token_budget.is_none().then_some(Effort::High);
    Reasoning { effort, budget: wish.token_budget, shown: Some(true) }
}

fn turn<'a>(at: usize, message: Message<'a>, lost: &mut Lost) -> Result<Turn<'a>, Fault> {
    let role = match &*message.role {
        "system" => Role::System,
        "user" | "tool" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let what = format!("there is no role `{other}`; system, user, assistant and tool are known");
            return Err(invalid(&format!("messages[{at}].role"), &what));
        }
    };
    let mut parts = Vec::new();
    if let Some(text) = message.tool_plan.filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking(Thinking { text, ..Thinking::default() }));
    }
    match message.content {
        None => {}
        Some(TextOr::Text(text)) if text.is_empty() && role == Role::Assistant => {}
        Some(TextOr::Text(text)) => parts.push(Part::Text(Text { text, ..Text::default() })),
        Some(TextOr::Other(blocks)) => {
            for (block_at, block) in blocks.into_iter().enumerate() {
                parts.extend(part(&format!("messages[{at}].content[{block_at}]"), block, lost)?);
            }
        }
    }
    cite(&mut parts, message.citations);
    parts.extend(message.tool_calls.into_iter().flatten().map(|call| Part::ToolCall(call.into_call())));
    if message.role == *"tool" {
        let id = message.tool_call_id;
        let id = id.ok_or_else(|| invalid(&format!("messages[{at}].tool_call_id"), "it is missing"))?;
        let result = ToolResult { id, parts, ..ToolResult::default() };
        parts = vec![Part::ToolResult(result)];
    }
    Ok(Turn { role, parts, name: None })
}

/// Citations speak of places in the content as a whole; they stay with its last text.
pub(super) fn cite<'a>(parts: &mut [Part<'a>], citations: Option<Raw<'a>>) {
    let citations = citations.filter(|raw| !matches!(raw.text(), "null" | "[]"));
    let texts = parts.iter_mut().rev().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    if let (Some(text), Some(raw)) = (texts, citations) {
        text.citations = Some((NAME, raw));
    }
}

/// One block. A document is its data, which the model reads as it stands.
pub(super) fn part<'a>(path: &str, block: Block<'a>, lost: &mut Lost) -> Result<Option<Part<'a>>, Fault> {
    let missing = |what: &str| invalid(&format!("{path}.{what}"), "it is missing");
    Ok(Some(match &*block.kind {
        "text" => Part::Text(Text { text: block.text.ok_or_else(|| missing("text"))?, ..Text::default() }),
        "thinking" => {
            Part::Thinking(Thinking { text: block.thinking.unwrap_or_default(), ..Thinking::default() })
        }
        "image_url" => {
            let image = block.image_url.ok_or_else(|| missing("image_url"))?;
            let source = match data_url(&image.url) {
                Some((mime, base64)) => Source::Data { mime, base64 },
                None => Source::Url(image.url),
            };
            Part::Media(Media {
                kind: MediaKind::Image,
                source,
                name: None,
                detail: image.detail,
                cache: None,
            })
        }
        "document" => {
            let document = block.document.ok_or_else(|| missing("document"))?;
            Part::Text(Text { text: Str::from(document.data.text()), ..Text::default() })
        }
        other => {
            lost.note(format!("{path} ({other})"));
            return Ok(None);
        }
    }))
}
