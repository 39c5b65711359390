use super::*;

const MAP: &str = r#"{
  "sample_spec": { "input_cost_per_token": "what it costs", "litellm_provider": "one of …" },
  "gpt-5.2": {
    "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272000, "max_output_tokens": 128000,
    "input_cost_per_token": 1.75e-06, "output_cost_per_token": 1.4e-05, "cache_read_input_token_cost": 1.75e-07,
    "output_cost_per_reasoning_token": 1.4e-05,
    "input_cost_per_token_batches": 8.75e-07, "supports_vision": true, "rpm": 500
  },
  "openai/gpt-5.2": { "litellm_provider": "openai", "input_cost_per_token": 9e-06 },
  "xai/new": {
    "litellm_provider": "xai", "mode": "chat", "max_input_tokens": 500000, "max_output_tokens": 500000,
    "input_cost_per_token": 2.0000000000000002e-06, "output_cost_per_token": 6e-06,
    "input_cost_per_token_above_200k_tokens": 4e-06, "cache_creation_input_token_cost": 0,
    "supports_function_calling": true, "supports_response_schema": false, "supported_modalities": ["text", "image"],
    "deprecation_date": "2027-02-01"
  },
  "claude-x": {
    "litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 3e-06, "output_cost_per_token": 15e-06,
    "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 12e-06
  },
  "dashscope/tiers": {
    "litellm_provider": "dashscope", "mode": "chat",
    "tiered_pricing": [
      { "input_cost_per_token": 1.2e-06, "output_cost_per_token": 6e-06, "range": [0, 32000.0] },
      { "input_cost_per_token": 2.4e-06, "output_cost_per_token": 1.2e-05, "range": [32000.0, 128000.0] }
    ]
  },
  "zai/free": { "litellm_provider": "zai", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0 },
  "gemini/embed": {
    "litellm_provider": "gemini", "mode": "embedding", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 0,
    "max_input_tokens": 2048
  },
  "xai/picture": { "litellm_provider": "xai", "mode": "image_generation", "input_cost_per_image": 0.02 },
  "gemini/film": {
    "litellm_provider": "gemini", "mode": "video_generation", "output_cost_per_second": 0.4, "output_cost_per_second_4k": 0.6
  },
  "whisper-9": {
    "litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001
  },
  "mistral/fine": { "litellm_provider": "mistral", "mode": "chat", "input_cost_per_token": 1e-13, "output_cost_per_token": "x" },
  "elsewhere/m": { "litellm_provider": "elsewhere", "input_cost_per_token": 1e-06 },
  "broken": 7
}"#;

fn source() -> Source {
    Source { title: "a map".to_owned(), url: None, date: "2026-11-21".into() }
}

fn read(vendors: &[String]) -> (Catalog, Report) {
    let known = Catalog::embedded().unwrap();
    import(MAP, &known, source(), vendors).unwrap()
}

#[track_caller]
fn check(path: &str, price: &str) {
    let (catalog, _) = read(&[]);
    let (vendor, id) = path.split_once('/').unwrap();
    let offer = catalog.find(vendor, id).unwrap_or_else(|| panic!("{path}: {catalog:#?}")).1;
    let told = offer.prices.as_ref().map_or("unknown".to_owned(), crate::catalog::write::price);
    assert_eq!(told, price, "{path}");
}

#[test]
fn prices_become_exact() {
    check("openai/gpt-5.2", "{ input: 1.75, cached_input: 0.175, output: 14 }");
    check("xai/new", "{ input: 2, output: 6, above: { 200000: { input: 4 } } }");
    check(
        "anthropic/claude-x",
        "{ input: 3, cache_write: 3.75, cache_write_1h: 6, output: 15, above: { 200000: { cache_write_1h: 12 } } }",
    );
    check("dashscope/tiers", "{ input: 1.2, output: 6, above: { 32000: { input: 2.4, output: 12 } } }");
    check("gemini/embed", "{ input: 0.15, output: 0 }");
    check("xai/picture", "{ image: 0.02 }");
    check("openai/whisper-9", "{ input_second: 0.0001 }");
    check("zai/free", "unknown");
    check("gemini/film", "unknown");
    let (catalog, _) = read(&[]);
    let (_, film) = catalog.find("gemini", "film").unwrap();
    let told = |(name, prices): &(String, Prices)| format!("{name} {}", crate::catalog::write::price(prices));
    let variants: Vec<String> = film.variants.iter().map(told).collect();
    assert_eq!(variants, ["default { output_second: 0.4 }", "4k { output_second: 0.6 }"]);
    check("mistral/fine", "unknown");
}

#[test]
fn what_was_not_understood_is_told() {
    let (catalog, report) = read(&[]);
    assert_eq!(report.taken, 11, "{report:#?}");
    assert_eq!(report.unknown_vendors, [("elsewhere".to_owned(), 1)].into());
    let expect = [("input_cost_per_token_batches", 1), ("output_cost_per_second", 1)];
    for (key, count) in expect {
        assert!(report.not_taken.get(key).is_some_and(|n| *n >= count), "{key}: {report:#?}");
    }
    assert_eq!((report.without_price, report.zeros), (2, 1), "{report:#?}");
    assert_eq!(report.rounded.len(), 1, "{report:#?}");
    assert!(report.rounded[0].starts_with("xai/new: input_cost_per_token: 2.0000000000000002e-06"));
    let told = report.not_understood.join("\n");
    assert!(told.contains("mistral/fine: input_cost_per_token: 1e-13 is finer"), "{told}");
    assert!(
        told.contains("output_cost_per_token: \"x\" is not a number") && told.contains("broken"),
        "{told}"
    );
    // Entries that the catalogue knows keep their model, others get one of their own.
    let (model, offer) = catalog.find("openai", "gpt-5.2").unwrap();
    assert_eq!((&*model.name, model.can.is_empty()), ("gpt-5.2", true));
    assert_eq!(
        offer.limits,
        Limits { max_input: Some(272_000), max_output: Some(128_000), context_window: None }
    );
    let (model, offer) = catalog.find("xai", "new").unwrap();
    assert_eq!((&*model.name, offer.deprecated.as_deref()), ("xai/new", Some("2027-02-01")));
    assert!(model.can.has(Need::Tools) && model.cannot.has(Need::JsonSchema));
    assert_eq!(offer.limits, Limits { context_window: Some(500_000), max_input: None, max_output: None });
    assert_eq!(model.input, [Modality::Text, Modality::Image]);
    let (_, embed) = catalog.find("gemini", "embed").unwrap();
    assert_eq!(embed.limits, Limits::default(), "2048 tokens of each text, of which a call has several");
}

#[test]
fn an_import_is_an_own_file() {
    let (catalog, _) = read(&[]);
    let known = Catalog::embedded().unwrap();
    let again = Catalog::parse("map.yaml", &catalog.to_yaml(), &known.vendors).unwrap();
    assert_eq!(again, catalog);
    let (only, report) = read(&["xai".to_owned()]);
    assert_eq!(report.taken, 2);
    assert!(only.find("xai", "new").is_some() && only.find("openai", "gpt-5.2").is_none());
}

#[test]
fn other_files_are_refused() {
    let known = Catalog::default();
    for text in ["", "[]", "{\"a\": 1", "models: {}", "7"] {
        assert!(import(text, &known, source(), &[]).is_err(), "{text}");
    }
    let (none, _) = import("{}", &known, source(), &[]).unwrap();
    assert_eq!(none, Catalog::default());
}
