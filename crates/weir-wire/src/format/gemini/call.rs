//! A call of Google's, read.

use super::{NAME, proof_of, schema};
use crate::format::read::{self, Members, TextOr, Whole, invalid};
use crate::format::tools;
use crate::neutral::{
    Call, Effort, Lost, Media, MediaKind, Output, Part, Proof, Raw, Reasoning, Role, Sampling, Source, Str,
    Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use weir_core::Fault;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Str<'a>>,
    contents: Many<Content<'a>>,
    #[serde(alias = "system_instruction")]
    system_instruction: Option<TextOr<'a, Content<'a>>>,
    tools: Option<Vec<Raw<'a>>>,
    #[serde(alias = "tool_config")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(alias = "generation_config", default)]
    generation_config: Option<GenerationConfig<'a>>,
    labels: Option<Raw<'a>>,
    #[serde(alias = "service_tier")]
    service_tier: Option<Str<'a>>,
    #[serde(alias = "extra_body")]
    extra_body: Option<Raw<'a>>,
}

/// What one side says.
#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    role: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) parts: Option<Many<ContentPart<'a>>>,
}

/// A part of it: one of these, besides a seal. Nearly all are texts, which the rest is kept out of the way of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContentPart<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    thought: Option<bool>,
    #[serde(alias = "thought_signature")]
    thought_signature: Option<Str<'a>>,
    #[serde(alias = "inline_data")]
    inline_data: Option<Box<Blob<'a>>>,
    #[serde(alias = "file_data")]
    file_data: Option<Box<FileData<'a>>>,
    #[serde(alias = "function_call")]
    function_call: Option<Box<FunctionCall<'a>>>,
    #[serde(alias = "function_response")]
    function_response: Option<Box<FunctionResponse<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    #[serde(alias = "mime_type", borrow)]
    mime_type: Option<Str<'a>>,
    data: Option<Str<'a>>,
    #[serde(alias = "display_name")]
    display_name: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileData<'a> {
    #[serde(alias = "mime_type", borrow)]
    mime_type: Option<Str<'a>>,
    #[serde(alias = "file_uri")]
    file_uri: Option<Str<'a>>,
    #[serde(alias = "display_name")]
    display_name: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    args: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct FunctionResponse<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    response: Option<Raw<'a>>,
    parts: Option<Vec<ResponsePart<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponsePart<'a> {
    #[serde(alias = "inline_data", borrow)]
    inline_data: Option<Blob<'a>>,
    #[serde(alias = "file_data")]
    file_data: Option<FileData<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    description: Option<Str<'a>>,
    parameters: Option<Raw<'a>>,
    #[serde(alias = "parameters_json_schema")]
    parameters_json_schema: Option<Raw<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    #[serde(alias = "function_calling_config", borrow)]
    function_calling_config: Option<FunctionCalling<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCalling<'a> {
    #[serde(borrow)]
    mode: Option<Str<'a>>,
    #[serde(alias = "allowed_function_names")]
    allowed_function_names: Option<Vec<Str<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    temperature: Option<f64>,
    #[serde(alias = "top_p")]
    top_p: Option<f64>,
    #[serde(alias = "top_k")]
    top_k: Option<Whole>,
    #[serde(alias = "candidate_count")]
    candidate_count: Option<u64>,
    #[serde(alias = "max_output_tokens")]
    max_output_tokens: Option<u64>,
    #[serde(alias = "stop_sequences", borrow)]
    stop_sequences: Option<Vec<Str<'a>>>,
    seed: Option<i64>,
    #[serde(alias = "presence_penalty")]
    presence_penalty: Option<f64>,
    #[serde(alias = "frequency_penalty")]
    frequency_penalty: Option<f64>,
    #[serde(alias = "response_logprobs")]
    response_logprobs: Option<bool>,
    logprobs: Option<u64>,
    #[serde(alias = "response_mime_type")]
    response_mime_type: Option<Str<'a>>,
    #[serde(alias = "response_schema")]
    response_schema: Option<Raw<'a>>,
    #[serde(alias = "response_json_schema", alias = "_responseJsonSchema")]
    response_json_schema: Option<Raw<'a>>,
    #[serde(alias = "response_modalities")]
    response_modalities: Option<Vec<Str<'a>>>,
    #[serde(alias = "thinking_config")]
    thinking_config: Option<ThinkingConfig<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig<'a> {
    #[serde(alias = "include_thoughts")]
    include_thoughts: Option<bool>,
    /// -1 leaves it to the model.
    #[serde(alias = "thinking_budget")]
    thinking_budget: Option<i64>,
    #[serde(alias = "thinking_level", borrow)]
    thinking_level: Option<Str<'a>>,
}

