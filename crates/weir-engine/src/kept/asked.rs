//! Answers that are kept, asked for by their ids.

use super::{owner, shown};
use crate::admit::Admitted;
use crate::call::{Unread, read};
use crate::record::Record;
use crate::waiting::Waiting;
use bytes::Bytes;
use std::time::SystemTime;
use weir_core::{Class, Fault};
use weir_store::{Response, Status};
use weir_wire::Headers;
use weir_wire::format::responses::{self, Order};

/// What is asked of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Itself.
    Get,
    /// To be deleted.
    Delete,
    /// What was sent for it.
    InputItems,
    /// Not to be made any more.
    Cancel,
}

/// An answer, and what is asked of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is asked.
    pub what: What,
    /// The answer's id.
    pub id: Box<str>,
    /// What stands behind the `?` of the address.
    pub query: Box<str>,
}

/// Answers with what is kept.
///
/// # Errors
/// 404 for an answer that the caller has not; 503 where the store cannot be asked.
pub(crate) async fn serve<B: Unread>(
    record: &mut Record,
    _: &Admitted,
    asked: &Kept,
    headers: &Headers,
    body: B,
) -> Result<Bytes, Fault> {
    let snapshot = record.snapshot.clone();
    if asked.what == What::Cancel {
        // Nothing in it says anything; clients send one all the same.
        read(body, headers, &snapshot.gateway.settings.limits, record).await?;
    }
    let core = record.core.clone();
    let Some(store) = core.engine.store() else { return Err(not_found(&asked.id)) };
    let (owner, id, now) = (owner(record), &*asked.id, SystemTime::now());
    let _waiting = Waiting::begin(&mut record.waited);
    let there = store.response(&owner, id, now).await?.ok_or_else(|| not_found(id))?;
    match asked.what {
        What::Get if parameter(&asked.query, "stream") == Some("true") => Err(no_stream()),
        What::Get => Ok(told(there).into()),
        What::InputItems => Ok(items(&there.kept.input, &asked.query)?.into()),
        What::Delete => {
            if !store.delete_response(&owner, id, now).await? {
                return Err(not_found(id));
            }
            core.engine.background().cancel(id);
            Ok(responses::deleted(id).into())
        }
        What::Cancel => {
            if !is_of_background(&there) {
                let message = "Cannot cancel a synchronous response.";
                return Err(Fault::new(Class::Caller, 400, "not_cancellable", message));
            }
            if there.kept.status.is_final() {
                return Ok(told(there).into());
            }
            let cancelled = responses::in_state(&there.kept.body, Status::Cancelled.name(), None);
            let state = Status::Cancelled;
            if store.update_response((&owner, id), state, cancelled.clone(), now).await? {
                core.engine.background().cancel(id);
                return Ok(cancelled.into());
            }
            // It has ended meanwhile.
            let there = store.response(&owner, id, now).await?.ok_or_else(|| not_found(id))?;
            Ok(told(there).into())
        }
    }
}

/// The answer as the client gets it.
fn told(there: Response) -> String {
    let status = there.kept.status;
    if status == Status::Interrupted {
        let message = "The gateway ended while it made this answer.";
        let fault = Fault::new(Class::Gateway, 500, "server_error", message);
        return responses::in_state(&there.kept.body, shown(status).name(), Some(&fault));
    }
    there.kept.body
}

fn is_of_background(there: &Response) -> bool {
    responses::is_of_background(&there.kept.body)
}

/// A page of what was sent.
fn items(input: &str, query: &str) -> Result<String, Fault> {
    let invalid = |param: &'static str, what: &str| {
        let message = format!("Invalid value for `{param}`: {what}.");
        Fault::new(Class::Caller, 400, "invalid_value", message).with_param(param)
    };
    let limit = match parameter(query, "limit").map(str::parse::<usize>) {
        None => 20,
        Some(Ok(limit @ 1..=100)) => limit,
        Some(_) => return Err(invalid("limit", "it is a number from 1 to 100")),
    };
    let order = match parameter(query, "order") {
        None | Some("desc") => Order::Latest,
        Some("asc") => Order::Earliest,
        Some(_) => return Err(invalid("order", "it is asc or desc")),
    };
    Ok(responses::page(input, order, parameter(query, "after"), limit))
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn not_found(id: &str) -> Fault {
    let shown: String = id.chars().take(64).collect();
    let message = format!("Response with id '{shown}' not found.");
    Fault::new(Class::Caller, 404, "response_not_found", message)
}

fn no_stream() -> Fault {
    let message = "An answer that is kept cannot be streamed again; ask for it without `stream`.";
    Fault::new(Class::Caller, 400, "not_supported", message).with_param("stream")
}
