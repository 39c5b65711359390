//! One core's records of decisions: of the requests that run, the latest that have ended, and a sample that is kept longer.

use super::{Entry, Head, Names, Step};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use weir_config::Decisions;
use weir_core::RequestId;

/// Entries of ended requests kept for the next ones.
const MOST_FREE: usize = 64;
/// Records are readable as long as the names of their snapshot are kept: those of so many snapshots.
const MOST_NAMES: usize = 8;

/// Why a record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Running,
    Recent,
    Sampled,
}

/// The records of one core. Nobody else looks into it: whoever asks has the core look itself (`Engine::ask`), so that a
/// request neither locks nor waits.
#[derive(Default)]
pub(crate) struct Book {
    running: RefCell<Vec<Rc<RefCell<Entry>>>>,
    free: RefCell<Vec<Rc<RefCell<Entry>>>>,
    recent: RefCell<Ring>,
    sampled: RefCell<Ring>,
    names: RefCell<VecDeque<(u64, Arc<Names>)>>,
    sample: Cell<f64>,
}

impl Book {
    /// Takes up a snapshot: its names, and how much is kept from now on.
    pub(crate) fn take_up(&self, generation: u64, names: &Arc<Names>, settings: &Decisions) {
        let mut known = self.names.borrow_mut();
        known.push_front((generation, names.clone()));
        known.truncate(MOST_NAMES);
        self.recent.borrow_mut().keep(settings.recent);
        self.sampled.borrow_mut().keep(settings.sampled);
        self.sample.set(settings.sample);
    }

    /// Begins the record of a request.
    pub(super) fn begin(&self, head: Head, steps: &[Step]) -> Rc<RefCell<Entry>> {
        let entry = self.free.borrow_mut().pop().unwrap_or_else(|| Rc::new(RefCell::new(Entry::new())));
        let mut running = self.running.borrow_mut();
        let mut begun = entry.borrow_mut();
        begun.begin(head, steps);
        begun.place = running.len();
        running.push(entry.clone());
        drop(begun);
        entry
    }

    /// The request has ended. `kept` says whether its record stays; `chance` is from 0 to 1.
    pub(super) fn end(&self, entry: Rc<RefCell<Entry>>, kept: bool, chance: impl FnOnce() -> f64) {
        let place = entry.borrow().place;
        let mut running = self.running.borrow_mut();
        if running.get(place).is_some_and(|known| Rc::ptr_eq(known, &entry)) {
            running.swap_remove(place);
            if let Some(moved) = running.get(place) {
                moved.borrow_mut().place = place;
            }
        }
        if !kept {
            return self.is_free(entry);
        }
        if entry.borrow().is_special() || chance() < self.sample.get() {
            self.sampled.borrow_mut().put(entry.clone()).into_iter().for_each(|left| self.is_free(left));
        }
        self.recent.borrow_mut().put(entry).into_iter().for_each(|left| self.is_free(left));
    }

    /// Keeps the memory of an entry that nobody needs any more for the next request.
    fn is_free(&self, entry: Rc<RefCell<Entry>>) {
        let mut free = self.free.borrow_mut();
        if free.len() < MOST_FREE && Rc::strong_count(&entry) == 1 {
            free.push(entry);
        }
    }

    /// The names of a snapshot.
    pub(super) fn names(&self, generation: u64) -> Option<Arc<Names>> {
        let known = self.names.borrow();
        known.iter().find(|(of, _)| *of == generation).map(|(_, names)| names.clone())
    }

    /// Shows the records of requests that run, then of the latest that have ended, then of those that are kept longer; the
    /// newest of each kind first, until `see` has enough of it. What is kept in both rings is shown twice.
    pub(super) fn see(&self, mut see: impl FnMut(Kind, &Entry) -> bool) {
        self.running.borrow().iter().rev().any(|entry| see(Kind::Running, &entry.borrow()));
        self.recent.borrow().newest_first().any(|entry| see(Kind::Recent, &entry.borrow()));
        self.sampled.borrow().newest_first().any(|entry| see(Kind::Sampled, &entry.borrow()));
    }

    /// The record of one request.
    pub(super) fn find(&self, id: RequestId) -> Option<(Entry, Arc<Names>)> {
        let mut found = None;
        self.see(|_, entry| {
            if found.is_none() && entry.head.id == id {
                found = Some(entry.clone());
            }
            found.is_some()
        });
        found.and_then(|entry| self.names(entry.head.generation).map(|names| (entry, names)))
    }
}

/// The latest so many entries. What is kept here twice is the same entry, and nobody changes it any more.
#[derive(Default)]
struct Ring {
    entries: Vec<Rc<RefCell<Entry>>>,
    most: usize,
    /// Where the next one goes once all places are taken.
    next: usize,
}

impl Ring {
    /// Keeps the latest `most`.
    fn keep(&mut self, most: u32) {
        let most = most as usize;
        if most == self.most {
            return;
        }
        let mut entries = Vec::with_capacity(most);
        entries.extend(self.newest_first().take(most).cloned());
        entries.reverse();
        *self = Ring { next: 0, most, entries };
    }

    /// Puts an entry in, and gives back the one that there is no room for any more.
    fn put(&mut self, entry: Rc<RefCell<Entry>>) -> Option<Rc<RefCell<Entry>>> {
        if self.entries.len() < self.most {
            self.entries.push(entry);
            return None;
        }
        let Some(oldest) = self.entries.get_mut(self.next) else { return Some(entry) };
        self.next = (self.next + 1) % self.most;
        Some(std::mem::replace(oldest, entry))
    }

    fn newest_first(&self) -> impl Iterator<Item = &Rc<RefCell<Entry>>> {
        let (newer, older) = self.entries.split_at(self.next.min(self.entries.len()));
        newer.iter().rev().chain(older.iter().rev())
    }
}

#[cfg(test)]
mod tests;