/// A list, or one that stands for a list of one, as Google's API and its examples have it.
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Many)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(|one| Many(vec![one]))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Request<'b> = read::call(body, lost)?;
    let mut turns = Vec::with_capacity(request.contents.0.len() + 1);
    if let Some(system) = request.system_instruction {
        let parts = match system {
            TextOr::Text(text) => vec![Part::Text(Text { text, ..Text::default() })],
            TextOr::Other(content) => parts(content)
                .map_err(|(at, what)| invalid(&format!("systemInstruction.parts[{at}].{what}"), MISSING))?,
        };
        turns.push(Turn { role: Role::System, parts, name: None });
    }
    for (at, content) in request.contents.0.into_iter().enumerate() {
        let role = match content.role.as_deref().unwrap_or("user") {
            "user" | "function" | "tool" | "" => Role::User,
            "model" | "assistant" => Role::Assistant,
            "system" => Role::System,
            other => {
                let what = format!("there is no role `{other}`; user and model are known");
                return Err(invalid(&format!("contents[{at}].role"), &what));
            }
        };
        let parts = parts(content)
            .map_err(|(part, what)| invalid(&format!("contents[{at}].parts[{part}].{what}"), MISSING))?;
        turns.push(Turn { role, parts, name: None });
    }
    tools::link(&mut turns);
    let mut wishes = Vec::new();
    for (at, tool) in request.tools.unwrap_or_default().into_iter().enumerate() {
        tool_wishes(at, tool, &mut wishes, lost)?;
    }
    let config = request.generation_config.unwrap_or_default();
    let calling = request.tool_config.and_then(|config| config.function_calling_config);
    Ok(Call {
        model: request.model.map(bare_model).unwrap_or_default(),
        turns,
        tools: wishes,
        tool_choice: calling.map(|calling| tool_choice(calling, lost)).transpose()?.flatten(),
        output: output(&config, lost),
        reasoning: config.thinking_config.as_ref().map(reasoning).transpose()?.flatten(),
        sampling: Sampling {
            temperature: config.temperature,
            top_p: config.top_p,
            top_k: config.top_k.and_then(|Whole(k)| u64::try_from(k).ok()),
            seed: config.seed,
            frequency_penalty: config.frequency_penalty,
            presence_penalty: config.presence_penalty,
            stop: config.stop_sequences.unwrap_or_default(),
            n: config.candidate_count,
            logprobs: config.response_logprobs,
            top_logprobs: config.logprobs,
            ..Sampling::default()
        },
        max_tokens: config.max_output_tokens,
        stream_usage: true,
        metadata: request.labels,
        service_tier: request.service_tier.and_then(|tier| match &*tier.to_ascii_lowercase() {
            "unspecified" => None,
            "standard" => Some(Str::from("default")),
            other => Some(Str::from(other.to_owned())),
        }),
        extra: request.extra_body,
        ..Call::default()
    })
}

const MISSING: &str = "it is missing";

/// Where it is in the body at all, its collection stands before it.
fn bare_model<'a>(model: Str<'a>) -> Str<'a> {
    match model.strip_prefix("models/") {
        Some(bare) => Str::from(bare.to_owned()),
        None => model,
    }
}

/// The parts of a content; else the place of one that is not whole, and what it misses.
pub(super) fn parts<'a>(content: Content<'a>) -> Result<Vec<Part<'a>>, (usize, &'static str)> {
    let given = content.parts.map(|parts| parts.0).unwrap_or_default();
    let mut parts = Vec::with_capacity(given.len());
    for (at, one) in given.into_iter().enumerate() {
        part(one, &mut parts).map_err(|what| (at, what))?;
    }
    Ok(parts)
}

