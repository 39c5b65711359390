//! `weir explain`: what would be done with a request and why, or what was done with one.

mod admin;
mod printable;
mod text;

use crate::cli::{Failure, say};
use crate::source;
use admin::{Address, ask};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value as Json, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use weir_config::{Admin, Config, Overrides};
use weir_engine::explain::Question;
use weir_engine::{Core, Engine, Rosters};
use weir_server::public::{CALLS, called};
use weir_telemetry::{Settings, Telemetry};
use weir_wire::Headers;

/// The configuration that is taken where none is named and there is one.
const CONFIG: &str = "weir.yaml";
/// The largest request that is read.
const LARGEST: u64 = 64 << 20;

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["request", "id"])))]
pub(crate) struct Arguments {
    /// The configuration file; else `weir.yaml`, where there is one
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Decide about this request, whose body is in a file; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// A header of the request; may be given several times
    #[arg(long, visible_alias = "header", value_name = "NAME: VALUE", requires = "request")]
    headers: Vec<String>,
    /// Where the request goes
    #[arg(long, default_value = "/v1/chat/completions", requires = "request")]
    path: String,
    /// The name of the key that presents it
    #[arg(long, value_name = "NAME", requires = "request")]
    key: Option<String>,
    /// What is left to chance is drawn by this number
    #[arg(long, value_name = "N", default_value_t = 1, requires = "request")]
    seed: u64,
    /// Tell of a decision that was made: what x-weir-decision or x-request-id said
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Ask the gateway whose admin listener this is; for a request, it decides by what it knows just now. For an id, else
    /// that of the configuration, or where it listens unless told otherwise
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// The admin listener's token; else that of the configuration
    #[arg(long, value_name = "TOKEN", env = "WEIR_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Say it as one JSON object
    #[arg(long)]
    json: bool,
}

/// Explains one request or one decision. A request that would get no answer is a failure.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let told = match (&arguments.id, &arguments.request) {
        (Some(id), _) => decided(arguments, id)?,
        (None, Some(request)) => would_be(arguments, request)?,
        (None, None) => return Err(Failure::Usage("give --request FILE or --id ID".to_owned())),
    };
    if arguments.json {
        say(&printable::json(&told))?;
    } else {
        say(text::text(&printable::values(told.clone())).trim_end())?;
    }
    // A decision of the past is told well, whatever it was.
    if arguments.id.is_none() && !told["refused"].is_null() {
        return Err(Failure::Negative);
    }
    Ok(())
}

/// A decision that a running gateway made.
fn decided(arguments: &Arguments, id: &str) -> Result<Json, Failure> {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || id.is_empty() {
        return Err(Failure::Usage(format!("{id:?} is no id; give what x-weir-decision said")));
    }
    ask(&address(arguments)?, &format!("/admin/decisions/{id}"), None)
}

/// The configuration that was named, or the one that lies here.
fn file(arguments: &Arguments) -> Option<&Path> {
    let here = || Some(Path::new(CONFIG)).filter(|path| path.exists());
    arguments.config.as_deref().or_else(here)
}

/// The admin listener to ask: as told, else that of the configuration, else where one listens that was told nothing, as
/// beside `weir demo`.
fn address(arguments: &Arguments) -> Result<Address, Failure> {
    // A gateway that was named needs no file here.
    let config = match file(arguments).filter(|path| arguments.admin.is_none() || path.exists()) {
        Some(path) => Some(source::load(path, &Overrides::default())?),
        None => None,
    };
    let admin = config.as_ref().map(|config| &config.server.admin);
    let (url, guessed) = match (&arguments.admin, admin) {
        (Some(url), _) => (url.trim_end_matches('/').to_owned(), false),
        (None, Some(admin)) => (format!("http://{}", admin.listen), false),
        (None, None) => (format!("http://{}", Admin::LISTEN), true),
    };
    let of_config = || admin.and_then(|admin| admin.token.as_ref()).map(|token| token.expose().to_owned());
    Ok(Address { url, token: arguments.token.clone().or_else(of_config), guessed })
}

/// What would be done with a request.
fn would_be(arguments: &Arguments, request: &Path) -> Result<Json, Failure> {
    let body = read(request).map_err(|error| Failure::Usage(format!("{}: {error}", request.display())))?;
    let headers = headers(&arguments.headers)?;
    let Some(called) = called(&arguments.path) else {
        let known: Vec<&str> = CALLS.iter().map(|call| call.path).collect();
        return Err(Failure::Usage(format!("--path {}: there is {}", arguments.path, known.join(", "))));
    };
    if arguments.admin.is_some() {
        return ask_live(arguments, &body, &headers);
    }
    let Some(path) = file(arguments) else {
        let message = format!(
            "there is no {CONFIG} here; give -c FILE to decide by, or --admin URL to have a running gateway decide"
        );
        return Err(Failure::Usage(message));
    };
    let config = source::load(path, &Overrides::default())?;
    let key = arguments.key.clone();
    if let Some(key) = key.as_deref().filter(|key| !config.keys.iter().any(|known| *known.name == **key)) {
        return Err(Failure::Usage(format!("no key of the configuration is named {key:?}")));
    }
    let core = core(&config, arguments.seed)?;
    Ok(core.explain(&Question { called, body, headers: Headers::from(&headers), key }))
}

/// A core that serves nobody: every deployment is well, and nothing is known of any.
fn core(config: &Config, seed: u64) -> Result<std::rc::Rc<Core>, Failure> {
    let telemetry = Telemetry::start(&Settings::default())
        .map_err(|error| Failure::Runtime(format!("starting telemetry: {error}")))?;
    Ok(Core::new(Engine::new(config, Rosters::BUILT_IN, telemetry)?, seed))
}

fn ask_live(arguments: &Arguments, body: &Bytes, headers: &HeaderMap) -> Result<Json, Failure> {
    let request: Json = serde_json::from_slice(body)
        .map_err(|error| Failure::Usage(format!("the request is no JSON: {error}")))?;
    let mut written = Map::new();
    for (name, value) in headers {
        let text =
            value.to_str().map_err(|_| Failure::Usage(format!("the header {name} is no plain text")))?;
        written.insert(name.to_string(), json!(text));
    }
    let mut question = json!({ "request": request, "headers": written, "path": arguments.path });
    if let Some(key) = &arguments.key {
        question["key"] = json!(key);
    }
    ask(&address(arguments)?, "/admin/explain", Some(question.to_string().into()))
}

fn read(path: &Path) -> std::io::Result<Bytes> {
    let mut body = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_end(&mut body)?;
    } else {
        std::fs::File::open(path)?.take(LARGEST).read_to_end(&mut body)?;
    }
    Ok(Bytes::from(body))
}

fn headers(written: &[String]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::new();
    for header in written {
        let parts = header.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, value)) = parts else {
            return Err(Failure::Usage(format!("{header:?} is no header: write NAME: VALUE")));
        };
        map.append(name, value);
    }
    Ok(map)
}
