//! A call of Ollama's, read.

use crate::format::read::{self, TextOr, Whole, data_url, invalid};
use crate::format::tools;
use crate::neutral::{
    Call, Effort, Lost, Media, MediaKind, Output, Part, Raw, Reasoning, Role, Sampling, Source, Str, Text,
    Thinking, Tool, ToolCall, ToolResult, Turn,
};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use std::fmt;
use weir_core::Fault;

/// `/api/chat`.
#[derive(Deserialize)]
struct Chat<'a> {
    #[serde(borrow)]
    model: Str<'a>,
    messages: Vec<Message<'a>>,
    tools: Option<Vec<ToolWish<'a>>>,
    stream: Option<bool>,
    format: Option<Raw<'a>>,
    think: Option<Think>,
    options: Option<Options<'a>>,
    logprobs: Option<bool>,
    top_logprobs: Option<u64>,
    extra_body: Option<Raw<'a>>,
}

/// `/api/generate`.
#[derive(Deserialize)]
struct Prompt<'a> {
    #[serde(borrow)]
    model: Str<'a>,
    prompt: Option<Str<'a>>,
    system: Option<Str<'a>>,
    images: Option<Vec<Str<'a>>>,
    stream: Option<bool>,
    format: Option<Raw<'a>>,
    think: Option<Think>,
    options: Option<Options<'a>>,
    logprobs: Option<bool>,
    top_logprobs: Option<u64>,
    extra_body: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Str<'a>,
    content: Option<Str<'a>>,
    thinking: Option<Str<'a>>,
    images: Option<Vec<Str<'a>>>,
    tool_calls: Option<Vec<Called<'a>>>,
    #[serde(alias = "name")]
    tool_name: Option<Str<'a>>,
    tool_call_id: Option<Str<'a>>,
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
    #[serde(rename = "index")]
    _index: Option<Whole>,
    #[serde(borrow)]
    name: Str<'a>,
    arguments: Option<Raw<'a>>,
}

impl<'a> Called<'a> {
    /// The same in the neutral form.
    pub(super) fn into_call(self) -> ToolCall<'a> {
        let arguments = self.function.arguments.map(|raw| {
            // Some clients write the object as a text all the same.
            serde_json::from_str::<Str<'a>>(raw.text()).unwrap_or_else(|_| Str::from(raw.text()))
        });
        ToolCall {
            id: self.id.unwrap_or_default(),
            name: self.function.name,
            arguments: arguments.unwrap_or_default(),
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

/// How tokens are drawn. What else stands here is for the machine that Ollama runs on, and is left behind.
#[derive(Default, Deserialize)]
struct Options<'a> {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<Whole>,
    min_p: Option<f64>,
    seed: Option<Whole>,
    num_predict: Option<Whole>,
    #[serde(borrow)]
    stop: Option<TextOr<'a, Vec<Str<'a>>>>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    repeat_penalty: Option<f64>,
}

/// Yes, no, or how much.
enum Think {
    Whether(bool),
    Much(Effort),
}

impl<'de> Deserialize<'de> for Think {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Think;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, \"low\", \"medium\" or \"high\"")
            }

            fn visit_bool<E: de::Error>(self, whether: bool) -> Result<Think, E> {
                Ok(Think::Whether(whether))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Think, E> {
                let effort = Effort::by_name(word);
                effort.map(Think::Much).ok_or_else(|| E::invalid_value(de::Unexpected::Str(word), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Think {
    /// A plain yes leaves the amount to the model.
    fn reasoning(&self) -> Reasoning {
        let effort = match self {
            Think::Whether(false) => Effort::None,
            Think::Whether(true) => Effort::Medium,
            Think::Much(effort) => *effort,
        };
        Reasoning { effort: Some(effort), budget: None, shown: (effort != Effort::None).then_some(true) }
    }
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Chat<'b> = read::call(body, lost)?;
    if request.messages.is_empty() {
        return Err(invalid("messages", "it is empty, and there is no model here to be loaded or unloaded"));
    }
    let mut turns: Vec<Turn<'b>> = Vec::with_capacity(request.messages.len());
    let mut results_last = false;
    for (at, message) in request.messages.into_iter().enumerate() {
        let is_result = message.role == *"tool";
        let turn = turn(at, message)?;
        match turns.last_mut().filter(|_| is_result && results_last) {
            Some(last) => last.parts.extend(turn.parts), // results of one round belong to one turn
            None => turns.push(turn),
        }
        results_last = is_result;
    }
    tools::link(&mut turns);
    let function = |wish: ToolWish<'b>| Tool::Function {
        name: wish.function.name,
        description: wish.function.description,
        parameters: wish.function.parameters.map(Into::into),
        strict: None,
        cache: None,
    };
    let options = request.options.unwrap_or_default();
    Ok(Call {
        model: request.model,
        turns,
        tools: request.tools.into_iter().flatten().map(function).collect(),
        output: request.format.map(output).transpose()?.flatten(),
        reasoning: request.think.map(|think| think.reasoning()),
        max_tokens: max_tokens(&options),
        sampling: sampling(options, request.logprobs, request.top_logprobs),
        stream: request.stream.unwrap_or(true),
        stream_usage: true,
        extra: request.extra_body,
        ..Call::default()
    })
}

pub(super) fn read_prompt<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Prompt<'b> = read::call(body, lost)?;
    let mut turns = Vec::with_capacity(2);
    let text = |text: Str<'b>| Part::Text(Text { text, ..Text::default() });
    if let Some(system) = request.system.filter(|text| !text.is_empty()) {
        turns.push(Turn { role: Role::System, parts: vec![text(system)], name: None });
    }
    let mut parts: Vec<Part<'b>> =
        request.prompt.filter(|text| !text.is_empty()).map(text).into_iter().collect();
    parts.extend(request.images.into_iter().flatten().map(image));
    if parts.is_empty() {
        return Err(invalid("prompt", "it is missing, and there is no model here to be loaded or unloaded"));
    }
    turns.push(Turn { role: Role::User, parts, name: None });
    let options = request.options.unwrap_or_default();
    Ok(Call {
        model: request.model,
        turns,
        output: request.format.map(output).transpose()?.flatten(),
        reasoning: request.think.map(|think| think.reasoning()),
        max_tokens: max_tokens(&options),
        sampling: sampling(options, request.logprobs, request.top_logprobs),
        stream: request.stream.unwrap_or(true),
        stream_usage: true,
        extra: request.extra_body,
        ..Call::default()
    })
}

/// Below 1 there is no limit.
fn max_tokens(options: &Options<'_>) -> Option<u64> {
    options.num_predict.and_then(|Whole(tokens)| u64::try_from(tokens).ok()).filter(|tokens| *tokens > 0)
}

fn sampling<'a>(options: Options<'a>, logprobs: Option<bool>, top_logprobs: Option<u64>) -> Sampling<'a> {
    Sampling {
        temperature: options.temperature,
        top_p: options.top_p,
        top_k: options.top_k.and_then(|Whole(k)| u64::try_from(k).ok()),
        min_p: options.min_p,
        seed: options.seed.map(|Whole(seed)| seed),
        frequency_penalty: options.frequency_penalty,
        presence_penalty: options.presence_penalty,
        repetition_penalty: options.repeat_penalty,
        stop: match options.stop {
            None => Vec::new(),
            Some(TextOr::Text(text)) => vec![text],
            Some(TextOr::Other(texts)) => texts,
        },
        logprobs,
        top_logprobs,
        ..Sampling::default()
    }
}

