use super::*;
use crate::testing::Variables;
use weir_core::{Need, Price, Rate};

fn embedded() -> Catalog {
    Catalog::embedded().unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn parsed(text: &str) -> Catalog {
    Catalog::parse("own.yaml", text, &embedded().vendors).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn input(catalog: &Catalog, vendor: &str, id: &str) -> Option<String> {
    let (_, offer) = catalog.find(vendor, id)?;
    offer.prices.as_ref()?.rates().stated(Rate::Input).map(|price| price.to_string())
}

#[test]
fn the_built_in_files_are_sound() {
    let catalog = embedded();
    assert!(catalog.models.len() >= 60, "{}", catalog.models.len());
    let mut names = std::collections::HashSet::new();
    let mut ids = std::collections::HashSet::new();
    for model in &catalog.models {
        assert!(names.insert(model.name.clone()), "{} is there twice", model.name);
        // Who asks for a class wants to be talked to, or shown something.
        let vector = |gives: &Modality| matches!(gives, Modality::Embedding | Modality::Score);
        let vectors = !model.output.is_empty() && model.output.iter().all(vector);
        assert_eq!(model.classes.is_empty(), vectors, "{}: {:?}", model.name, model.classes);
        assert!(model.title.is_some() && model.maker.is_some(), "{}", model.name);
        assert!(
            model.offers.is_empty() || model.source.is_some(),
            "{}: figures without a source",
            model.name
        );
        assert!(!model.offers.is_empty() || model.note.is_some(), "{}: nothing is said of it", model.name);
        assert_eq!(model.can.iter().find(|need| model.cannot.has(*need)), None, "{}", model.name);
        for offer in &model.offers {
            assert!(catalog.vendors.iter().any(|vendor| vendor.name == offer.at), "{}", offer.path());
            for id in std::iter::once(&offer.id).chain(&offer.aliases) {
                assert!(ids.insert((offer.at.clone(), id.clone())), "{}/{id} is there twice", offer.at);
            }
            let own_machine = &*offer.at == "self_hosted";
            assert!(
                !vectors || offer.limits.or(model.limits) == Limits::default(),
                "{}: of each text",
                model.name
            );
            assert!(!own_machine || offer.prices.is_none(), "{}: only its operator knows", offer.path());
            for (_, prices) in &offer.variants {
                assert!(!prices.is_empty());
            }
            let zero = |prices: &Prices| {
                prices.rates().iter().any(|(rate, price)| price == Price::default() && rate != Rate::Output)
            };
            assert!(!offer.prices.as_ref().is_some_and(zero), "{}: unknown is not 0", offer.path());
        }
    }
}

#[test]
fn what_people_ask_for_by_name_is_there() {
    let catalog = embedded();
    let class = |name: &str| catalog.model(name).unwrap_or_else(|| panic!("{name}")).classes.clone();
    for (name, expect) in [
        ("deepseek-v3.2", ModelClass::Coding),
        ("glm-5", ModelClass::Coding),
        ("grok-4.1-thinking", ModelClass::Reasoning),
        ("claude-sonnet-4.6", ModelClass::Reasoning),
        ("grok-4.1-fast", ModelClass::Fast),
        ("gpt-5.2", ModelClass::General),
        ("llama-3.1-70b", ModelClass::General),
        ("llama-3.2-90b", ModelClass::General),
        ("gpt-image-2", ModelClass::Media),
        ("veo-3.1", ModelClass::Media),
    ] {
        assert!(class(name).contains(&expect), "{name}: {:?}", class(name));
    }
    let gives = |modality| catalog.models.iter().filter(|model| model.output.contains(&modality)).count();
    assert!(gives(Modality::Image) >= 5 && gives(Modality::Video) >= 3 && gives(Modality::Embedding) >= 3);
    for class in ModelClass::ALL {
        assert!(
            catalog.models.iter().filter(|model| model.classes.contains(&class)).count() >= 5,
            "{class:?}"
        );
    }
}

#[test]
fn figures_are_what_the_source_says() {
    let catalog = embedded();
    let (model, offer) = catalog.find("anthropic", "claude-sonnet-4-6").unwrap();
    let rate = |rate| offer.prices.as_ref().unwrap().rates().of(rate).unwrap().to_string();
    let all = [Rate::Input, Rate::CachedInput, Rate::CacheWrite, Rate::CacheWrite1h, Rate::Output].map(rate);
    assert_eq!(all, ["3", "0.3", "3.75", "6", "15"]);
    assert_eq!(
        model.limits,
        Limits { context_window: Some(1_000_000), max_input: None, max_output: Some(128_000) }
    );
    assert_eq!(&*offer.source.as_ref().unwrap().date, "2026-11-21");
    assert_eq!(catalog.find("openai", "gpt-5.2-2025-12-11").unwrap().0.name, "gpt-5.2".into());
    assert_eq!(catalog.find("openai", "gpt-5.2").unwrap().0.limits.max_input, Some(272_000));
    assert!(catalog.model("grok-4.1-thinking").unwrap().offers.is_empty(), "unknown is absent");
}

#[test]
fn a_provider_is_known_by_kind_or_host() {
    let catalog = embedded();
    let check = |kind: &str, url: Option<&str>, expect: Option<&str>| {
        let vendor = catalog.vendor_of(kind, url).map(|vendor| &*vendor.name);
        assert_eq!(vendor, expect, "{kind} {url:?}");
    };
    check("openai", None, Some("openai"));
    check("openai", Some("https://api.openai.com/v1"), Some("openai"));
    check("openai", Some("https://API.X.AI:443/v1"), Some("xai"));
    check("openai", Some("http://127.0.0.1:8000/v1"), None);
    check("groq", Some("https://proxy.example/openai/v1"), None);
    check("groq", None, Some("groq"));
    check("vllm", Some("http://10.0.0.7:8000/v1"), Some("self_hosted"));
    check("ollama", None, Some("self_hosted"));
    check("openai", Some("https://us-aiplatform.googleapis.com/v1"), Some("vertex"));
    check("openai", Some("https://api.openai.com.evil.example/v1"), None);
    check("openai", Some("http://[::1]:80"), None);
    check("nobody", None, None);
}

#[test]
fn only_what_is_asked_for_is_read() {
    let part = Catalog::embedded_for(&["claude-sonnet-4-6"]).unwrap();
    assert!(
        part.find("anthropic", "claude-sonnet-4-6").is_some() && part.find("openai", "gpt-5.2").is_none()
    );
    let whole = embedded();
    for model in whole.models.iter().step_by(12) {
        for offer in &model.offers {
            let part = Catalog::embedded_for(&[&offer.id]).unwrap();
            assert!(part.find(&offer.at, &offer.id).is_some(), "{}", offer.path());
            assert!(part.models.len() < whole.models.len(), "{}", offer.path());
        }
    }
    let none = Catalog::embedded_for(&["no such model", "m", "gpt", ""]).unwrap();
    assert!(none.models.is_empty() && !none.vendors.is_empty());
}

const OWN: &str = "
sources: { us: { title: Our contract, date: 2026-11-01 } }
vendors: { gpus: { title: Our GPUs, hosts: ['*.gpus.example'] } }
models:
  gpt-5.2:
    class: coding
    can: [audio]
    offers:
      - { at: openai, id: gpt-5.2, price: { input: 1, output: 2 }, source: us }
  ours:
    title: Ours
    cannot: [tools]
    context_window: 4096
    offers:
      - { at: gpus, id: 'ours:1', aliases: [ours], price: { input: 0.5, output: 0.5, above: { 1000: { input: 1 } } } }
  snapshot:
    offers:
      - { at: openai, id: gpt-4o-2024-11-20, max_output: 99 }
";

#[test]
fn an_own_file_goes_before_figure_by_figure() {
    let merged = embedded().overlaid(parsed(OWN));
    let (model, offer) = merged.find("openai", "gpt-5.2").unwrap();
    assert_eq!(model.classes, [ModelClass::Coding]);
    assert!(model.can.has(Need::Audio) && !model.cannot.has(Need::Audio) && model.can.has(Need::Tools));
    assert_eq!(
        (model.limits.max_input, offer.source.as_ref().unwrap().title.as_str()),
        (Some(272_000), "Our contract")
    );
    assert_eq!(offer.prices.as_ref().unwrap().rates().stated(Rate::CachedInput), None, "prices as a whole");
    // The alias stays with the offer that it was an alias of.
    assert_eq!(input(&merged, "openai", "gpt-5.2-2025-12-11").as_deref(), Some("1"));
    assert_eq!(input(&merged, "gpus", "ours").as_deref(), Some("0.5"));
    assert_eq!(merged.vendor_of("openai", Some("https://a.gpus.example/v1")).unwrap().title, "Our GPUs");
    // An offer that was another model's keeps what is known of it.
    let (snapshot, offer) = merged.find("openai", "gpt-4o-2024-11-20").unwrap();
    assert_eq!((&*snapshot.name, offer.limits.max_output), ("snapshot", Some(99)));
    assert_eq!(
        input(&merged, "openai", "gpt-4o-2024-11-20"),
        input(&embedded(), "openai", "gpt-4o-2024-11-20")
    );
    assert!(snapshot.can.has(Need::Tools));
    let names: Vec<_> = merged.models.iter().map(|model| &model.name).collect();
    assert_eq!(names.len(), embedded().models.len() + 2);
}

#[test]
fn mistakes_in_an_own_file_are_told_with_their_places() {
    let check = |text: &str, expect: &[&str]| {
        let problems = Catalog::parse("own.yaml", text, &embedded().vendors).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), expect.len(), "{told:#?}");
        for (told, expect) in told.iter().zip(expect) {
            assert!(told.contains(expect), "{told}\n{expect}");
        }
    };
    let offer = |offer: &str| format!("models:\n  m:\n    offers:\n      - {offer}\n");
    check(
        &offer("{ at: opena, id: m }"),
        &["own.yaml:4:15: models.m.offers[0].at: no vendor is called \"opena\"; did you mean \"openai\"?"],
    );
    check(
        &offer("{ at: openai, id: m, source: x }"),
        &["4:38: models.m.offers[0].source: no source is called \"x\""],
    );
    check(
        &offer("{ at: openai, id: m, price: { input: 1e-6 } }"),
        &["4:46: models.m.offers[0].price.input: \"1e-6\" is not a price in USD"],
    );
    check(
        &offer("{ at: openai, id: m, deprecated: soon }"),
        &["models.m.offers[0].deprecated: \"soon\" is not a date; write a day, as in 2026-11-21"],
    );
    check(&offer("{ at: openai, id: m, aliases: [m] }"), &["models.m.offers[0]: openai/m is there twice"]);
    check("models: { m: { clas: fast } }", &["models.m.clas: unknown key \"clas\"; did you mean \"class\"?"]);
    check("models: { m: { class: quick } }", &["models.m.class: \"quick\" is not a class"]);
    check("models: { m: { can: [tools], cannot: [tools] } }", &["\"tools\" stands in `can`, too"]);
    check("models: { m: { input: [smell] } }", &["models.m.input[0]: \"smell\" is not a modality"]);
    check("- x\n", &["expected a map, found a list"]);
    let missing = Catalog::load(Path::new("/missing"), &Variables(&[]), &[]).unwrap_err();
    assert!(missing[0].to_string().contains("the file cannot be read"), "{missing:?}");
}

