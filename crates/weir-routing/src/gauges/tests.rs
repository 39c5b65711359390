use super::*;
use proptest::prelude::*;

const LIFE: Duration = Duration::from_secs(15);

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

fn others(running: f64, waiting: f64, ours: u32) -> u32 {
    let gauges = Gauges::default();
    gauges.heard(&Reading { running, waiting, memory: None, ours }, LIFE, at(1));
    gauges.others(at(1))
}

#[test]
fn only_what_others_sent_is_added() {
    assert_eq!(others(5.0, 7.0, 4), 8);
    assert_eq!(others(2.0, 0.0, 4), 0, "it cannot take away from what Weir counts");
    assert_eq!(others(0.0, 0.0, 0), 0);
}

#[test]
fn it_is_forgotten_when_it_is_old() {
    let gauges = Gauges::default();
    assert_eq!((gauges.others(at(0)), gauges.shown(at(0))), (0, None));
    gauges.heard(&Reading { running: 3.0, waiting: 1.0, memory: Some(0.25), ours: 0 }, LIFE, at(1));
    let shown = Shown { running: 3, waiting: 1, memory: Some(0.25), others: 4 };
    assert_eq!((gauges.others(at(15)), gauges.shown(at(15))), (4, Some(shown)));
    assert_eq!((gauges.others(at(16)), gauges.shown(at(16))), (0, None));
}

proptest! {
    /// Whatever a server says, it changes what is believed within bounds only.
    #[test]
    fn nothing_it_says_counts_beyond_bounds(
        running in any::<f64>(), waiting in any::<f64>(), memory in any::<f64>(), ours in any::<u32>(),
    ) {
        let gauges = Gauges::default();
        gauges.heard(&Reading { running, waiting, memory: Some(memory), ours }, LIFE, at(1));
        let shown = gauges.shown(at(1)).unwrap();
        prop_assert!(shown.others <= MOST_OTHERS);
        prop_assert!(shown.memory.is_none_or(|part| (0.0..=1.0).contains(&part)));
        prop_assert!(shown.running <= 1_000_000 && shown.waiting <= 1_000_000);
    }
}
