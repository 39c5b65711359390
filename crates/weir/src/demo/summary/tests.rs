use super::*;
use crate::demo::fleet::ROUTES;

fn outcome(route: usize, deployment: &str, attempts: u64) -> Outcome {
    Outcome {
        route: &ROUTES[route],
        deployment: Some(deployment.to_owned()),
        attempts,
        failed: None,
        cost: Cost::from_pico_usd(12_345_000),
        total: Duration::from_millis(400),
        first_token: None,
    }
}

/// A minute's worth of requests, all figures known.
fn known() -> Figures {
    let mut figures = Figures::default();
    for i in 0..100 {
        figures.sent();
        let server = SERVERS[[0, 0, 0, 0, 1, 1, 1, 3, 4, 5][i % 10]].name;
        let total = Duration::from_millis(15 * (i as u64 + 1));
        let first_token = (i % 2 == 0).then_some(Duration::from_millis(i as u64 + 1));
        let at = Duration::from_millis(600 * (i as u64 + 1));
        figures.ended(at, Outcome { total, first_token, ..outcome(0, server, 1) });
    }
    for _ in 0..3 {
        figures.sent();
    }
    let at = Duration::from_secs(60);
    figures.ended(at, Outcome { failed: Some("503".to_owned()), ..outcome(0, "flaky", 3) });
    figures.ended(at, outcome(4, "quick-small", 2));
    figures
}

#[test]
fn the_screen_shows_the_figures() {
    let expect = "\
20 requests/s wanted   01:00   Ctrl-C ends

  requests         103   answered         101   failed             1
  per second       2.2   under way          1   cost USD     0.001259

                                  p50         p95
  streams, first token          49 ms       95 ms
  streams, to the end          735 ms      1.43 s
  answers in one piece         750 ms      1.44 s

  quick-small   ██████████████████████████████  40.2 %       41
  quick-medium  ██████████████████████          29.4 %       30
  flaky         ▊                                1.0 %        1
  steady-large  ███████▍                         9.8 %       10
  bargain       ███████▍                         9.8 %       10
  thinker       ███████▍                         9.8 %       10

  retries      2          fallbacks    1
  failures     503 ×1
";
    let shown = screen(&known(), Duration::from_secs(60), 20.0, Stage::Sending, Paint::Plain);
    assert_eq!(shown, expect, "{shown}");
}

#[test]
fn the_line_shows_the_same() {
    let expect = "   60 s  sent 103  answered 101  failed 1  under way 1  2.2/s  streams: first token p50 49 ms p95 95 ms, \
                  end p50 735 ms p95 1.43 s  whole: p50 750 ms p95 1.44 s  retries 2  fallbacks 1  cost 0.001259 USD";
    assert_eq!(line(&known(), Duration::from_secs(60)), expect);
}

#[test]
fn at_the_end_nothing_is_under_way() {
    let mut figures = known();
    let shown = screen(&figures, Duration::from_secs(60), 20.0, Stage::Finishing, Paint::Plain);
    assert!(shown.contains("under way          1") && shown.contains("Ctrl-C again"), "{shown}");
    figures.cut();
    let shown = screen(&figures, Duration::from_secs(61), 20.0, Stage::Ended, Paint::Plain);
    assert!(shown.contains("cut off            1") && !shown.contains("under way"), "{shown}");
}

#[test]
fn nothing_yet_is_shown_as_nothing() {
    let shown = screen(&Figures::default(), Duration::ZERO, 0.5, Stage::Sending, Paint::Plain);
    assert!(shown.contains("–") && shown.contains("failures     none") && !shown.contains("NaN"), "{shown}");
}

#[test]
fn the_screen_fits_a_small_terminal() {
    let mut figures = known();
    let why = ["upstream_credentials", "upstream_unreachable", "broken stream", "upstream_timeout", "429"];
    for (failed, times) in why.iter().zip(1_000_000..) {
        figures.failures.insert((*failed).to_owned(), times);
    }
    figures.held_back = 1_000_000;
    for (count, times) in figures.by_server.iter_mut().zip(1_000_000..) {
        *count = times;
    }
    let shown = screen(&figures, Duration::from_secs(36_000), 1000.0, Stage::Sending, Paint::Plain);
    for line in shown.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
    assert!(shown.lines().count() <= 20, "{shown}");
}

#[test]
fn colours_change_no_letter() {
    let plain = screen(&known(), Duration::from_secs(60), 20.0, Stage::Sending, Paint::Plain);
    let mut coloured = screen(&known(), Duration::from_secs(60), 20.0, Stage::Sending, Paint::Colours);
    assert_ne!(plain, coloured);
    while let Some(start) = coloured.find('\u{1b}') {
        let end = start + coloured[start..].find('m').unwrap();
        coloured.replace_range(start..=end, "");
    }
    assert_eq!(plain, coloured);
}

#[test]
fn retries_and_fallbacks_are_told_apart() {
    let check = |route: usize, deployment: &str, attempts: u64, expect: (u64, u64)| {
        let mut figures = Figures::default();
        figures.ended(Duration::ZERO, outcome(route, deployment, attempts));
        assert_eq!((figures.retries, figures.fallbacks), expect, "{route} {deployment} {attempts}");
    };
    check(0, "thinker", 1, (0, 0));
    check(0, "thinker", 3, (2, 0));
    check(0, "quick-small", 4, (2, 1));
    check(2, "bargain", 2, (1, 0));
    check(2, "quick-small", 3, (1, 1));
    check(4, "quick-medium", 2, (0, 1));
    check(4, "flaky", 0, (0, 0));
}

#[test]
fn percentiles_are_nearest_ranks_of_the_latest() {
    let check = |times: std::ops::Range<u64>, percent: usize, expect: Option<u64>| {
        let mut recent = Recent::default();
        times.for_each(|ms| recent.push(Duration::from_millis(ms)));
        assert_eq!(recent.percentile(percent), expect.map(Duration::from_millis));
    };
    check(0..0, 50, None);
    check(7..8, 50, Some(7));
    check(1..101, 50, Some(50));
    check(1..101, 95, Some(95));
    check(1..5001, 100, Some(5000));
    check(1..5001, 50, Some(4000));
}
