//! Keyed writes: one key, attempts through any replicas, and the claim in Redis. See
//! docs/idempotency.md for the words.

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Property};

/// How many attempts there are: the first, one beside it, and one that comes later.
const ATTEMPTS: usize = 3;
/// A claim is good for so long; an attempt may send its request for a shorter time.
const LEASE: u8 = 2;
const DEADLINE: u8 = 1;
/// The last tick, behind the end of every lease.
const LAST: u8 = 5;

pub const ONCE: &str = "a key has one effect, unless Redis has lost its state";
pub const TRUE: &str = "what a caller is told of a keyed write is so";
pub const OUTCOME: &str = "in the end a key is free, or has an outcome";

/// A rule that is left out.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Mutation {
    /// A write is made without a claim.
    NoClaim,
    /// A claim whose lease is over can be taken.
    LapsedIsFree,
    /// The key is free again after an answer that was lost.
    UnknownReleases,
    /// A replica gives back a claim that is not its own.
    ReleaseAny,
    /// A lost answer counts as a write that was not made.
    LostIsNotMade,
    /// A reply of Redis that is lost counts as a claim that was not made, and frees the key.
    UnclaimedReleases,
    /// A claim ends with its process, and not with its lease.
    ClaimForEver,
}

/// What is known of a write.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Outcome {
    Made,
    NotMade,
    Unknown,
    /// Another attempt is under way, or Redis does not answer: nothing was sent.
    NotTried,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Phase {
    New,
    /// It may send until a tick.
    Claimed(u8),
    Sent,
    Answered(Outcome),
    Told(Outcome),
    /// Its replica was killed.
    Gone,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Record {
    /// Claimed by an attempt until a tick.
    Running(usize, u8),
    Done(usize, Outcome),
    Lost,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct State {
    now: u8,
    redis: Option<Record>,
    phases: [Phase; ATTEMPTS],
    /// Requests that may still take effect, and those that did.
    underway: [bool; ATTEMPTS],
    landed: [bool; ATTEMPTS],
    forgot: bool,
    faults_left: u8,
}

/// A step; of the attempt, where there is one.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    Tick,
    Begin(usize),
    /// The claim is made, and its reply is lost.
    BeginUnheard(usize),
    Send(usize),
    Land(usize),
    Refuse(usize),
    Answer(usize),
    LoseAnswer(usize),
    /// The outcome is stored, or the claim given back, and the caller is told.
    Finish(usize),
    /// The same, without Redis.
    FinishAlone(usize),
    /// What was given back is given back again, because the reply was lost.
    ReleaseAgain(usize),
    Kill(usize),
    Forget,
}

pub struct Keys {
    mutation: Option<Mutation>,
    faults: u8,
}

impl Keys {
    fn without(&self, m: Mutation) -> bool {
        self.mutation == Some(m)
    }

    fn release(&self, s: &mut State, i: usize) {
        if let Some(Record::Running(owner, _)) = s.redis {
            if owner == i || self.without(Mutation::ReleaseAny) {
                s.redis = None;
            }
        }
    }

    /// The claim of an attempt, as the script in Redis makes it. It returns what the attempt
    /// is told, or nothing where the claim is its own.
    fn claim(&self, s: &mut State, i: usize) -> Option<Outcome> {
        match s.redis {
            _ if self.without(Mutation::NoClaim) => None,
            None => {
                s.redis = Some(Record::Running(i, s.now + LEASE));
                None
            }
            Some(Record::Running(_, until)) if until <= s.now && !self.without(Mutation::ClaimForEver) => {
                if self.without(Mutation::LapsedIsFree) {
                    s.redis = Some(Record::Running(i, s.now + LEASE));
                    return None;
                }
                s.redis = Some(Record::Lost);
                Some(Outcome::Unknown)
            }
            Some(Record::Running(..)) => Some(Outcome::NotTried),
            Some(Record::Done(_, outcome)) => Some(outcome),
            Some(Record::Lost) => Some(Outcome::Unknown),
        }
    }

    fn finish(&self, s: &mut State, i: usize, outcome: Outcome) {
        let free = outcome == Outcome::NotMade || outcome == Outcome::Unknown && self.without(Mutation::UnknownReleases);
        if free {
            return self.release(s, i);
        }
        let own = match s.redis {
            None => true, // Redis has lost it meanwhile.
            Some(Record::Running(owner, _) | Record::Done(owner, _)) => owner == i,
            Some(Record::Lost) => false,
        };
        if own {
            s.redis = Some(Record::Done(i, outcome));
        }
    }
}

impl Model for Keys {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 0,
            redis: None,
            phases: [Phase::New; ATTEMPTS],
            underway: [false; ATTEMPTS],
            landed: [false; ATTEMPTS],
            forgot: false,
            faults_left: self.faults,
        }]
    }

    fn actions(&self, _: &State, steps: &mut Vec<Step>) {
        steps.extend([Step::Tick, Step::Forget]);
        for i in 0..ATTEMPTS {
            steps.extend([
                Step::Begin(i),
                Step::BeginUnheard(i),
                Step::Send(i),
                Step::Land(i),
                Step::Refuse(i),
                Step::Answer(i),
                Step::LoseAnswer(i),
                Step::Finish(i),
                Step::FinishAlone(i),
                Step::ReleaseAgain(i),
                Step::Kill(i),
            ]);
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut s = before.clone();
        match step {
            Step::BeginUnheard(_) | Step::FinishAlone(_) | Step::ReleaseAgain(_) | Step::Kill(_) | Step::Forget => {
                s.faults_left = s.faults_left.checked_sub(1)?;
            }
            _ => {}
        }
        match step {
            Step::Tick => {
                s.now += 1;
                (s.now <= LAST).then_some(())?;
            }
            Step::Begin(i) => {
                // Each lease ends before the last tick.
                (s.phases[i] == Phase::New && s.now + LEASE <= LAST).then_some(())?;
                s.phases[i] = match self.claim(&mut s, i) {
                    None => Phase::Claimed(s.now + DEADLINE),
                    Some(outcome) => Phase::Told(outcome),
                };
            }
            Step::BeginUnheard(i) => {
                (s.phases[i] == Phase::New && s.now + LEASE <= LAST).then_some(())?;
                self.claim(&mut s, i);
                if self.without(Mutation::UnclaimedReleases) {
                    s.redis = None;
                }
                s.phases[i] = Phase::Told(Outcome::NotTried);
            }
            Step::Send(i) => match s.phases[i] {
                Phase::Claimed(until) if s.now <= until => {
                    s.phases[i] = Phase::Sent;
                    s.underway[i] = true;
                }
                Phase::Claimed(_) => s.phases[i] = Phase::Answered(Outcome::NotMade),
                _ => return None,
            },
            Step::Land(i) => {
                s.underway[i].then_some(())?;
                s.underway[i] = false;
                s.landed[i] = true;
            }
            Step::Refuse(i) => {
                (s.phases[i] == Phase::Sent && s.underway[i]).then_some(())?;
                s.underway[i] = false;
                s.phases[i] = Phase::Answered(Outcome::NotMade);
            }
            Step::Answer(i) => {
                (s.phases[i] == Phase::Sent && s.landed[i]).then_some(())?;
                s.phases[i] = Phase::Answered(Outcome::Made);
            }
            Step::LoseAnswer(i) => {
                (s.phases[i] == Phase::Sent).then_some(())?;
                let lost = if self.without(Mutation::LostIsNotMade) {
                    Outcome::NotMade
                } else {
                    Outcome::Unknown
                };
                s.phases[i] = Phase::Answered(lost);
            }
            Step::Finish(i) | Step::FinishAlone(i) => {
                let Phase::Answered(outcome) = s.phases[i] else {
                    return None;
                };
                if matches!(step, Step::Finish(_)) {
                    self.finish(&mut s, i, outcome);
                }
                s.phases[i] = Phase::Told(outcome);
            }
            Step::ReleaseAgain(i) => {
                (s.phases[i] == Phase::Told(Outcome::NotMade)).then_some(())?;
                self.release(&mut s, i);
            }
            Step::Kill(i) => {
                (!matches!(s.phases[i], Phase::New | Phase::Told(_) | Phase::Gone)).then_some(())?;
                s.phases[i] = Phase::Gone;
            }
            Step::Forget => {
                s.redis = None;
                s.forgot = true;
            }
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, s: &State| s.forgot || s.landed.iter().filter(|&&l| l).count() <= 1),
            Property::always(TRUE, |_, s: &State| {
                (0..ATTEMPTS).all(|i| match s.phases[i] {
                    Phase::Told(Outcome::Made) => s.landed.contains(&true),
                    Phase::Told(Outcome::NotMade | Outcome::NotTried) => !s.landed[i] && !s.underway[i],
                    _ => true,
                })
            }),
            Property::always(OUTCOME, |keys: &Keys, s: &State| {
                // Another attempt would not find one under way.
                let mut next = s.clone();
                s.now < LAST || keys.claim(&mut next, ATTEMPTS) != Some(Outcome::NotTried)
            }),
        ]
    }
}

