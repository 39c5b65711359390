use super::*;
use crate::format::chat::Chat;
use serde_json::{Value, json};

/// The call and the answer of a case, as each format has them.
fn case(format: &dyn VectorFormat) -> (Value, Value) {
    let values = json!([[0.5, -1.0], [2.0, 0.25]]);
    let part = |text: &str| json!({ "parts": [{ "text": text }] });
    match format.endpoint() {
        Endpoint::Embeddings => (
            json!({ "model": "m", "input": ["one", "zwei"], "dimensions": 2, "encoding_format": "float" }),
            json!({
                "object": "list",
                "data": [
                    { "object": "embedding", "index": 0, "embedding": values[0] },
                    { "object": "embedding", "index": 1, "embedding": values[1] },
                ],
                "model": "m", "usage": { "prompt_tokens": 3, "total_tokens": 3 },
            }),
        ),
        Endpoint::OllamaEmbed => (
            json!({ "model": "m", "input": ["one", "zwei"], "dimensions": 2 }),
            json!({ "model": "m", "embeddings": values, "prompt_eval_count": 3 }),
        ),
        Endpoint::CohereEmbed => (
            json!({
                "model": "m", "texts": ["one", "zwei"], "input_type": "search_document",
                "embedding_types": ["float"], "output_dimension": 2,
            }),
            json!({
                "response_type": "embeddings_by_type", "embeddings": { "float": values },
                "meta": { "billed_units": { "input_tokens": 3 } },
            }),
        ),
        Endpoint::BatchEmbedContents => (
            json!({ "requests": [
                { "model": "models/m", "content": part("one"), "outputDimensionality": 2 },
                { "model": "models/m", "content": part("zwei"), "outputDimensionality": 2 },
            ] }),
            json!({ "embeddings": [{ "values": values[0] }, { "values": values[1] }] }),
        ),
        _ => (
            json!({ "content": part("one"), "outputDimensionality": 2 }),
            json!({ "embedding": { "values": values[0] } }),
        ),
    }
}

fn written(format: &dyn VectorFormat, call: &Embed<'_>, lost: &mut Lost) -> Result<Value, Fault> {
    let mut losing = Losing { client: &Chat, lost };
    format.write_call(call, "m", &mut losing).map(|body| serde_json::from_slice(&body).unwrap())
}

#[test]
fn every_format_says_the_same_in_every_other() {
    for from in FORMATS {
        let (call, reply) = case(*from);
        let (call, reply) = (call.to_string(), reply.to_string());
        let mut lost = Lost::default();
        // Cohere's calls have to say what the vectors are for.
        let call = Embed { task: None, ..from.read_call(call.as_bytes(), &mut lost).unwrap() };
        let reply = from.read_reply(reply.as_bytes()).unwrap();
        let one = reply.vectors.len() == 1;
        for to in FORMATS.iter().filter(|to| one == (to.endpoint() == Endpoint::EmbedContent)) {
            let (wanted, mut wanted_reply) = case(*to);
            assert_eq!(written(*to, &call, &mut lost).unwrap(), wanted, "{from:?} to {to:?}");
            let got: Value = serde_json::from_slice(&to.write_reply(&reply, &call, "m").unwrap()).unwrap();
            // Google does not say what it took.
            if reply.usage.is_none() {
                if let Some(usage) = wanted_reply.get_mut("usage") {
                    *usage = json!({ "prompt_tokens": 0, "total_tokens": 0 });
                }
                ["prompt_eval_count", "meta"].map(|key| wanted_reply.as_object_mut().unwrap().remove(key));
            }
            assert_eq!(got, wanted_reply, "{from:?} to {to:?}");
        }
        assert!(lost.is_empty(), "{lost}");
    }
}

