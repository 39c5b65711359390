use super::*;
use crate::tests::{answered, samples};
use crate::{Telemetry, lock};
use std::sync::mpsc::{Receiver, Sender, channel};

const LONG: Duration = Duration::from_secs(60);

/// A reader that takes nothing until it is told to, one write at a time.
struct Gated {
    begun: Sender<()>,
    gate: Receiver<()>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.send(()).unwrap();
        self.gate.recv().map_err(|_| ErrorKind::BrokenPipe)?;
        lock(&self.seen).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_reader_costs_lines_and_never_a_request() {
    let (begun, has_begun) = channel();
    let (open, gate) = channel();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let out = Box::new(Gated { begun, gate, seen: seen.clone() });
    let hub = Telemetry::with_writer(false, Some(out)).unwrap();
    let recorder = hub.recorder();

    recorder.record(&answered());
    recorder.tick();
    has_begun.recv().unwrap(); // the writer is stuck inside its first write from here on
    let mut recorded = 1;
    while dropped(&hub) == 0 {
        recorder.record(&answered());
        recorded += 1;
        assert!(recorded < 100_000, "the queue has no bound");
    }
    // What is kept has reached its bound: more requests cost lines, not memory.
    let kept = recorded - dropped(&hub);
    for _ in 0..20_000 {
        recorder.record(&answered());
    }
    recorder.tick();
    assert_eq!(dropped(&hub), recorded + 20_000 - kept);
    assert!(!hub.flush(Duration::ZERO));
    let queue = hub.log.as_ref().unwrap();
    {
        let state = lock(&queue.state);
        assert_eq!(state.waiting.len(), MOST_WAITING);
        let held: usize = state.waiting.iter().map(Vec::capacity).sum();
        assert!(held <= MOST_WAITING * CAPACITY, "{held} bytes held");
    }

    for _ in 0..=MOST_WAITING {
        open.send(()).unwrap();
    }
    assert!(hub.flush(LONG));
    let lines = lock(&seen).iter().filter(|&&byte| byte == b'\n').count() as u64;
    assert_eq!(lines, kept, "each line is either written or counted as dropped");

    // It recovers by itself.
    open.send(()).unwrap();
    recorder.record(&answered());
    recorder.tick();
    assert!(hub.flush(LONG));
    assert_eq!(lock(&seen).iter().filter(|&&byte| byte == b'\n').count() as u64, kept + 1);
}

fn dropped(hub: &Telemetry) -> u64 {
    let page = hub.render();
    let line = samples(&page, "weir_log_lines_dropped_total").concat();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// A disk that takes `room` more bytes, fails then, and gets room again after `failures` refusals.
struct Full {
    room: usize,
    failures: usize,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            self.failures -= 1;
            if self.failures == 0 {
                self.room = usize::MAX;
            }
            return Err(ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        lock(&self.seen).extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check_full(room: usize, failures: usize, expect: &str, expect_dropped: u64) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let queue = Queue::start(Box::new(Full { room, failures, seen: seen.clone() })).unwrap();
    for text in ["one\ntwo\n", "three\n", "four\n"] {
        let lines = text.lines().count() as u64;
        queue.hand_over(&mut text.as_bytes().to_vec(), lines);
        assert!(queue.flush(LONG));
    }
    assert_eq!(String::from_utf8(lock(&seen).clone()).unwrap(), expect, "room {room}, failures {failures}");
    assert_eq!(queue.dropped(), expect_dropped, "room {room}, failures {failures}");
    queue.close();
}

#[test]
fn a_full_disk_loses_whole_lines_that_are_counted() {
    check_full(usize::MAX, 1, "one\ntwo\nthree\nfour\n", 0);
    check_full(0, 1, "three\nfour\n", 2);
    check_full(4, 1, "one\nthree\nfour\n", 1);
    check_full(8, 1, "one\ntwo\nfour\n", 1);
    check_full(8, 2, "one\ntwo\n", 2);
    // A torn line ends before the next one begins, even when that takes several tries.
    check_full(5, 1, "one\nt\nthree\nfour\n", 1);
    check_full(5, 2, "one\nt\nfour\n", 2);
    check_full(7, 3, "one\ntwo", 3);
}

#[test]
fn a_closed_queue_still_writes_what_it_has_and_takes_no_more() {
    let (begun, has_begun) = channel();
    let (open, gate) = channel();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let queue = Queue::start(Box::new(Gated { begun, gate, seen: seen.clone() })).unwrap();
    queue.hand_over(&mut b"one\n".to_vec(), 1);
    has_begun.recv().unwrap();
    queue.hand_over(&mut b"two\n".to_vec(), 1);
    queue.close();
    let mut late = b"late\n".to_vec();
    queue.hand_over(&mut late, 1);
    assert_eq!((late.len(), queue.dropped()), (0, 1));
    open.send(()).unwrap();
    open.send(()).unwrap();
    assert!(queue.flush(LONG));
    assert_eq!(lock(&seen).as_slice(), b"one\ntwo\n");
    assert!(has_begun.recv().is_ok(), "the second write");
    assert!(has_begun.recv().is_err(), "the thread has ended and dropped its target");
}

#[test]
fn buffers_come_back_for_reuse() {
    let queue = Queue::start(Box::new(io::sink())).unwrap();
    let mut buffer = Vec::new();
    let mut reused = 0;
    for _ in 0..100 {
        buffer.extend_from_slice(b"line\n");
        queue.hand_over(&mut buffer, 1);
        assert!(buffer.is_empty());
        reused += usize::from(buffer.capacity() > 0);
        assert!(queue.flush(LONG));
    }
    assert_eq!(reused, 100);
    assert!(lock(&queue.state).spare.len() <= 2, "one buffer travels, one fills");
}
