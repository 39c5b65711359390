use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU32};

const SETTINGS: Settings = Settings {
    failures: 3,
    cooldown: Duration::from_secs(10),
    cooldown_max: Duration::from_secs(30),
    probes: 1,
    ramp: Duration::ZERO,
};

/// A breaker without ramp and chance, where only its states matter.
#[derive(Default)]
struct Plain(Breaker, u32);

impl Plain {
    fn enter(&self, now: Moment) -> Result<Ticket, Refusal> {
        self.0.enter(self.1, now).map(|(ticket, _)| ticket)
    }
    fn enter_anyway(&self, now: Moment) -> Ticket {
        self.0.enter_anyway(self.1, now).0
    }
    fn refusal(&self, now: Moment) -> Option<Refusal> {
        self.0.refusal(self.1, now)
    }
    fn state(&self, now: Moment) -> State {
        self.0.state(now)
    }
    fn consecutive(&self) -> u32 {
        self.0.consecutive()
    }
    fn begun(&self, ticket: &mut Ticket) {
        self.0.begun(ticket, &SETTINGS, at(0));
    }
    fn succeeded(&self, ticket: &mut Ticket) {
        self.0.succeeded(ticket, &SETTINGS, at(0));
    }
    fn faulted(&self, ticket: &mut Ticket, settings: &Settings, now: Moment) {
        self.0.faulted(ticket, settings, now, Jitter::NONE);
    }
    fn trip(&self, ticket: &mut Ticket, settings: &Settings, now: Moment) {
        self.0.trip(ticket, settings, now, Jitter::NONE);
    }
    fn abandoned(&self, ticket: &mut Ticket) {
        self.0.abandoned(ticket);
    }
    fn checked(&self, ok: bool, settings: &Settings, now: Moment) {
        self.0.checked(ok, settings, now, Jitter::NONE);
    }
}

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

/// One call that begins and ends at `now`.
fn call(breaker: &Plain, ok: bool, now: Moment) {
    let mut ticket = breaker.enter(now).unwrap();
    if ok { breaker.succeeded(&mut ticket) } else { breaker.faulted(&mut ticket, &SETTINGS, now) }
}

#[test]
fn it_opens_after_faults_in_a_row_only() {
    let breaker = Plain::default();
    for ok in [false, false, true, false, false] {
        call(&breaker, ok, at(0));
    }
    assert_eq!((breaker.state(at(0)), breaker.consecutive()), (State::Closed, 2));
    call(&breaker, false, at(0));
    assert_eq!((breaker.state(at(0)), breaker.consecutive()), (State::Open, 3));
    assert_eq!(breaker.enter(at(9)), Err(Refusal::Open(at(10))));
}

#[test]
fn the_cool_down_doubles_up_to_its_cap_and_starts_anew_after_closing() {
    let breaker = Plain::default();
    let mut now = 0;
    for _ in 0..3 {
        call(&breaker, false, at(now));
    }
    for cooldown in [10, 20, 30, 30] {
        assert_eq!(breaker.refusal(at(now + cooldown - 1)), Some(Refusal::Open(at(now + cooldown))));
        now += cooldown;
        assert_eq!(breaker.state(at(now)), State::HalfOpen);
        call(&breaker, false, at(now));
    }
    now += 30;
    call(&breaker, true, at(now));
    assert_eq!((breaker.state(at(now)), breaker.consecutive()), (State::Closed, 0));
    for _ in 0..3 {
        call(&breaker, false, at(now));
    }
    assert_eq!(breaker.refusal(at(now)), Some(Refusal::Open(at(now + 10))));
}

fn opened() -> Plain {
    let breaker = Plain::default();
    breaker.trip(&mut breaker.enter(at(0)).unwrap(), &SETTINGS, at(0));
    breaker
}

#[test]
fn one_probe_is_out_at_a_time_and_an_abandoned_one_makes_room() {
    let breaker = opened();
    let mut probe = breaker.enter(at(10)).unwrap();
    assert!(probe.is_probe());
    assert_eq!(breaker.enter(at(10)), Err(Refusal::Probing));
    assert!(!breaker.enter_anyway(at(10)).is_probe());
    breaker.abandoned(&mut probe);
    assert!(breaker.enter(at(10)).unwrap().is_probe());
    breaker.abandoned(&mut probe);
    assert_eq!(
        breaker.refusal(at(10)),
        Some(Refusal::Probing),
        "abandoned twice, it frees nobody else's place"
    );
}