/// A mutation; the number of faults in which it shows; the promise that it breaks.
const MUTANTS: &[(Mutation, u8, &str)] = &[
    (Mutation::NoClaim, 0, ONCE),
    (Mutation::LapsedIsFree, 1, ONCE),
    (Mutation::UnknownReleases, 0, ONCE),
    (Mutation::ReleaseAny, 1, ONCE),
    (Mutation::LostIsNotMade, 0, TRUE),
    (Mutation::UnclaimedReleases, 1, ONCE),
    (Mutation::ClaimForEver, 1, OUTCOME),
];

const SOUND: &str = "keyed writes";

fn without(mutation: Mutation) -> String {
    format!("{SOUND} without: {mutation:?}")
}

/// The names of the cases: the design, and what it is without each rule.
pub fn names() -> impl Iterator<Item = String> {
    std::iter::once(SOUND.to_string()).chain(MUTANTS.iter().map(|(mutation, ..)| without(*mutation)))
}

/// Checks a case, and returns whether it is as it should be.
pub fn check(name: &str, faults: u8) -> bool {
    let mutant = MUTANTS.iter().find(|(mutation, ..)| without(*mutation) == name);
    let (keys, breaks) = match mutant {
        Some((mutation, faults, breaks)) => {
            let keys = Keys {
                mutation: Some(*mutation),
                faults: *faults,
            };
            (keys, Some(*breaks))
        }
        None if name == SOUND => (Keys { mutation: None, faults }, None),
        None => return false,
    };
    let began = Instant::now();
    let checker = keys
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let found = checker.discoveries().into_iter().next();
    let broken = found.as_ref().map(|(promise, _)| *promise);
    let good = broken == breaks;
    println!(
        "{} {name}: {} ({} states, {:.1} s)",
        if good { "ok  " } else { "FAIL" },
        broken.unwrap_or("all promises hold"),
        checker.unique_state_count(),
        began.elapsed().as_secs_f64()
    );
    if !good || std::env::args().any(|a| a == "--paths") {
        for (state, step) in found.into_iter().flat_map(|(_, path)| path.into_vec()) {
            if let Some(step) = step {
                println!("    {:>2}  {step:?}", state.now);
            }
        }
    }
    good
}
