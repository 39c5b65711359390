//! Decisions: what was decided for requests that were made, and what would be for one that is not.

use super::{Admin, Asked, json_body, refuse};
use crate::public::{CALLS, called, percent_decoded};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use weir_core::nearest::nearest;
use weir_core::{Class, Fault, RequestId};
use weir_engine::decision::{Found, Query};
use weir_engine::explain::Question;
use weir_wire::Headers;

/// `GET /admin/decisions`.
pub(super) fn list(admin: &Admin, asked: &Asked) -> Response<Full<Bytes>> {
    match query(&asked.query) {
        Ok(query) => {
            let listed = admin.engine.decisions(query);
            let body = json!({ "decisions": listed.decisions, "cores_without_answer": listed.missing });
            json_body(StatusCode::OK, &body)
        }
        Err(fault) => refuse(&fault),
    }
}

/// `GET /admin/decisions/{id}`.
pub(super) fn one(admin: &Admin, asked: &Asked) -> Response<Full<Bytes>> {
    let nothing =
        |message: &str| refuse(&Fault::new(Class::Caller, 404, "decision_not_found", message.to_owned()));
    let Some(id) = RequestId::parse(&asked.id) else {
        return nothing("this is no id of a decision; send what x-weir-decision or x-request-id said");
    };
    match admin.engine.decision(id) {
        Found::Decision(decision) => json_body(StatusCode::OK, &decision),
        Found::Nothing { missing: 0 } => nothing(
            "no decision of this id is kept; telemetry.decisions says how many are, and a restart forgets them",
        ),
        Found::Nothing { .. } => refuse(&unresponsive()),
    }
}

/// `POST /admin/explain`.
pub(super) fn explain(admin: &Admin, asked: &Asked) -> Response<Full<Bytes>> {
    match question(&asked.body).map(|question| admin.engine.explain(question)) {
        Ok(Some(explained)) => json_body(StatusCode::OK, &explained),
        Ok(None) => refuse(&unresponsive()),
        Err(fault) => refuse(&fault),
    }
}

fn unresponsive() -> Fault {
    let message = "the cores that serve requests did not answer in time; ask again";
    Fault::new(Class::Gateway, 503, "cores_busy", message)
}

fn query(text: &str) -> Result<Query, Fault> {
    const KNOWN: [&str; 4] = ["route", "deployment", "outcome", "limit"];
    let wrong = |message: String| Fault::new(Class::Caller, 400, "invalid_query", message);
    let mut query = Query { route: None, deployment: None, outcome: None, limit: Query::LIMIT };
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = percent_decoded(value);
        match name {
            "route" => query.route = Some(value),
            "deployment" => query.deployment = Some(value),
            "outcome" => query.outcome = Some(outcome(value).map_err(wrong)?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=Query::MOST).contains(limit));
                query.limit = limit
                    .ok_or_else(|| wrong(format!("limit has to be a number from 1 to {}", Query::MOST)))?;
            }
            other => {
                let shown: String = other.chars().take(64).collect();
                let near = nearest(other, KNOWN);
                let help = near.first().map_or(String::new(), |best| format!("; did you mean {best}?"));
                return Err(wrong(format!(
                    "\"{shown}\" is nothing to ask for; there is {}{help}",
                    KNOWN.join(", ")
                )));
            }
        }
    }
    Ok(query)
}

/// An outcome that a decision may have.
fn outcome(stated: String) -> Result<String, String> {
    let classes = || Class::ALL.map(Class::name).into_iter();
    let known = || classes().chain(["ok", "client_gone", "failed", "running"]);
    if known().any(|known| known == stated) {
        return Ok(stated);
    }
    let shown: String = stated.chars().take(64).collect();
    let near = nearest(&stated, known());
    let help = near.first().map_or(String::new(), |best| format!("; did you mean {best}?"));
    Err(format!(
        "no request ends in \"{shown}\"; outcome is ok, failed, running, client_gone or a class of faults: {}{help}",
        classes().collect::<Vec<_>>().join(", ")
    ))
}

/// A body of the shape `{"request": …, "headers": {…}, "path": "…", "key": "…"}`; the request stays as it is written.
fn question(body: &Bytes) -> Result<Question, Fault> {
    let wrong = |message: String| Fault::new(Class::Caller, 400, "invalid_explain_request", message);
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body)
        .map_err(|error| wrong(format!("the body is not {{\"request\": …, \"headers\": {{…}}}}: {error}")))?;
    let text = |name: &str| {
        let value = members.get(name).map(|value| serde_json::from_str::<String>(value.get()));
        value.transpose().map_err(|_| wrong(format!("\"{name}\" is no text")))
    };
    if let Some(other) =
        members.keys().find(|name| !["request", "headers", "path", "key"].contains(&name.as_str()))
    {
        let shown: String = other.chars().take(64).collect();
        return Err(wrong(format!(
            "\"{shown}\" is nothing to say here; there is request, headers, path, key"
        )));
    }
    let request = members
        .get("request")
        .ok_or_else(|| wrong("\"request\" is missing: the body to decide about".to_owned()))?;
    let path = text("path")?.unwrap_or_else(|| "/v1/chat/completions".to_owned());
    Ok(Question {
        called: called(&path).ok_or_else(|| {
            let known: Vec<&str> = CALLS.iter().map(|call| call.path).collect();
            wrong(format!("\"path\" is none of {}", known.join(", ")))
        })?,
        body: body.slice_ref(request.get().as_bytes()),
        headers: match members.get("headers") {
            Some(headers) => self::headers(headers).map_err(wrong)?,
            None => Headers::default(),
        },
        key: text("key")?,
    })
}

fn headers(written: &RawValue) -> Result<Headers, String> {
    let written: BTreeMap<String, String> = serde_json::from_str(written.get())
        .map_err(|_| "\"headers\" is no object of names and texts".to_owned())?;
    let mut headers = HeaderMap::new();
    for (name, value) in &written {
        let shown: String = name.chars().take(64).collect();
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("no header is called {shown:?}"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("the header {shown:?} holds what none may hold"))?;
        headers.append(name, value);
    }
    Ok(Headers::from(&headers))
}

#[cfg(test)]
mod tests;