#[test]
fn what_began_before_a_change_of_state_counts_for_nothing_after_it() {
    let breaker = Plain::default();
    let mut early: Vec<Ticket> = (0..4).map(|_| breaker.enter(at(0)).unwrap()).collect();
    breaker.trip(&mut breaker.enter(at(0)).unwrap(), &SETTINGS, at(0));
    breaker.succeeded(&mut early[0]);
    assert_eq!(breaker.state(at(1)), State::Open);
    let mut probe = breaker.enter(at(10)).unwrap();
    breaker.faulted(&mut early[1], &SETTINGS, at(10));
    assert_eq!(breaker.refusal(at(10)), Some(Refusal::Probing));
    breaker.succeeded(&mut probe);
    for ticket in &mut early[2..] {
        breaker.trip(ticket, &SETTINGS, at(11));
    }
    assert_eq!((breaker.state(at(11)), breaker.consecutive()), (State::Closed, 0));
}

/// One call whose answer begins, and breaks off in the same second.
fn breaks_off(breaker: &Plain, now: Moment) {
    let mut ticket = breaker.enter(now).unwrap();
    breaker.begun(&mut ticket);
    breaker.faulted(&mut ticket, &SETTINGS, now);
}

#[test]
fn answers_that_begin_and_break_off_are_faults_in_a_row() {
    let breaker = Plain::default();
    for expect in [1, 2, 3] {
        assert_eq!(breaker.state(at(0)), State::Closed);
        breaks_off(&breaker, at(0));
        assert_eq!(breaker.consecutive(), expect);
    }
    assert_eq!(breaker.refusal(at(0)), Some(Refusal::Open(at(10))));
    breaks_off(&breaker, at(10));
    assert_eq!(breaker.refusal(at(10)), Some(Refusal::Open(at(30))), "the cool-down doubles");
}

#[test]
fn a_probe_whose_answer_has_begun_keeps_nobody_waiting() {
    let breaker = opened();
    let mut probe = breaker.enter(at(10)).unwrap();
    breaker.begun(&mut probe);
    assert_eq!((breaker.state(at(10)), breaker.refusal(at(10))), (State::HalfOpen, None));
    let mut others: Vec<Ticket> = (0..2).map(|_| breaker.enter(at(11)).unwrap()).collect();
    breaker.abandoned(&mut probe);
    assert_eq!(breaker.refusal(at(11)), None, "a client that hung up proves nothing");
    breaker.succeeded(&mut others[0]);
    assert_eq!((breaker.state(at(12)), breaker.consecutive()), (State::Closed, 0));
    breaker.faulted(&mut others[1], &SETTINGS, at(13));
    assert_eq!(breaker.consecutive(), 0, "it began before");
}

#[test]
fn on_trial_any_fault_opens_it_again() {
    let ends: [fn(&Plain, &mut Ticket); 3] = [
        |breaker, probe| breaker.faulted(probe, &SETTINGS, at(15)),
        |breaker, probe| breaker.trip(probe, &SETTINGS, at(15)),
        |breaker, _| breaker.checked(false, &SETTINGS, at(15)),
    ];
    for end in ends {
        let breaker = opened();
        let mut probe = breaker.enter(at(10)).unwrap();
        breaker.begun(&mut probe);
        breaker.checked(true, &SETTINGS, at(12));
        assert_eq!(breaker.state(at(12)), State::HalfOpen, "a good check does not close it");
        let mut other = breaker.enter(at(12)).unwrap();
        end(&breaker, &mut probe);
        assert_eq!(breaker.refusal(at(15)), Some(Refusal::Open(at(35))));
        breaker.succeeded(&mut other);
        assert_eq!(breaker.state(at(16)), State::Open, "what began before counts for nothing");
    }
}

#[test]
fn an_answer_that_begins_changes_nothing_where_all_is_well() {
    let breaker = Plain::default();
    call(&breaker, false, at(0));
    let mut ticket = breaker.enter(at(0)).unwrap();
    breaker.begun(&mut ticket);
    assert_eq!((breaker.consecutive(), breaker.0.word().generation), (1, 0));
    breaker.succeeded(&mut ticket);
    assert_eq!((breaker.consecutive(), breaker.0.word().generation), (0, 0));
}

