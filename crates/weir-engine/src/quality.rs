//! Answers that came in full and are of no use: another deployment is asked, and the last of them kept in case that
//! nobody answers better.

use crate::attempt::Opened;
use crate::call::Call;
use crate::core::Snapshot;
use crate::opening::to_the_end;
use crate::record::{Called, Record};
use std::cell::OnceCell;
use std::time::Duration;
use weir_config::{Answers, Otherwise};
use weir_core::Fault;
use weir_wire::quality::{Flaw, Format, Wanted, Whole, judge};

/// So much of a stream that said nothing is held while another deployment is asked.
const HELD: usize = 64 * 1024;

/// What one request has seen of the quality of its answers.
#[derive(Default)]
pub(crate) struct Quality {
    /// The format that the request asked for, read when it is first needed.
    format: OnceCell<Option<Format>>,
    kept: Option<Box<Kept>>,
}

/// An answer that is of no use.
struct Kept {
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

impl Quality {
    /// Gives the answer back when it is good, or cannot be judged. One that is of no use is accounted for and kept.
    ///
    /// # Errors
    /// The fault of such an answer.
    pub(crate) async fn judge(
        &mut self,
        record: &mut Record,
        call: &Call,
        mut opened: Opened,
    ) -> Result<Opened, Fault> {
        let Some(flaw) = wanted(&record.snapshot, call).and_then(|wanted| self.flaw(call, &opened, wanted))
        else {
            return Ok(opened);
        };
        let prompt = call.facts.prompt_bytes;
        match &mut opened {
            Opened::Whole(answer) => {
                record.look_at_clock();
                answer.flaw = Some(flaw);
                let usage = answer.facts.as_ref().map(|facts| facts.usage_or_estimate(prompt));
                record.spent(usage.unwrap_or_default());
                if let Some(mut lease) = answer.lease.take() {
                    record.answered(&mut lease, None);
                    lease.report(Ok(()), record.now());
                }
            }
            Opened::Stream(answer) => {
                answer.flaw = Some(flaw);
                let mute = answer.watch.token_events() == 0;
                // What comes behind a finish reason is its usage. One that does not come is estimated.
                let ended = Box::pin(to_the_end(record.awaits(), answer, HELD)).await;
                record.look_at_clock();
                if ended.is_ok() && mute && answer.watch.token_events() > 0 {
                    answer.flaw = None; // one choice was empty, and another one speaks
                    return Ok(opened);
                }
                record.spent(answer.watch.usage_or_estimate(prompt));
                if ended.is_err() || !answer.ended {
                    record.first_token = None;
                    let fault = flaw.fault();
                    record.attempt_failed(&fault);
                    return Err(fault);
                }
                // How good the answer is says nothing about the health of whoever gave it.
                if let Some(mut lease) = answer.lease.take() {
                    record.answered(&mut lease, record.first_token.map(|after| record.started + after));
                    lease.report(Ok(()), record.now());
                }
            }
        }
        let fault = flaw.fault();
        record.attempt_failed(&fault);
        self.kept = Some(Box::new(Kept {
            opened,
            attempt: record.current,
            route: record.route,
            called: record.called,
            first_token: record.first_token.take(),
        }));
        Err(fault)
    }

    fn flaw(&self, call: &Call, opened: &Opened, wanted: Wanted) -> Option<Flaw> {
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
        let Some(kept) = self.kept.take() else { return Err(fault) };
        let Kept { opened, attempt, route, called, first_token } = *kept;
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
