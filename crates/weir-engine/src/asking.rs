//! Questions to the cores, from threads that are none.
//!
//! What a core keeps to itself is neither locked nor shared. Whoever wants to know something of it sends a job, which the
//! core does between two requests; it should be done within microseconds.

use crate::core::Core;
use crate::engine::Engine;
use crate::panics::caught_at_once;
use std::rc::Rc;
use std::sync::PoisonError;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How long the cores may take over an answer. One that is that busy is left out.
const PATIENCE: Duration = Duration::from_secs(2);
/// Jobs that wait at one core; beyond them it does not answer.
const MOST_JOBS: usize = 16;

type Job = Box<dyn FnOnce(&Rc<Core>) + Send>;
/// Where a core takes its jobs from.
pub(crate) type Jobs = Receiver<Job>;
/// Where they are sent.
pub(crate) type Questions = Sender<Job>;

/// Does the next job; never ready without any.
pub(crate) async fn answer(core: &Rc<Core>, jobs: &mut Option<Jobs>) {
    let job = match jobs {
        Some(jobs) => jobs.recv().await,
        None => None,
    };
    match job {
        // A panic is told to the log; whoever asked hears nothing.
        Some(job) => drop(caught_at_once(|| job(core))),
        None => std::future::pending().await,
    }
}

/// What several cores answered.
pub(crate) struct Answers<T> {
    pub(crate) answers: Vec<T>,
    /// So many cores did not answer in time.
    pub(crate) missing: usize,
}

impl Engine {
    /// A new core's jobs.
    pub(crate) fn new_core(&self) -> Jobs {
        let (questions, jobs) = channel(MOST_JOBS);
        let mut cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner);
        cores.retain(|known| !known.is_closed());
        cores.push(questions);
        jobs
    }

    /// Asks every core, or, with `one`, the first that serves. Blocks until all have answered or time is up: not for the
    /// path of a request, and not on a core.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        one: bool,
        question: impl Fn(&Rc<Core>) -> T + Clone + Send + 'static,
    ) -> Answers<T> {
        let cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let serving = cores.iter().filter(|core| !core.is_closed()).take(if one { 1 } else { usize::MAX });
        let (tell, told) = sync_channel(cores.len().max(1));
        let (mut asked, mut missing) = (0, 0);
        for core in serving {
            let (tell, question) = (tell.clone(), question.clone());
            // Whoever asked has gone when nobody hears the answer.
            let job: Job = Box::new(move |core| drop(tell.send(question(core))));
            match core.try_send(job) {
                Ok(()) => asked += 1,
                Err(_) => missing += 1,
            }
        }
        drop(tell);
        let until = Instant::now() + PATIENCE;
        let answer = || told.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
        let answers: Vec<T> = (0..asked).map_while(|_| answer()).collect();
        missing += asked - answers.len();
        Answers { answers, missing }
    }
}