#[test]
fn an_answer_to_spread_traffic_closes_it_and_a_fault_changes_nothing() {
    let breaker = opened();
    breaker.faulted(&mut breaker.enter_anyway(at(3)), &SETTINGS, at(4));
    assert_eq!(breaker.refusal(at(4)), Some(Refusal::Open(at(10))));
    let mut spread = breaker.enter_anyway(at(5));
    breaker.begun(&mut spread);
    assert_eq!((breaker.state(at(5)), breaker.refusal(at(5))), (State::HalfOpen, None));
    breaker.succeeded(&mut spread);
    assert_eq!(breaker.state(at(5)), State::Closed);
}

#[test]
fn a_good_check_invites_a_probe_and_a_bad_one_is_a_fault() {
    let breaker = opened();
    breaker.checked(true, &SETTINGS, at(2));
    assert_eq!(breaker.state(at(2)), State::HalfOpen);
    breaker.checked(false, &SETTINGS, at(3));
    assert_eq!(breaker.refusal(at(3)), Some(Refusal::Open(at(23))));
    breaker.checked(false, &SETTINGS, at(4));
    assert_eq!(breaker.refusal(at(4)), Some(Refusal::Open(at(23))), "a bad check prolongs no cool-down");

    let closed = Plain::default();
    closed.checked(false, &SETTINGS, at(0));
    closed.checked(true, &SETTINGS, at(0));
    assert_eq!(closed.consecutive(), 1);
    closed.checked(false, &SETTINGS, at(0));
    closed.checked(false, &SETTINGS, at(0));
    assert_eq!(closed.state(at(0)), State::Open);
}

/// The same rules, without packing, wrapping or cores.
#[derive(Clone, Copy, Debug)]
enum Model {
    Closed { consecutive: u32 },
    Open { until: Moment, reopenings: u32 },
    Probing { reopenings: u32, out: u32 },
    OnTrial { reopenings: u32 },
}

#[derive(Debug, Default)]
struct Modelled {
    changes: u64,
    state: Option<Model>,
    probes: u32,
}

#[derive(Clone, Copy, Debug)]
struct ModelTicket {
    changes: u64,
    probe: bool,
}

impl Modelled {
    fn get(&self) -> Model {
        self.state.unwrap_or(Model::Closed { consecutive: 0 })
    }

    fn go(&mut self, state: Model) {
        self.state = Some(state);
        self.changes += 1;
    }

    fn open(&mut self, reopenings: u32, now: Moment) {
        let cooldown = Duration::from_secs(if reopenings == 0 {
            10
        } else if reopenings == 1 {
            20
        } else {
            30
        });
        self.go(Model::Open { until: now + cooldown, reopenings });
    }

    fn enter(&mut self, now: Moment, anyway: bool) -> Option<ModelTicket> {
        let (passes, probe) = match self.get() {
            Model::Closed { .. } | Model::OnTrial { .. } => (true, false),
            Model::Open { until, reopenings } if now >= until => {
                self.go(Model::Probing { reopenings, out: 1 });
                (true, true)
            }
            Model::Probing { reopenings, out } if out < self.probes => {
                self.state = Some(Model::Probing { reopenings, out: out + 1 });
                (true, true)
            }
            _ => (anyway, false),
        };
        passes.then_some(ModelTicket { changes: self.changes, probe })
    }