/// One part. What only Google's own tools say is left behind: no other model can read it.
fn part<'a>(part: ContentPart<'a>, out: &mut Vec<Part<'a>>) -> Result<(), &'static str> {
    let proof = part.thought_signature.filter(|seal| !seal.is_empty()).map(|seal| proof_of(&seal));
    if let Some(call) = part.function_call {
        out.push(Part::ToolCall(ToolCall {
            id: call.id.unwrap_or_default(),
            name: call.name.ok_or("functionCall.name")?,
            arguments: call.args.map(|args| Str::from(args.text())).unwrap_or_default(),
            proof,
            cache: None,
        }));
        return Ok(());
    }
    if part.thought == Some(true) {
        thought(part.text.unwrap_or_default(), proof, out);
        return Ok(());
    }
    // A seal on anything else stands before what it seals, as a thought without words.
    if proof.is_some() {
        out.push(Part::Thinking(Thinking { proof, ..Thinking::default() }));
    }
    if let Some(text) = part.text.filter(|text| !text.is_empty()) {
        out.push(Part::Text(Text { text, ..Text::default() }));
    }
    if let Some(blob) = part.inline_data {
        out.push(Part::Media(inline(*blob)?));
    }
    if let Some(file) = part.file_data {
        out.push(Part::Media(file_of(*file)?));
    }
    if let Some(response) = part.function_response {
        out.push(Part::ToolResult(tool_result(*response)?));
    }
    Ok(())
}

/// Clients keep the pieces of a streamed thought as so many parts; its seal comes with the last.
fn thought<'a>(text: Str<'a>, proof: Option<Proof<'a>>, out: &mut Vec<Part<'a>>) {
    match out.last_mut() {
        Some(Part::Thinking(last)) if last.proof.is_none() && !last.text.is_empty() => {
            if !text.is_empty() {
                last.text = Str::from([&*last.text, &*text].concat());
            }
            last.proof = proof;
        }
        _ => {
            let hidden = text.is_empty() && proof.is_some();
            out.push(Part::Thinking(Thinking { text, proof, hidden }));
        }
    }
}

fn inline<'a>(blob: Blob<'a>) -> Result<Media<'a>, &'static str> {
    let mime = blob.mime_type.ok_or("inlineData.mimeType")?;
    Ok(Media {
        kind: kind_of(&mime),
        source: Source::Data { mime, base64: crate::base64::standard(blob.data.ok_or("inlineData.data")?) },
        name: blob.display_name,
        detail: None,
        cache: None,
    })
}

fn file_of<'a>(file: FileData<'a>) -> Result<Media<'a>, &'static str> {
    let uri = file.file_uri.ok_or("fileData.fileUri")?;
    let kind = match &file.mime_type {
        Some(mime) => kind_of(mime),
        None => mime_of(&uri).map_or(MediaKind::Document, kind_of),
    };
    let source = if is_kept(&uri) { Source::File(uri) } else { Source::Url(uri) };
    Ok(Media { kind, source, name: file.display_name, detail: None, cache: None })
}

/// Whether it names a file that Google keeps.
pub(super) fn is_kept(uri: &str) -> bool {
    ["https://generativelanguage.googleapis.com/", "gs://", "files/"]
        .iter()
        .any(|start| uri.starts_with(start))
}

fn kind_of(mime: &str) -> MediaKind {
    match mime.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// What an address promises by how it ends.
pub(super) fn mime_of(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit_once('.')?;
    Some(match &*ending.to_ascii_lowercase() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        _ => return None,
    })
}

/// `output` and `error` are Google's words for what a tool gave; without them, all of it is what it gave.
fn tool_result<'a>(response: FunctionResponse<'a>) -> Result<ToolResult<'a>, &'static str> {
    let mut result = ToolResult {
        id: response.id.unwrap_or_default(),
        name: response.name.unwrap_or_default(),
        ..ToolResult::default()
    };
    if let Some(raw) = response.response {
        let members = serde_json::from_str::<Members<'a>>(raw.text()).map(|members| members.0);
        let mut text = Str::from(raw.text());
        if let Ok([(key, value)]) = members.as_deref()
            && matches!(&**key, "output" | "result" | "error")
        {
            result.is_error = *key == *"error";
            text = serde_json::from_str::<Str<'a>>(value.text()).unwrap_or_else(|_| Str::from(value.text()));
        }
        result.parts.push(Part::Text(Text { text, ..Text::default() }));
    }
    for part in response.parts.into_iter().flatten() {
        if let Some(blob) = part.inline_data {
            result.parts.push(Part::Media(inline(blob)?));
        }
        if let Some(file) = part.file_data {
            result.parts.push(Part::Media(file_of(file)?));
        }
    }
    Ok(result)
}