fn turn<'a>(at: usize, message: Message<'a>) -> Result<Turn<'a>, Fault> {
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
    if let Some(text) = message.thinking.filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking(Thinking { text, ..Thinking::default() }));
    }
    let content = message.content.filter(|text| !text.is_empty() || role != Role::Assistant);
    parts.extend(content.map(|text| Part::Text(Text { text, ..Text::default() })));
    parts.extend(message.images.into_iter().flatten().map(image));
    parts.extend(message.tool_calls.into_iter().flatten().map(|call| Part::ToolCall(call.into_call())));
    if message.role == *"tool" {
        let result = ToolResult {
            id: message.tool_call_id.unwrap_or_default(),
            name: message.tool_name.unwrap_or_default(),
            parts,
            is_error: false,
            cache: None,
        };
        parts = vec![Part::ToolResult(result)];
    }
    Ok(Turn { role, parts, name: None })
}

/// A picture, whose type shows in its first bytes.
fn image(data: Str<'_>) -> Part<'_> {
    let source = match data_url(&data) {
        Some((mime, base64)) => Source::Data { mime, base64 },
        None => Source::Data { mime: Str::from(image_type(&data)), base64: data },
    };
    Part::Media(Media { kind: MediaKind::Image, source, name: None, detail: None, cache: None })
}

fn image_type(base64: &str) -> &'static str {
    match base64 {
        text if text.starts_with("iVBORw0KGgo") => "image/png",
        text if text.starts_with("R0lGOD") => "image/gif",
        text if text.starts_with("UklGR") => "image/webp",
        _ => "image/jpeg",
    }
}

fn output<'a>(format: Raw<'a>) -> Result<Option<Output<'a>>, Fault> {
    match format.text() {
        "\"\"" => Ok(None),
        "\"json\"" => Ok(Some(Output::Json)),
        text if text.starts_with('{') => {
            Ok(Some(Output::Schema { name: None, description: None, schema: format.into(), strict: None }))
        }
        _ => Err(invalid("format", "\"json\" or a JSON schema is wanted")),
    }
}
