use super::*;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

struct Variables(HashMap<&'static str, &'static str>);

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|&value| value.to_owned())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn made(env: &dyn Environment, places: &[Local]) -> (Result<Config, Failure>, Vec<String>) {
    from(env, places, &Overrides::default())
}

fn variables<const N: usize>(set: [(&'static str, &'static str); N]) -> Variables {
    Variables(set.into())
}

fn place(kind: &str, port: u16) -> Local {
    Local { kind: weir_provider::kind(kind).unwrap(), base_url: format!("http://127.0.0.1:{port}/v1") }
}

/// A server that answers one request with this body; gives its port.
fn serve_once(status: &'static str, body: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "GET /v1/models HTTP/1.1");
        while !lines.next().unwrap().unwrap().is_empty() {}
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    });
    port
}

fn listing(models: &[&str]) -> String {
    let data: Vec<Value> = models.iter().map(|id| json!({ "id": id, "object": "model" })).collect();
    json!({ "object": "list", "data": data }).to_string()
}

/// A port where nothing listens: tcpmux's (RFC 1078), which nobody runs.
const CLOSED: u16 = 1;

fn names(config: &Config) -> Vec<String> {
    let of = |route: &weir_config::Route| {
        let aliases: Vec<&str> = route.aliases.iter().map(|alias| &**alias).collect();
        format!("{} [{}]", route.name, aliases.join(" "))
    };
    config.routes.iter().map(of).collect()
}

#[test]
fn a_key_in_the_environment_serves_its_vendor() {
    let (config, notes) =
        made(&variables([("DEEPSEEK_API_KEY", "sk-canary-1"), ("OPENAI_API_KEY", "")]), &[]);
    let config = config.unwrap();
    assert_eq!(
        names(&config),
        [
            "deepseek-chat [deepseek/deepseek-chat]",
            "deepseek-reasoner [deepseek/deepseek-reasoner]",
            "class:coding []",
            "class:reasoning []",
            "class:general []"
        ],
        "classes are the catalogue's"
    );
    assert_eq!(config.providers.len(), 1, "an empty variable is none");
    assert_eq!(config.providers[0].api_keys[0].expose(), "sk-canary-1");
    assert!(config.providers[0].base_url.is_none() && config.keys.is_empty());
    assert_eq!(notes, ["DeepSeek, by DEEPSEEK_API_KEY: deepseek-chat, deepseek-reasoner"]);
}

#[test]
fn every_vendor_of_the_roster_is_served() {
    for kind in weir_provider::kinds() {
        let Some(variable) = kind.key_variable.filter(|_| kind.base_url.is_some()) else { continue };
        let (config, _) = made(&variables([(variable, "sk-canary-1")]), &[]);
        let config = config.unwrap();
        assert_eq!(config.providers[0].kind.value, kind.name);
        let routes = config.routes.iter().filter(|route| !route.name.starts_with("class:")).count();
        assert!(routes > 0 && routes == kind.models.len(), "{}", kind.name);
    }
    let all = variables([
        ("OPENAI_API_KEY", "sk-1-canary"),
        ("GROQ_API_KEY", "sk-2-canary"),
        ("WEIR_KEY", "caller-key"),
    ]);
    let (config, notes) = made(&all, &[]);
    let config = config.unwrap();
    assert_eq!(config.providers.len(), 2);
    assert_eq!(config.keys[0].secret.expose(), "caller-key");
    assert!(!format!("{notes:?}").contains("canary"));
}

#[test]
fn a_local_server_is_asked_for_its_models() {
    let port =
        serve_once("200 OK", listing(&["qwen3:8b", "models/My Model.gguf", "${HOME}", "gpt-4o", "näme", ""]));
    let (config, notes) = made(&variables([("OPENAI_API_KEY", "sk-canary-1")]), &[place("ollama", port)]);
    let config = config.unwrap();
    let local: Vec<String> = names(&config).into_iter().filter(|name| name.contains("ollama/")).collect();
    // The plain name of a model that OpenAI has, too, is OpenAI's.
    let expect = [
        "--HOME- [ollama/--HOME-]",
        "My-Model [ollama/My-Model]",
        "ollama/gpt-4o []",
        "qwen3:8b [ollama/qwen3:8b]",
    ];
    assert_eq!(local.len(), expect.len(), "{local:?}");
    assert!(expect.iter().all(|name| local.iter().any(|found| found == name)), "{local:?}");
    let upstream = |name: &str| {
        let deployment = config.deployments.iter().find(|d| *d.name == *name).unwrap();
        (&*deployment.model, &*config.providers[deployment.provider].name)
    };
    assert_eq!(upstream("ollama/My-Model"), ("models/My Model.gguf", "ollama"));
    assert_eq!(upstream("ollama/--HOME-"), ("${HOME}", "ollama"));
    assert_eq!(upstream("openai/gpt-4o"), ("gpt-4o", "openai"));
    assert!(notes[1].starts_with(&format!("Ollama at http://127.0.0.1:{port}/v1: qwen3:8b, ")), "{notes:?}");
}