#[test]
fn what_is_written_is_read_again() {
    let whole = embedded();
    let again = Catalog::parse("again.yaml", &whole.to_yaml(), &[]).unwrap_or_else(|p| panic!("{p:#?}"));
    assert_eq!(again.vendors, whole.vendors);
    for (read, written) in again.models.iter().zip(&whole.models) {
        // A written file is nobody's in particular.
        assert_eq!(*read, Model { maker: None, ..written.clone() });
    }
    assert_eq!(again.models.len(), whole.models.len());
    let own = parsed(OWN);
    assert_eq!(Catalog::parse("own.yaml", &own.to_yaml(), &whole.vendors).unwrap(), own);
}

#[test]
fn differences_are_found_both_ways() {
    let (before, after) = (embedded(), embedded().overlaid(parsed(OWN)));
    assert_eq!(diff(&before, &before), []);
    let told: Vec<String> = diff(&before, &after)
        .iter()
        .filter(|d| d.offer.as_deref().is_none_or(|offer| !offer.contains("4o")))
        .map(|d| {
            format!(
                "{} {:?} {} {:?} {:?}",
                d.model,
                d.offer.as_deref(),
                d.key,
                d.before.as_deref(),
                d.after.as_deref()
            )
        })
        .collect();
    for expect in [
        "gpt-5.2 None class Some(\"general, coding, reasoning\") Some(\"coding\")",
        "gpt-5.2 Some(\"openai/gpt-5.2\") price.input Some(\"1.75\") Some(\"1\")",
        "gpt-5.2 Some(\"openai/gpt-5.2\") price.cached_input Some(\"0.175\") None",
        "ours Some(\"gpus/ours:1\")  None Some(\"{ input: 0.5, output: 0.5, above: { 1000: { input: 1 } } }\")",
    ] {
        assert!(told.iter().any(|told| told == expect), "{expect}\n{told:#?}");
    }
    assert!(
        diff(&before, &after).iter().any(|d| d.is_new()) && diff(&before, &after).iter().any(|d| !d.is_new())
    );
}

#[test]
fn models_are_found_by_any_name_of_theirs() {
    let catalog = embedded();
    for name in ["gpt-5.2", "openai/gpt-5.2", "gpt-5.2-2025-12-11", "openai/gpt-5.2-2025-12-11"] {
        assert_eq!(catalog.model(name).map(|model| &*model.name), Some("gpt-5.2"), "{name}");
    }
    assert_eq!(catalog.model("zai-org/GLM-5").map(|model| &*model.name), Some("glm-5"));
    assert!(catalog.model("gpt-5.22").is_none());
    assert!(
        catalog.did_you_mean("gpt-5.22").is_some_and(|help| help.contains("gpt-5.2")),
        "{:?}",
        catalog.did_you_mean("gpt-5.22")
    );
}
