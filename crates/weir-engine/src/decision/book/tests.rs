use super::*;
use crate::decision::End;
use weir_core::{Cost, Outcome};

fn head(id: u128) -> Head {
    Head { id: RequestId::from_random(id), generation: 1, ..Entry::new().head }
}

/// A book that keeps so many.
fn book(recent: u32, sampled: u32, sample: f64) -> Book {
    let book = Book::default();
    book.take_up(1, &Arc::default(), &Decisions { recent, sampled, sample });
    book
}

fn end(book: &Book, entry: Rc<RefCell<Entry>>, outcome: Outcome, chance: f64) {
    entry.borrow_mut().end = Some(End {
        outcome,
        status: 200,
        code: None,
        route: None,
        usage: None,
        cost: Cost::ZERO,
        cost_unknown: false,
        total: super::super::Micros::default(),
        first_token: None,
        predicted: None,
        overhead: super::super::Micros::default(),
        answered_by: None,
    });
    book.end(entry, true, || chance);
}

/// The numbers of what a book shows, of each kind.
fn shown(book: &Book) -> [Vec<u128>; 3] {
    let mut all = [const { Vec::new() }; 3];
    book.see(|kind, entry| {
        let number = (0..100).find(|n| RequestId::from_random(*n) == entry.head.id).unwrap();
        all[kind as usize].push(number);
        false
    });
    all
}

#[test]
fn the_latest_stay_and_the_special_stay_longer() {
    let book = book(2, 3, 0.1);
    for id in 0..5 {
        let outcome = if id == 1 { Outcome::ClientGone } else { Outcome::Answered };
        end(&book, book.begin(head(id), &[]), outcome, if id == 3 { 0.05 } else { 0.5 });
    }
    assert_eq!(shown(&book), [vec![], vec![4, 3], vec![3, 1]]);
    assert!(book.find(RequestId::from_random(1)).is_some() && book.find(RequestId::from_random(0)).is_none());
    // Fewer are kept from now on, or more: the newest of those there are.
    book.take_up(2, &Arc::default(), &Decisions { recent: 1, sampled: 0, sample: 0.1 });
    assert_eq!(shown(&book), [vec![], vec![4], vec![]]);
    end(&book, book.begin(head(7), &[]), Outcome::ClientGone, 0.0);
    assert_eq!(shown(&book), [vec![], vec![7], vec![]]);
    book.take_up(3, &Arc::default(), &Decisions { recent: 0, sampled: 0, sample: 1.0 });
    end(&book, book.begin(head(8), &[]), Outcome::ClientGone, 0.0);
    assert_eq!(shown(&book), [vec![], vec![], vec![]]);
}

#[test]
fn those_that_run_are_shown_until_they_end() {
    let book = book(9, 0, 0.0);
    let mut running: Vec<_> = (0..4).map(|id| book.begin(head(id), &[])).collect();
    assert_eq!(shown(&book)[0], [3, 2, 1, 0]);
    end(&book, running.remove(1), Outcome::Answered, 1.0);
    end(&book, running.remove(0), Outcome::Answered, 1.0);
    let mut left = shown(&book)[0].clone();
    left.sort_unstable();
    assert_eq!((left, shown(&book)[1].clone()), (vec![2, 3], vec![0, 1]));
    // What was not to be kept leaves nothing, and its memory is used again.
    let not_kept = running.remove(0);
    let memory = Rc::as_ptr(&not_kept);
    book.end(not_kept, false, || 0.0);
    assert!(book.find(RequestId::from_random(2)).is_none());
    assert_eq!(Rc::as_ptr(&book.begin(head(5), &[])), memory);
}

#[test]
fn names_of_many_snapshots_ago_are_forgotten_with_what_they_name() {
    let book = book(5, 0, 0.0);
    end(&book, book.begin(head(1), &[]), Outcome::Answered, 1.0);
    for generation in 2..=MOST_NAMES as u64 {
        book.take_up(generation, &Arc::default(), &Decisions { recent: 5, sampled: 0, sample: 0.0 });
    }
    assert!(book.find(RequestId::from_random(1)).is_some());
    book.take_up(99, &Arc::default(), &Decisions { recent: 5, sampled: 0, sample: 0.0 });
    assert!(book.find(RequestId::from_random(1)).is_none());
}