    fn end(&mut self, ticket: &mut ModelTicket, how: End, now: Moment) {
        if ticket.changes != self.changes {
            ticket.probe &= !matches!(how, End::Nothing);
            return;
        }
        match (self.get(), how) {
            (Model::Closed { .. } | Model::OnTrial { .. }, End::Begun) => return,
            (Model::Open { reopenings, .. } | Model::Probing { reopenings, .. }, End::Begun) => {
                self.go(Model::OnTrial { reopenings });
            }
            (Model::OnTrial { reopenings }, End::Fault | End::Trip) => self.open(reopenings + 1, now),
            (Model::Closed { .. }, End::Success) => self.state = Some(Model::Closed { consecutive: 0 }),
            (_, End::Success) => self.go(Model::Closed { consecutive: 0 }),
            (Model::Closed { consecutive }, End::Fault) if consecutive + 1 < 3 => {
                self.state = Some(Model::Closed { consecutive: consecutive + 1 });
            }
            (Model::Closed { .. }, End::Fault | End::Trip) => self.open(0, now),
            (Model::Probing { reopenings, .. }, End::Fault | End::Trip) if ticket.probe => {
                self.open(reopenings + 1, now);
            }
            (Model::Probing { reopenings, out: 2.. }, End::Nothing) if ticket.probe => {
                let Model::Probing { out, .. } = self.get() else { return };
                self.state = Some(Model::Probing { reopenings, out: out - 1 });
                ticket.probe = false;
            }
            (Model::Probing { reopenings, .. }, End::Nothing) if ticket.probe => {
                self.go(Model::Open { until: Moment::START, reopenings });
            }
            (_, End::Nothing) => ticket.probe = false,
            _ => return,
        }
        if ticket.changes != self.changes {
            *ticket = ModelTicket { changes: self.changes, probe: false };
        }
    }

    fn check(&mut self, ok: bool, now: Moment) {
        match (self.get(), ok) {
            (Model::Closed { consecutive }, false) if consecutive + 1 < 3 => {
                self.state = Some(Model::Closed { consecutive: consecutive + 1 });
            }
            (Model::Closed { .. }, false) => self.open(0, now),
            (Model::OnTrial { reopenings }, false) => self.open(reopenings + 1, now),
            (Model::Open { until, reopenings }, true) if now < until => {
                self.state = Some(Model::Open { until: now, reopenings });
            }
            (Model::Open { until, reopenings }, false) if now >= until => self.open(reopenings + 1, now),
            _ => {}
        }
    }

