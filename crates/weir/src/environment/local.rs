//! Model servers on this machine, found by asking for their models.

use super::Source;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::LocalSet;
use weir_net::{Head, Limits, Origin, OriginSettings, Pieces, Pool, Request, Setup};
use weir_provider::Kind;

/// A server on this machine accepts at once or is not there.
const CONNECT_WITHIN: Duration = Duration::from_millis(200);
/// What listens but does not answer is left out.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A list of models is short.
const MOST_BODY: usize = 1 << 20;
/// Models taken from one server.
const MOST_MODELS: usize = 20;
/// A model's name at most, as a configuration may hold it.
const LONGEST_MODEL: usize = 256;

/// A place where a model server may be.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub kind: &'static Kind,
    pub base_url: String,
}

impl Local {
    /// The usual place of every kind of server that people run themselves. Of kinds that share one, the first.
    pub(super) fn usual() -> Vec<Local> {
        let mut places: Vec<Local> = Vec::new();
        for kind in weir_provider::kinds().filter(|kind| kind.is_local()) {
            let Some(url) = kind.base_url else { continue };
            if !places.iter().any(|place| place.base_url == url) {
                places.push(Local { kind, base_url: url.to_owned() });
            }
        }
        places
    }
}

/// The places that answer with models. Something that listens without doing so gets a note.
pub(super) fn look(places: &[Local], notes: &mut Vec<String>) -> Vec<Source> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            notes.push(format!("local model servers were not looked for: {error}"));
            return Vec::new();
        }
    };
    let answers = LocalSet::new().block_on(&runtime, async {
        // All at once, so that the slowest decides how long it takes.
        let asking: Vec<_> = places
            .iter()
            .cloned()
            .map(|place| tokio::task::spawn_local(async move { models(&place.base_url).await }))
            .collect();
        let mut answers = Vec::with_capacity(asking.len());
        for asked in asking {
            answers.push(asked.await.unwrap_or_else(|error| Err(Some(error.to_string()))));
        }
        answers
    });
    let mut found = Vec::new();
    for (Local { kind, base_url }, answer) in places.iter().zip(answers) {
        match answer {
            Ok(models) => {
                notes.push(format!("{} at {base_url}: {}", kind.title, models.join(", ")));
                found.push(Source {
                    kind: kind.name,
                    base_url: Some(base_url.clone()),
                    key_variable: None,
                    models,
                });
            }
            Err(None) => {}
            Err(Some(why)) => notes.push(format!("what listens at {base_url} is left out: {why}")),
        }
    }
    found
}

/// The models that the server at `base_url` lists.
///
/// # Errors
/// Why it is of no use; `None` when nothing listens there.
async fn models(base_url: &str) -> Result<Vec<String>, Option<String>> {
    let origin = Origin::new(base_url, OriginSettings::default()).map_err(|e| Some(e.to_string()))?;
    let path = format!("{}/models", origin.base_path());
    let path: PathAndQuery = path.parse().map_err(|e: http::uri::InvalidUri| Some(e.to_string()))?;
    let headers = HeaderMap::from_iter([(header::HOST, origin.host_header().clone())]);
    let request = Request::new(&Head::new(&Method::GET, &path, &headers), &[], Pieces::default());
    let pool = Pool::new(origin.into());
    let asking = ask(&pool, request);
    tokio::time::timeout(ANSWER_WITHIN, asking).await.map_err(|_| Some("it does not answer".to_owned()))?
}

async fn ask(pool: &Rc<Pool>, request: Request) -> Result<Vec<String>, Option<String>> {
    let now = std::time::Instant::now();
    let limits = Limits::by(now + ANSWER_WITHIN, CONNECT_WITHIN);
    let answer = match pool.send(request, limits, now, &mut Setup::default()).await {
        Ok(answer) => answer,
        // Before a connection was made, nothing is there.
        Err(fault) => {
            let connected = pool.counts().opened.load(std::sync::atomic::Ordering::Relaxed) > 0;
            return Err(connected.then(|| fault.to_string()));
        }
    };
    match answer.head.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(Some("it wants a key; name it in a weir.yaml".to_owned()));
        }
        status => {
            return Err(Some(format!("GET {}/models is answered by {status}", pool.origin().base_path())));
        }
    }
    let body =
        Limited::new(answer.body, MOST_BODY).collect().await.map_err(|e| Some(e.to_string()))?.to_bytes();
    let listed: Vec<String> = serde_json::from_slice::<Value>(&body)
        .ok()
        .as_ref()
        .and_then(|body| body["data"].as_array())
        .ok_or_else(|| Some("it does not list models as OpenAI's API does".to_owned()))?
        .iter()
        .filter_map(|model| model["id"].as_str())
        .filter(|id| is_usable(id))
        .take(MOST_MODELS)
        .map(str::to_owned)
        .collect();
    if listed.is_empty() { Err(Some("it has no models".to_owned())) } else { Ok(listed) }
}

/// Whether a configuration and a response header can hold the name.
fn is_usable(model: &str) -> bool {
    !model.is_empty()
        && model.len() <= LONGEST_MODEL
        && model.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}
