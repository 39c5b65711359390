//! Answers that came in full and are of no use: another deployment is asked, and the last of them kept in case that
//! nobody answers better.

use crate::attempt::Opened;
use crate::call::Call;
use crate::call_record::CallRecord;
use crate::core::Snapshot;
use crate::opening::{lost_track, to_the_end};
use crate::record::{Called, Record};
use std::cell::OnceCell;
use std::time::Duration;
use weir_config::{Answers, Otherwise};
use weir_core::Fault;
use weir_wire::quality::{Flaw, Format, Wanted, Whole, judge};

/// So much of a stream that said nothing is held while another deployment is asked.
const HELD: usize = 64 * 1024;

/// Judges the answers to one request.
#[derive(Default)]
pub(crate) struct Judge {
    /// The format that the request asked for, read when it is first needed.
    format: OnceCell<Option<Format>>,
}

/// The last of the answers to one request that were of no use.
#[derive(Default)]
pub(crate) struct Kept(Option<Box<OfNoUse>>);

/// An answer that is of no use.
struct OfNoUse {
    opened: Opened,
    /// As they were when it came.
    attempt: usize,
    route: Option<usize>,
    called: Called,
    first_token: Option<Duration>,
}

/// What the route that was asked for says about answers.
fn settings(snapshot: &Snapshot, call: &Call) -> Option<Answers> {
    let asked = call.chosen.places.first()?.route;
    Some(snapshot.gateway.routes.get(asked)?.answers)
}

/// What is looked for in an answer to this call; `None` for nothing.
pub(crate) fn wanted(snapshot: &Snapshot, call: &Call) -> Option<Wanted> {
    let answers = settings(snapshot, call)?;
    let wanted = Wanted {
        empty: answers.empty,
        refusal: answers.refusal,
        json: answers.json,
        min_output_tokens: answers.min_output_tokens,
    };
    wanted.of(&call.facts).then_some(wanted)
}

/// How many bytes of a stream are held until its end; `None` for none.
pub(crate) fn holds(snapshot: &Snapshot, call: &Call) -> Option<usize> {
    let most = snapshot.gateway.settings.limits.answer_buffer;
    settings(snapshot, call).filter(|answers| answers.buffer).map(|_| most)
}

impl Judge {
    /// Why this answer is of no use; `None` when it is of some, or cannot be judged.
    pub(crate) fn flaw(&self, snapshot: &Snapshot, call: &Call, opened: &Opened) -> Option<Flaw> {
        let wanted = wanted(snapshot, call)?;
        let whole = match opened {
            Opened::Whole(answer) => Whole::of_reply(answer.facts.as_ref()?, &answer.body)?,
            // A stream under way is judged only by whether it has ended without saying anything.
            Opened::Stream(answer) if answer.ended || answer.watch.token_events() == 0 => {
                answer.watch.finish_reasons().next()?;
                Whole::of_stream(&answer.watch)
            }
            Opened::Stream(_) => return None,
        };
        let format = || self.format.get_or_init(|| Format::asked(&call.facts, &call.body)).as_ref();
        judge(&whole, wanted, &call.facts, &call.body, format)
    }
}

/// Marks an answer that is of no use. A stream is read to its end first: what comes behind a finish reason is its usage.
///
/// # Errors
/// The fault of a stream that has no end to be kept.
pub(crate) async fn of_no_use(
    record: &mut CallRecord<'_>,
    opened: Opened,
    flaw: Flaw,
) -> Result<Opened, Fault> {
    let mut answer = match opened {
        Opened::Stream(answer) => answer,
        Opened::Whole(mut answer) => {
            answer.flaw = Some(flaw);
            return Ok(Opened::Whole(answer));
        }
    };
    answer.flaw = Some(flaw);
    let mute = answer.watch.token_events() == 0;
    let (awaits, open) = record.opens(answer);
    let ended = to_the_end(awaits, open, HELD).await;
    record.look_at_clock();
    let Some(mut answer) = record.opening.take() else { return Err(lost_track()) };
    if ended.is_ok() && mute && answer.watch.token_events() > 0 {
        answer.flaw = None; // one choice was empty, and another one speaks
        return Ok(Opened::Stream(answer));
    }
    if ended.is_ok() && answer.ended {
        return Ok(Opened::Stream(answer));
    }
    let fault = flaw.fault();
    record.spent = Some(answer.watch.usage_or_estimate(record.prompt_bytes));
    if let Some(mut lease) = answer.lease.take() {
        // How good an answer is says nothing about the health of whoever gave it; that it broke does.
        lease.report(Err(ended.as_ref().err().unwrap_or(&fault)), record.now());
    }
    Err(fault)
}

impl Kept {
    /// Gives an answer back unless it is of no use. Such a one is accounted for and kept.
    ///
    /// # Errors
    /// The fault of such an answer.
    pub(crate) fn keep(
        &mut self,
        record: &mut Record,
        call: &Call,
        mut opened: Opened,
    ) -> Result<Opened, Fault> {
        let flaw = match &opened {
            Opened::Whole(answer) => answer.flaw,
            Opened::Stream(answer) => answer.flaw,
        };
        let Some(flaw) = flaw else { return Ok(opened) };
        record.look_at_clock();
        let prompt = call.facts.prompt_bytes;
        let (usage, lease, first_token) = match &mut opened {
            Opened::Whole(answer) => {
                let usage = answer.facts.as_ref().map(|facts| facts.usage_or_estimate(prompt));
                (usage, answer.lease.take(), None)
            }
            Opened::Stream(answer) => {
                let usage = answer.watch.usage_or_estimate(prompt);
                (Some(usage), answer.lease.take(), record.first_token.map(|after| record.started + after))
            }
        };
        record.spent(usage.unwrap_or_default());
        // How good the answer is says nothing about the health of whoever gave it.
        if let Some(mut lease) = lease {
            record.answered(&mut lease, first_token);
            lease.report(Ok(()), record.now());
        }
        let fault = flaw.fault();
        record.attempt_failed(&fault);
        self.0 = Some(Box::new(OfNoUse {
            opened,
            attempt: record.current,
            route: record.route,
            called: record.called,
            first_token: record.first_token.take(),
        }));
        Err(fault)
    }

    /// What the client gets when nobody has answered well: this fault, or the last answer that was of no use.
    ///
    /// # Errors
    /// The fault, where there is no such answer or the route wants an error rather.
    pub(crate) fn last_resort(
        &mut self,
        record: &mut Record,
        call: &Call,
        fault: Fault,
    ) -> Result<Opened, Fault> {
        let Some(kept) = self.0.take() else { return Err(fault) };
        let OfNoUse { opened, attempt, route, called, first_token } = *kept;
        if settings(&record.snapshot, call).is_some_and(|answers| answers.otherwise == Otherwise::Error) {
            return Err(fault);
        }
        record.goes_on_with(attempt);
        record.route = route;
        record.called = called;
        record.first_token = first_token;
        Ok(opened)
    }
}
