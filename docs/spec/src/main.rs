//! Checks the specification of the cache's coherence. See README.md.

mod faults;
mod keys;
mod model;
mod steps;

use std::process::ExitCode;
use std::time::Instant;

use faults::{Fault, Mutation};
use model::*;
use stateright::{Checker, HasDiscoveries, Model, Property};
use steps::{Rules, Step};

struct Spec(Config);

impl Model for Spec {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let write = Write {
            phase: Phase::New,
            by: 0,
            began: 0,
            open: false,
            effect: 0,
            end: 0,
            bound: None,
        };
        vec![State {
            now: 0,
            upstream: 0,
            writes: vec![write; self.0.writes],
            redis: Redis {
                run: 1,
                data: Data {
                    run: 1,
                    epoch: 1,
                    members: vec![(0, LEASE), (1, LEASE)],
                    ..Data::default()
                },
            },
            saved: None,
            replicas: [0, 1].map(|process| Replica {
                connected: true,
                ..Replica::new(process)
            }),
            flights_left: self.0.flights,
            faults_left: self.0.faults,
            next_epoch: 2,
            next_process: REPLICAS as u8,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        let rules = Rules(&self.0);
        actions.extend(rules.all(state));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Rules(&self.0).take(state, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(FRESH, |_, s: &State| s.broken != Some(FRESH)),
            Property::always(FORTH, |_, s: &State| s.broken != Some(FORTH)),
            Property::always(END, |spec: &Spec, s: &State| {
                let rules = Rules(&spec.0);
                let ended = || s.now == rules.last_tick() && rules.all(s).into_iter().all(|step| rules.take(s, step).is_none());
                s.broken.is_some() || settled(s) || !ended()
            }),
        ]
    }
}

/// Whether nothing is left to be done after the last fault.
fn settled(s: &State) -> bool {
    let owes = s.replicas.iter().any(|r| r.owes || !r.connected || !r.bus.is_empty());
    !owes && !s.open_in_redis() && s.writes.iter().all(|w| !w.open)
}

/// One model to check, and the promise that breaks where something is taken out.
struct Case {
    name: String,
    config: Config,
    breaks: Option<&'static str>,
}

fn sound(name: &str, kinds: &[Fault], faults: u8, writes: usize, flights: u8, busy: u8) -> Case {
    let config = Config {
        writes,
        flights,
        faults,
        kinds: kinds.to_vec(),
        busy,
        mutation: None,
    };
    Case {
        name: name.to_string(),
        config,
        breaks: None,
    }
}

/// The design under each kind of fault, and each rule that can be taken out of it with
/// the faults that need the rule.
fn cases(large: bool) -> Vec<Case> {
    let (flights, busy) = if large { (2, 2) } else { (2, 1) };
    let mut cases = vec![
        sound("nothing fails", &[], 0, 1, flights, busy),
        sound("two writes", &[], 0, 2, 1, busy),
    ];
    for kind in Fault::ALL {
        let flights = if large || !matches!(kind, Fault::Rollback | Fault::Cut) {
            2
        } else {
            1
        };
        cases.push(sound(&format!("{kind:?}"), &[kind], 1, 1, flights, 1));
    }
    cases.push(sound(
        "Cut and Kill",
        &[Fault::Cut, Fault::Kill],
        2,
        1,
        1,
        if large { 1 } else { 0 },
    ));
    if large {
        cases.push(sound("any two", &Fault::ALL, 2, 1, 1, 1));
    }
    // What is stored during a write its close invalidates too: opening keeps no promise
    // here that closing does not.
    let mut unopened = sound("without: NeverOpen", &[Fault::Kill], 1, 1, 1, 1);
    unopened.config.mutation = Some(Mutation::NeverOpen);
    cases.push(unopened);
    for (mutation, kinds, faults, flights, busy, breaks) in MUTANTS {
        if LONG.contains(mutation) && !large {
            continue;
        }
        let config = Config {
            writes: 1,
            flights: *flights,
            faults: *faults,
            kinds: kinds.to_vec(),
            busy: *busy,
            mutation: Some(*mutation),
        };
        cases.push(Case {
            name: format!("without: {mutation:?}"),
            config,
            breaks: Some(breaks),
        });
    }
    cases
}

type Mutant = (Mutation, &'static [Fault], u8, u8, u8, &'static str);

/// A mutation; the kinds and the number of faults, the flights, and the busy ticks in
/// which it shows; the promise that it breaks.
const MUTANTS: &[Mutant] = &[
    (Mutation::EpochOutlivesServer, &[Fault::Rollback], 1, 2, 1, FRESH),
    (Mutation::SilenceNoticedLate, &[Fault::Cut], 1, 1, 1, FRESH),
    (Mutation::JoinAnyFlight, &[Fault::Cut], 1, 1, 1, FRESH),
    (Mutation::UnknownCloses, &[], 0, 1, 1, FRESH),
    (Mutation::DebtsDie, &[Fault::Cut], 1, 1, 1, FRESH),
    (Mutation::TrustAtOnce, &[Fault::Cut, Fault::Pause], 2, 2, 0, FRESH),
    (Mutation::SaveAnyway, &[], 0, 1, 1, FRESH),
    (Mutation::GapIgnored, &[Fault::Cut], 1, 1, 1, FRESH),
    (Mutation::OpenForEver, &[Fault::Kill], 1, 1, 1, END),
    (Mutation::OvertakenStays, &[], 0, 2, 1, FORTH),
];

/// Those that take minutes: more than ten million states come before the one that shows.
const LONG: &[Mutation] = &[Mutation::EpochOutlivesServer, Mutation::TrustAtOnce];

/// Checks a case, and returns whether it is as it should be. What it found is never freed.
fn check(case: Case) -> bool {
    let began = Instant::now();
    // One thread takes the shortest way to what has to be found.
    let threads = match case.breaks {
        Some(_) => 1,
        None => std::thread::available_parallelism().map_or(1, |n| n.get()),
    };
    let search = Spec(case.config)
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures);
    let checker = search.spawn_bfs().join();
    let found = checker.discoveries().into_iter().next();
    let broken = found.as_ref().map(|(promise, _)| *promise);
    let good = broken == case.breaks;
    let states = checker.unique_state_count();
    println!(
        "{} {}: {} ({states} states, {:.1} s)",
        if good { "ok  " } else { "FAIL" },
        case.name,
        broken.unwrap_or("all promises hold"),
        began.elapsed().as_secs_f64()
    );
    if !good || std::env::args().any(|a| a == "--paths") {
        for (state, step) in found.into_iter().flat_map(|(_, path)| path.into_vec()) {
            if let Some(step) = step {
                println!("    {:>2}  {step:?}", state.now);
            }
        }
    }
    std::mem::forget(checker);
    good
}

/// Checks one case in this process.
fn check_one(name: &str, large: bool) -> bool {
    match cases(large).into_iter().find(|case| case.name == name) {
        Some(case) => check(case),
        None => keys::check(name, if large { 3 } else { 2 }),
    }
}

/// Checks one case in a process of its own: its millions of states are given back to the
/// system at once when it ends, where freeing them takes longer than finding them.
fn check_apart(name: &str, options: &[&str]) -> bool {
    let program = std::env::current_exe().expect("this program has a path");
    let status = std::process::Command::new(program)
        .args(["--case", name])
        .args(options)
        .status();
    status.is_ok_and(|status| status.success())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let options: Vec<&str> = ["--large", "--paths"]
        .into_iter()
        .filter(|option| args.iter().any(|a| a == option))
        .collect();
    let large = options.contains(&"--large");
    if args.first().is_some_and(|a| a == "--case") {
        std::process::exit(i32::from(!check_one(&args[1], large)));
    }
    let only = args.first().filter(|a| !a.starts_with("--"));
    let names = cases(large).into_iter().map(|case| case.name).chain(keys::names());
    let mut good = true;
    for name in names.filter(|name| only.is_none_or(|only| name.contains(only.as_str()))) {
        good &= check_apart(&name, &options);
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
