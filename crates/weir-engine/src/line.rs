//! The straight line: what happens to one request, in order.

use crate::admit::{Admitted, admit};
use crate::attempt::{Attempts, Opened, attempt};
use crate::authenticate::Caller;
use crate::call::{Unread, read, read_and_parse};
use crate::core::Core;
use crate::count;
use crate::explain;
use crate::headers;
use crate::panics::{caught, caught_at_once};
use crate::record::{Address, Asked, Record};
use crate::reply::Response;
use bytes::Bytes;
use std::rc::Rc;
use std::time::Instant;
use weir_core::{Endpoint, Fault};
use weir_wire::Headers;
use weir_wire::format::Format;
use weir_wire::models::Listing;

/// What a public request asks for.
#[derive(Debug)]
pub enum Operation {
    /// A model's answer.
    Call(Called),
    /// The list of models.
    Models(Listing),
    /// One model of the list.
    Model(Listing, Box<str>),
    /// The same, named in the body (Ollama's `POST /api/show`).
    Show,
    /// What this is, and of which version (Ollama's `GET /api/version`).
    Version,
    /// Nothing that exists: the fault says why. Travels the line all the same, so that it is counted and logged.
    Nothing(Fault),
}

/// What is called.
#[derive(Clone, Debug)]
pub struct Called {
    /// The operation.
    pub endpoint: Endpoint,
    /// What its address says of the call, where others say it in their bodies.
    pub address: Option<Box<Addressed>>,
}

impl From<Endpoint> for Called {
    fn from(endpoint: Endpoint) -> Self {
        Called { endpoint, address: None }
    }
}

/// What an address says of the call that goes there.
#[derive(Clone, Debug)]
pub struct Addressed {
    /// The model asked for.
    pub model: Box<str>,
    /// Whether a stream is asked for.
    pub stream: bool,
}

/// A public request as the door hands it in: head read, body not.
pub struct Ingress<B> {
    /// What is asked for, by method and path.
    pub operation: Operation,
    /// The format in which the client is told what is wrong.
    pub client: &'static dyn Format,
    /// Where it went, for the log, when it is no call to a model.
    pub address: Option<Box<Address>>,
    /// The request's headers.
    pub headers: Headers,
    /// The unread body.
    pub body: B,
    /// When the head had been read.
    pub received: Instant,
}

/// Serves one request. Never fails: whatever goes wrong, a panic included, becomes an answer in the client's format.
pub async fn serve(core: Rc<Core>, ingress: Ingress<impl Unread>) -> Response {
    let mut record = Record::begin(&core, &ingress.headers, ingress.received);
    let id = record.id;
    let travelled = caught(Box::pin(travel(&mut record, ingress))).await;
    let head = || match travelled.and_then(|done| done) {
        Ok(Done::Listing(body)) => headers::listing(record, body),
        Ok(Done::Opened(Opened::Whole(answer), attempts)) => headers::whole(record, answer, &attempts.call),
        Ok(Done::Opened(Opened::Stream(answer), attempts)) => headers::stream(record, answer, attempts),
        Err(fault) => headers::refusal(record, fault),
    };
    // A panic here takes the record along, which writes itself; what is left is to tell the client.
    caught_at_once(head).unwrap_or_else(|fault| headers::last_words(id, &fault))
}

/// How the line ended well.
enum Done {
    Opened(Opened, Box<Attempts>),
    /// Something about the gateway, as JSON: its models, or what it would do.
    Listing(Bytes),
}

async fn travel(record: &mut Record, ingress: Ingress<impl Unread>) -> Result<Done, Fault> {
    let snapshot = record.snapshot.clone();
    let gateway = &*snapshot.gateway;
    // 1 ingress
    record.address = ingress.address;
    record.client = ingress.client;
    let called = match ingress.operation {
        Operation::Nothing(fault) => return Err(fault),
        Operation::Call(called) => Ok(called),
        other => Err(other),
    };
    record.endpoint = called.as_ref().ok().map(|called| called.endpoint);
    // 2 authenticate
    let caller = gateway.keys.authenticate(&ingress.headers)?;
    record.key = caller.key();
    // (the listings need no model and end here)
    let called = match called {
        Ok(called) => called,
        Err(Operation::Show) => {
            let admitted = admit(record, &caller)?;
            return shown(record, &admitted, &ingress.headers, ingress.body).await;
        }
        Err(operation) => return listing(record, &caller, &operation),
    };
    // 4 admit: before the body is read, so that a full gateway costs nothing but the head
    let admitted = admit(record, &caller)?;
    // 3 read and parse
    let call = read_and_parse(record, admitted, &called, &ingress.headers, ingress.body).await?;
    // (whoever asks for the decision alone has it here)
    if record.purpose.is_tentative() {
        let told = explain::tell(record, call, &ingress.headers);
        return Ok(Done::Listing(told.to_string().into()));
    }
    // (what nobody of the route counts is estimated here)
    if let Some(counted) = count::estimated(gateway, &call) {
        return Ok(Done::Listing(counted));
    }
    // 7 route, 8 attempt
    let (opened, attempts) = attempt(record, call).await?;
    Ok(Done::Opened(opened, attempts))
}

fn listing(record: &mut Record, _: &Caller, operation: &Operation) -> Result<Done, Fault> {
    let gateway = &record.snapshot.gateway;
    let body = match operation {
        Operation::Model(listing, name) => return model(record, *listing, name),
        Operation::Models(listing) => {
            let cards: Vec<_> = gateway.models().iter().map(|model| gateway.card(model)).collect();
            listing.all(&cards)
        }
        _ => Listing::version(),
    };
    Ok(Done::Listing(body))
}

/// One model of the list.
fn model(record: &mut Record, listing: Listing, name: &str) -> Result<Done, Fault> {
    let gateway = &record.snapshot.gateway;
    if gateway.has_model(name) {
        return Ok(Done::Listing(listing.one(&gateway.card(name))));
    }
    let fault = gateway.unknown_model(name);
    record.asked = Some(Asked::Unknown(name.chars().take(128).collect()));
    Err(fault)
}

/// The same where its name is in the body.
async fn shown<B: Unread>(
    record: &mut Record,
    _: &Admitted,
    headers: &Headers,
    body: B,
) -> Result<Done, Fault> {
    let snapshot = record.snapshot.clone();
    let body = read(body, headers, &snapshot.gateway.settings.limits, record).await?;
    let name = weir_wire::models::named(&body)?;
    model(record, Listing::Ollama, &name)
}

/// The answer to a request that was refused before its head could be read. It is recorded as any other is. `address`, when
/// its first line told it.
pub fn refused_at_the_door(core: &Rc<Core>, fault: Fault, address: Option<Box<Address>>) -> Response {
    let mut record = Record::begin(core, &Headers::default(), Instant::now());
    record.address = address;
    headers::refusal(record, fault)
}