    fn state(&self, now: Moment) -> State {
        match self.get() {
            Model::Closed { .. } => State::Closed,
            Model::Open { until, .. } if now < until => State::Open,
            _ => State::HalfOpen,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Begun,
    Success,
    Fault,
    Trip,
    Nothing,
}

#[derive(Clone, Debug)]
enum Step {
    Enter { anyway: bool },
    End { which: usize, how: End },
    Check { ok: bool },
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        Just(End::Begun),
        Just(End::Success),
        Just(End::Fault),
        Just(End::Fault),
        Just(End::Trip),
        Just(End::Nothing)
    ];
    prop_oneof![
        4 => any::<bool>().prop_map(|anyway| Step::Enter { anyway }),
        4 => (any::<usize>(), how).prop_map(|(which, how)| Step::End { which, how }),
        1 => any::<bool>().prop_map(|ok| Step::Check { ok }),
        2 => (1u64..25).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

proptest! {
    #[test]
    fn it_does_what_the_simple_model_does(
        probes in 1u32..4, steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut model = Modelled { probes, ..Modelled::default() };
        let breaker = Plain(Breaker::default(), probes);
        let mut tickets: Vec<(Ticket, ModelTicket)> = Vec::new();
        let mut now = at(0);
        for step in steps {
            match step {
                Step::Enter { anyway } => {
                    let got = if anyway { Some(breaker.enter_anyway(now)) } else { breaker.enter(now).ok() };
                    let expect = model.enter(now, anyway);
                    prop_assert_eq!(got.as_ref().map(Ticket::is_probe), expect.map(|t| t.probe));
                    tickets.extend(got.zip(expect));
                }
                Step::End { which, how } if !tickets.is_empty() => {
                    let at = which % tickets.len();
                    let (ticket, expect) = &mut tickets[at];
                    match how {
                        End::Begun => breaker.begun(ticket),
                        End::Success => breaker.succeeded(ticket),
                        End::Fault => breaker.faulted(ticket, &SETTINGS, now),
                        End::Trip => breaker.trip(ticket, &SETTINGS, now),
                        End::Nothing => breaker.abandoned(ticket),
                    }
                    model.end(expect, how, now);
                    prop_assert_eq!(ticket.probe, expect.probe);
                }
                Step::End { .. } => {}
                Step::Check { ok } => {
                    breaker.checked(ok, &SETTINGS, now);
                    model.check(ok, now);
                }
                Step::Pass { seconds } => now = now + Duration::from_secs(seconds),
            }
            prop_assert_eq!(breaker.state(now), model.state(now));
            if let Model::Closed { consecutive } = model.get() {
                prop_assert_eq!(breaker.consecutive(), consecutive);
            }
        }
    }

    #[test]
    fn the_word_keeps_its_fields(
        phase in 0u64..4, consecutive in 0..=MOST_CONSECUTIVE, reopenings in 0..=MOST_REOPENINGS,
        generation in 0..GENERATIONS, until in 0..=LATEST,
    ) {
        let word = Word { phase, consecutive, reopenings, generation, until };
        prop_assert_eq!(Word::unpack(word.pack()), word);
    }

    #[test]
    fn no_setting_and_no_time_overflows(failures: u32, cooldown: u64, cooldown_max: u64, now: u64) {
        let settings = Settings {
            failures,
            cooldown: Duration::from_nanos(cooldown),
            cooldown_max: Duration::from_nanos(cooldown_max),
            ..SETTINGS
        };
        let (breaker, now) = (Plain::default(), Moment::from_nanos(now));
        for _ in 0..255 {
            breaker.faulted(&mut breaker.enter_anyway(now), &settings, now);
        }
        prop_assert_eq!(breaker.consecutive(), failures.clamp(1, 255));
        breaker.checked(true, &settings, now);
        breaker.checked(false, &settings, now);
        breaker.succeeded(&mut breaker.enter_anyway(now));
        prop_assert_eq!(breaker.state(now), State::Closed);
    }
}

#[test]
fn many_cores_never_have_two_probes_out() {
    let breaker = opened();
    let (out, clock, twice) = (AtomicU32::new(0), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for core in 0..4 {
            let (breaker, out, clock, twice) = (&breaker, &out, &clock, &twice);
            scope.spawn(move || {
                let mut probes = 0;
                while probes < 2_000 {
                    let now = at(clock.fetch_add(1, Relaxed));
                    let Ok(mut ticket) = breaker.enter(now) else {
                        std::thread::yield_now();
                        continue;
                    };
                    if !ticket.is_probe() {
                        breaker.trip(&mut ticket, &SETTINGS, now);
                        continue;
                    }
                    probes += 1;
                    // Counted out before the place is given back, so two probes at once cannot go unseen for good.
                    twice.fetch_or(out.fetch_add(1, Relaxed) != 0, Relaxed);
                    out.fetch_sub(1, Relaxed);
                    match (core + probes) % 3 {
                        0 => breaker.succeeded(&mut ticket),
                        1 => breaker.faulted(&mut ticket, &SETTINGS, now),
                        _ => breaker.abandoned(&mut ticket),
                    }
                }
            });
        }
    });
    assert!(!twice.load(Relaxed), "two probes were out at once");
}

#[test]
fn no_fault_is_lost_between_cores() {
    let breaker = Plain::default();
    let settings = Settings { failures: 201, ..SETTINGS };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    breaker.faulted(&mut breaker.enter(at(0)).unwrap(), &settings, at(0));
                }
            });
        }
    });
    assert_eq!((breaker.state(at(0)), breaker.consecutive()), (State::Closed, 200));
}

#[test]
fn several_probes_leave_when_that_is_allowed() {
    let breaker = Plain(opened().0, 3);
    let mut probes: Vec<Ticket> = (0..3).map(|_| breaker.enter(at(10)).unwrap()).collect();
    assert!(probes.iter().all(Ticket::is_probe));
    assert_eq!(breaker.enter(at(10)), Err(Refusal::Probing));
    breaker.abandoned(&mut probes[0]);
    breaker.abandoned(&mut probes[0]);
    probes[0] = breaker.enter(at(10)).unwrap();
    assert_eq!(breaker.enter(at(10)), Err(Refusal::Probing), "one place was given back, not two");
    breaker.faulted(&mut probes[1], &SETTINGS, at(11));
    assert_eq!(breaker.refusal(at(11)), Some(Refusal::Open(at(31))));
    breaker.succeeded(&mut probes[2]);
    assert_eq!(breaker.state(at(11)), State::Open, "the first to end decides");
}