/// One entry of `tools` may declare many functions, and name tools of Google's own beside them.
fn tool_wishes<'a>(at: usize, tool: Raw<'a>, out: &mut Vec<Tool<'a>>, lost: &mut Lost) -> Result<(), Fault> {
    let path = format!("tools[{at}]");
    let Members(members) = read::call_at(tool.text().as_bytes(), &path, lost)?;
    for (key, value) in members {
        if !matches!(&*key, "functionDeclarations" | "function_declarations") {
            out.push(Tool::Native { kind: key, value: tool });
            continue;
        }
        let path = format!("{path}.{key}");
        let Many(declarations): Many<Declaration<'a>> = read::call_at(value.text().as_bytes(), &path, lost)?;
        out.extend(declarations.into_iter().map(|wish| Tool::Function {
            name: wish.name,
            description: wish.description,
            parameters: match (wish.parameters_json_schema, wish.parameters) {
                (Some(schema), _) => Some(schema.into()),
                (None, parameters) => parameters.map(schema::json_schema),
            },
            strict: None,
            cache: None,
        }));
    }
    Ok(())
}

fn tool_choice<'a>(calling: FunctionCalling<'a>, lost: &mut Lost) -> Result<Option<ToolChoice<'a>>, Fault> {
    const PATH: &str = "toolConfig.functionCallingConfig";
    let mut allowed = calling.allowed_function_names.unwrap_or_default();
    let choice = match &*calling.mode.as_deref().unwrap_or("AUTO").to_ascii_uppercase() {
        "ANY" => match (allowed.pop(), allowed.is_empty()) {
            (Some(only), true) => return Ok(Some(ToolChoice::Named(only))),
            (Some(last), false) => {
                allowed.push(last);
                ToolChoice::Required
            }
            (None, _) => ToolChoice::Required,
        },
        "NONE" => ToolChoice::None,
        "AUTO" | "VALIDATED" => ToolChoice::Auto,
        "MODE_UNSPECIFIED" => return Ok(None),
        other => return Err(invalid(&format!("{PATH}.mode"), &format!("there is no mode `{other}`"))),
    };
    if !allowed.is_empty() {
        lost.note(format!("{PATH}.allowedFunctionNames"));
    }
    Ok(Some(choice))
}

fn output<'a>(config: &GenerationConfig<'a>, lost: &mut Lost) -> Option<Output<'a>> {
    let modalities = config.response_modalities.as_deref().unwrap_or_default();
    if modalities.iter().any(|modality| !modality.eq_ignore_ascii_case("text")) {
        lost.note("generationConfig.responseModalities");
    }
    let mime = config.response_mime_type.as_deref().unwrap_or_default();
    if !matches!(mime, "" | "text/plain" | "application/json") {
        lost.note("generationConfig.responseMimeType");
    }
    let schema = match (config.response_json_schema, config.response_schema) {
        (Some(schema), _) => Some(schema.into()),
        (None, schema) => schema.map(schema::json_schema),
    };
    match schema {
        _ if mime == "text/plain" || mime == "text/x.enum" => None,
        Some(schema) => Some(Output::Schema { name: None, description: None, schema, strict: None }),
        None => (mime == "application/json").then_some(Output::Json),
    }
}

/// A budget of -1 leaves the amount to the model, which by its own account thinks much where there is need to.
fn reasoning(config: &ThinkingConfig<'_>) -> Result<Option<Reasoning>, Fault> {
    let effort = match config.thinking_level.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("thinking_level_unspecified") => None,
        Some(level) => Some(Effort::by_name(level).ok_or_else(|| {
            invalid(
                "generationConfig.thinkingConfig.thinkingLevel",
                "minimal, low, medium and high are known",
            )
        })?),
    };
    let (effort, budget) = match config.thinking_budget {
        Some(tokens) if tokens < 0 => (effort.or(Some(Effort::High)), None),
        tokens => (effort, tokens.map(i64::unsigned_abs)),
    };
    let shown = config.include_thoughts;
    let said = effort.is_some() || budget.is_some() || shown.is_some();
    Ok(said.then_some(Reasoning { effort, budget, shown }))
}

/// Whether Google sealed it.
pub(super) fn is_own(proof: &Proof<'_>) -> bool {
    proof.format == *NAME
}