#[test]
fn at_most_twenty_models_are_taken() {
    let many: Vec<String> = (0..30).map(|i| format!("m{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (config, _) = made(&variables([]), &[place("vllm", serve_once("200 OK", listing(&many)))]);
    assert_eq!(config.unwrap().routes.len(), 20);
}

#[test]
fn what_is_no_model_server_is_left_out_with_a_word() {
    let check = |status: &'static str, body: &str, expect: &str| {
        let port = serve_once(status, body.to_owned());
        let (config, notes) = made(&variables([]), &[place("llama_cpp", port)]);
        assert!(matches!(config, Err(Failure::Usage(_))), "{body}");
        assert_eq!(notes, [format!("what listens at http://127.0.0.1:{port}/v1 is left out: {expect}")]);
    };
    check("200 OK", "<html>", "it does not list models as OpenAI's API does");
    check("200 OK", r#"{"data":[]}"#, "it has no models");
    check("401 Unauthorized", "{}", "it wants a key; name it in a weir.yaml");
    check("404 Not Found", "", "GET /v1/models is answered by 404 Not Found");
}

#[test]
fn with_nothing_at_all_four_lines_say_what_to_do() {
    let (config, notes) = made(&variables([]), &[place("ollama", CLOSED)]);
    let Err(Failure::Usage(text)) = config else { panic!("something was found") };
    let expect = "\
Nothing to serve: no weir.yaml in this folder, no vendor's key in the environment, no local model server.
  with a vendor's key:   export OPENAI_API_KEY=…  or  ANTHROPIC_API_KEY=…  or  GEMINI_API_KEY=…  or  GROQ_API_KEY=…  (or another one's: docs/reference/providers.md)
  with a local server:   start one on its usual port: vLLM, SGLang, Ollama, llama.cpp, Text Generation Inference, LM Studio, LMDeploy, Xinference, Docker Model Runner, LiteLLM proxy
  with a file, or none:  weir serve -c weir.yaml   or, to look around first:   weir demo";
    assert_eq!(text, expect);
    assert_eq!(text.lines().count(), 4);
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn clouds_are_named_and_want_a_file() {
    let (config, notes) = made(&variables([("AZURE_OPENAI_API_KEY", "sk-canary-1")]), &[]);
    assert!(config.is_err());
    let expect =
        "AZURE_OPENAI_API_KEY is set; models at Azure OpenAI are named in a weir.yaml (docs/guide/clouds.md)";
    assert_eq!(notes, [expect]);
}

#[test]
fn googles_key_has_two_names() {
    let key = |set: Variables| made(&set, &[]).0.unwrap().providers[0].api_keys[0].expose().to_owned();
    assert_eq!(key(variables([("GOOGLE_API_KEY", "sk-canary-1")])), "sk-canary-1");
    let both = variables([("GOOGLE_API_KEY", "sk-canary-1"), ("GEMINI_API_KEY", "sk-canary-2")]);
    assert_eq!(key(both), "sk-canary-2");
}

#[test]
fn a_short_caller_key_is_refused_by_the_configuration() {
    let (config, _) = made(&variables([("DEEPSEEK_API_KEY", "sk-canary-1"), ("WEIR_KEY", "short")]), &[]);
    let Err(Failure::Usage(text)) = config else { panic!("it was taken") };
    assert!(text.contains("keys.default.key"), "{text}");
}

#[test]
fn every_kind_of_own_server_is_looked_for() {
    let usual: Vec<String> = Local::usual().into_iter().map(|place| place.base_url).collect();
    for port in [11434, 8080, 8000, 30000] {
        assert!(usual.contains(&format!("http://127.0.0.1:{port}/v1")), "{usual:?}");
    }
    assert!(usual.iter().all(|url| url.starts_with("http://127.0.0.1:")));
}

#[test]
fn an_address_for_others_needs_a_key() {
    let check = |key: &'static str, overrides: Overrides, expect: Result<&str, &str>| {
        let env = variables([("OPENAI_API_KEY", "sk-canary-1"), ("WEIR_KEY", key)]);
        match (from(&env, &[], &overrides).0, expect) {
            (Ok(config), Ok(listen)) => assert_eq!(config.server.listen.to_string(), listen),
            (Err(failure), Err(part)) => assert!(failure.to_string().contains(part), "{failure}"),
            (made, _) => panic!("{overrides:?}: {made:?}"),
        }
    };
    let listen = |at: &str| Overrides { listen: at.parse().ok(), admin_listen: None };
    check("", listen("127.0.0.1:7700"), Ok("127.0.0.1:7700"));
    check("", listen("0.0.0.0:7700"), Err("set WEIR_KEY"));
    check("long-enough", listen("0.0.0.0:7700"), Ok("0.0.0.0:7700"));
    let admin = Overrides { admin_listen: "0.0.0.0:7701".parse().ok(), listen: None };
    check("long-enough", admin, Err("server.admin.token"));
}