/// Back at second 10 with a ramp of 20 seconds, a deployment has this share of its calls.
#[test]
fn it_comes_back_by_degrees() {
    let ramp = Duration::from_secs(20);
    let settings = Settings { ramp, ..SETTINGS };
    let breaker = opened().0;
    assert_eq!(breaker.share(ramp, at(5)), None, "open, it has no share at all");
    let (mut probe, _) = breaker.enter(1, at(10)).unwrap();
    breaker.begun(&mut probe, &settings, at(10));
    let share = |seconds| breaker.share(ramp, at(seconds)).map(|share| (share * 100.0).round());
    assert_eq!([10, 11, 15, 20].map(share), [Some(10.0), Some(10.0), Some(25.0), Some(50.0)], "on trial");
    breaker.succeeded(&mut probe, &settings, at(20));
    assert_eq!([20, 25, 29, 30].map(share), [Some(50.0), Some(75.0), Some(95.0), None], "closed, it goes on");
    let (mut next, _) = breaker.enter(1, at(22)).unwrap();
    breaker.faulted(&mut next, &settings, at(22), Jitter::NONE);
    assert_eq!(share(22), Some(60.0), "one fault is not yet an outage");
    let (mut next, _) = breaker.enter(1, at(23)).unwrap();
    breaker.trip(&mut next, &settings, at(23), Jitter::NONE);
    assert_eq!((share(23), breaker.state(at(23))), (None, State::Open));
    assert_eq!(Breaker::default().share(ramp, at(0)), None, "nobody begins with a ramp");
}

#[test]
fn chance_shortens_a_cool_down_by_up_to_a_fifth() {
    let mut chance = crate::SplitMix64::seeded(5);
    let drawn: Vec<f64> = (0..1000)
        .map(|_| {
            let breaker = Breaker::default();
            let (mut ticket, _) = breaker.enter(1, at(0)).unwrap();
            breaker.trip(&mut ticket, &SETTINGS, at(0), Jitter::drawn(&mut chance));
            let Some(Refusal::Open(until)) = breaker.refusal(1, at(0)) else { panic!("it is open") };
            until.since(at(0)).as_secs_f64()
        })
        .collect();
    assert!(drawn.iter().all(|seconds| (8.0..=10.001).contains(seconds)), "{drawn:?}");
    let mean = drawn.iter().sum::<f64>() / 1000.0;
    assert!((mean - 9.0).abs() < 0.05, "{mean}");
}

/// Each change is told to whoever brought it about, once, and nothing else is.
#[test]
fn a_change_is_told_once() {
    use State::{Closed, HalfOpen, Open};
    let told = |change: Option<Change>| change.map(|change| (change.from, change.to, change.faults));
    let breaker = Breaker::default();
    let fault = |now| {
        let (mut ticket, entered) = breaker.enter_anyway(1, at(now));
        (told(entered), told(breaker.faulted(&mut ticket, &SETTINGS, at(now), Jitter::NONE)))
    };
    assert_eq!([fault(0), fault(0)], [(None, None); 2]);
    assert_eq!(fault(0), (None, Some((Closed, Open, 3))));
    assert_eq!(fault(5), (None, None));
    assert_eq!(fault(10), (Some((Open, HalfOpen, 3)), Some((HalfOpen, Open, 3))));
    let (mut probe, entered) = breaker.enter(1, at(30)).unwrap();
    assert_eq!(told(entered), Some((Open, HalfOpen, 3)));
    breaker.abandoned(&mut probe);
    let (mut probe, entered) = breaker.enter(1, at(31)).unwrap();
    assert_eq!(told(entered), None, "it has been half-open all the time");
    assert_eq!(told(breaker.begun(&mut probe, &SETTINGS, at(31))), None);
    assert_eq!(told(breaker.succeeded(&mut probe, &SETTINGS, at(32))), Some((HalfOpen, Closed, 0)));
    let (mut ticket, _) = breaker.enter(1, at(33)).unwrap();
    assert_eq!(told(breaker.trip(&mut ticket, &SETTINGS, at(33), Jitter::NONE)), Some((Closed, Open, 0)));
    assert_eq!(told(breaker.checked(true, &SETTINGS, at(34), Jitter::NONE)), Some((Open, HalfOpen, 0)));
    assert_eq!(told(breaker.checked(false, &SETTINGS, at(35), Jitter::NONE)), Some((HalfOpen, Open, 0)));
}