#[test]
fn numbers_are_the_same_in_base64() {
    let call = br#"{"model":"m","input":"one","encoding_format":"base64"}"#;
    let openai = of(Endpoint::Embeddings).unwrap();
    let call = openai.read_call(call, &mut Lost::default()).unwrap();
    let ollama = of(Endpoint::OllamaEmbed).unwrap();
    let reply = ollama.read_reply(br#"{"embeddings":[[0.5,-1]]}"#).unwrap();
    let body = openai.write_reply(&reply, &call, "m").unwrap();
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["data"][0]["embedding"], "AAAAPwAAgL8=");
    let back = openai.read_reply(&body).unwrap();
    let list: Value = serde_json::from_slice(&ollama.write_reply(&back, &call, "m").unwrap()).unwrap();
    assert_eq!(list["embeddings"], json!([[0.5, -1.0]]));
    assert_eq!(written(ollama, &call, &mut Lost::default()).unwrap()["input"], json!(["one"]));
}

#[test]
fn what_cannot_be_said_elsewhere_is_refused_or_named() {
    let openai = of(Endpoint::Embeddings).unwrap();
    let batch = of(Endpoint::BatchEmbedContents).unwrap();
    let tokens = openai.read_call(br#"{"model":"m","input":[[1,2]]}"#, &mut Lost::default()).unwrap();
    let fault = written(batch, &tokens, &mut Lost::default()).unwrap_err();
    assert_eq!((fault.class, fault.code.as_deref()), (Class::Refused, Some("unsupported_parameter")));
    assert_eq!(written(openai, &tokens, &mut Lost::default()).unwrap()["input"], json!([[1, 2]]));
    let mut lost = Lost::default();
    let asked = openai.read_call(br#"{"model":"m","input":"x","user":"u","odd":1}"#, &mut lost).unwrap();
    written(batch, &asked, &mut lost).unwrap();
    assert_eq!(lost.to_string(), "odd, user");
    let two = br#"{"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"A"},{"content":{"parts":[{"text":"b"}]}}]}"#;
    assert_eq!(batch.read_call(two, &mut Lost::default()).unwrap_err().status, 400);
    let picture = br#"{"content":{"parts":[{"inlineData":{}}]}}"#;
    assert_eq!(
        of(Endpoint::EmbedContent).unwrap().read_call(picture, &mut Lost::default()).unwrap_err().status,
        400
    );
}

#[test]
fn what_vectors_are_for_is_said_in_coheres_words() {
    let (single, cohere) = (of(Endpoint::EmbedContent).unwrap(), of(Endpoint::CohereEmbed).unwrap());
    for (task, expect, dropped) in [
        ("RETRIEVAL_QUERY", "search_query", ""),
        ("RETRIEVAL_DOCUMENT", "search_document", ""),
        ("CODE_RETRIEVAL_QUERY", "search_query", ""),
        ("CLUSTERING", "clustering", ""),
        ("SEMANTIC_SIMILARITY", "search_document", "task"),
    ] {
        let asked = json!({ "content": { "parts": [{ "text": "a" }] }, "taskType": task }).to_string();
        let mut lost = Lost::default();
        let call = single.read_call(asked.as_bytes(), &mut lost).unwrap();
        let sent = written(cohere, &call, &mut lost).unwrap();
        assert_eq!((&sent["input_type"], lost.to_string().as_str()), (&json!(expect), dropped), "{task}");
        let back = cohere.read_call(sent.to_string().as_bytes(), &mut Lost::default()).unwrap();
        if dropped.is_empty() && !task.starts_with("CODE") {
            assert_eq!(written(single, &back, &mut lost).unwrap()["taskType"], task);
        }
    }
}

#[test]
fn vectors_that_are_none_are_the_upstreams_fault() {
    let openai = of(Endpoint::Embeddings).unwrap();
    let call = openai.read_call(br#"{"model":"m","input":"x"}"#, &mut Lost::default()).unwrap();
    for vector in [r#""AAA=""#, r#""no base64!""#, r#""AACAfw==""#] {
        let body = format!(r#"{{"data":[{{"index":0,"embedding":{vector}}}]}}"#);
        let reply = openai.read_reply(body.as_bytes()).unwrap();
        let fault = openai.write_reply(&reply, &call, "m").unwrap_err();
        assert_eq!((fault.class, fault.status), (Class::Malformed, 502), "{vector}");
    }
}
