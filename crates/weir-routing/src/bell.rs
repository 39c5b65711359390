//! Tells whoever waits for a place at a deployment that one has come free. Costs a call's end one plain load while nobody
//! waits.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Rung when a place has come free; heard by one task, on whatever core.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    /// Rings, and wakes who listens.
    pub fn ring(&self) {
        self.rung.store(true, SeqCst);
        if let Some(waker) = locked(&self.waker).take() {
            waker.wake();
        }
    }

    /// Whether it has rung since it was last heard. When it has not, `waker` is woken when it does.
    pub fn is_heard(&self, waker: &Waker) -> bool {
        *locked(&self.waker) = Some(waker.clone());
        self.rung.swap(false, SeqCst)
    }

    /// Whether it has rung and nobody has heard it.
    pub fn is_unheard(&self) -> bool {
        self.rung.load(SeqCst)
    }
}

/// The bells that hang at one deployment: one for each core and pool with somebody waiting.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    /// How many there are.
    hung: AtomicUsize,
    bells: Mutex<Vec<Arc<Bell>>>,
}

impl Bells {
    /// Hangs one up. Who looks for a place after this either sees one that is free or hears of it.
    pub(crate) fn hang(&self, bell: &Arc<Bell>) {
        let mut bells = locked(&self.bells);
        bells.push(Arc::clone(bell));
        self.hung.store(bells.len(), SeqCst);
        // Whoever leaves counts out first and looks at `hung` then: one of the two sees what the other did.
        fence(SeqCst);
    }

    /// Takes one down.
    pub(crate) fn take_down(&self, bell: &Arc<Bell>) {
        let mut bells = locked(&self.bells);
        bells.retain(|known| !Arc::ptr_eq(known, bell));
        self.hung.store(bells.len(), SeqCst);
    }

    /// A place has come free.
    pub(crate) fn ring(&self) {
        if self.hung.load(SeqCst) > 0 {
            locked(&self.bells).iter().for_each(|bell| bell.ring());
        }
    }
}

/// Nothing that holds these locks can leave what they guard half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_bell_is_heard_once_and_wakes_who_listens() {
        let (bell, woken) = (Bell::default(), Arc::new(Woken::default()));
        let waker = Waker::from(woken.clone());
        bell.ring();
        assert!(bell.is_unheard() && bell.is_heard(&waker) && !bell.is_heard(&waker));
        assert_eq!(woken.0.load(SeqCst), 0, "it had rung before anybody listened");
        bell.ring();
        bell.ring();
        assert_eq!(woken.0.load(SeqCst), 1);
        assert!(bell.is_heard(&waker));
    }

    #[test]
    fn only_bells_that_hang_are_rung() {
        let (bells, one, other) = (Bells::default(), Arc::new(Bell::default()), Arc::new(Bell::default()));
        bells.ring();
        bells.hang(&one);
        bells.hang(&other);
        bells.take_down(&other);
        bells.ring();
        assert!(one.is_unheard() && !other.is_unheard());
        bells.take_down(&one);
        assert_eq!(bells.hung.load(SeqCst), 0);
    }
}
