//! The state of replicas, Redis and upstream, and the steps between states.
//!
//! One slot of generations, one stored response, one number at the upstream: it counts the
//! writes that took effect. Time is in ticks; within a tick steps come in any order.

use crate::faults::{Fault, Mutation};

/// The sizes and times of a model, in ticks.
#[derive(Clone, Debug)]
pub struct Config {
    /// Writes in all.
    pub writes: usize,
    /// Flights that may begin, in all.
    pub flights: u8,
    /// Faults that may happen, of these kinds.
    pub faults: u8,
    pub kinds: Vec<Fault>,
    /// The last tick in which a write, a flight or a fault begins.
    pub busy: u8,
    /// What is taken out of the design.
    pub mutation: Option<Mutation>,
}

/// The replicas.
pub const REPLICAS: usize = 2;
/// How long a bus may be silent before a replica takes itself for cut off.
pub const TOLERANCE: u8 = 0;
/// How long an entry lives in the memory of a replica that is cut off.
pub const CAP: u8 = 1;
/// How long a replica that does not renew counts as alive.
pub const LEASE: u8 = 1;
/// The latest time after the beginning of a write at which it can take effect: the
/// attempt's own time, and the grace.
pub const EFFECT: u8 = 1;
/// How long a write is open in Redis that is never closed.
pub const OPEN: u8 = EFFECT + 1;
/// The announced bound for a write whose end reached Redis.
pub const BOUND: u8 = TOLERANCE + CAP;
/// The announced bound for a write whose end did not.
pub const BOUND_OWED: u8 = LEASE + TOLERANCE + CAP;

/// The promises that a read can break.
pub const FRESH: &str = "a read is not older than announced";
pub const FORTH: &str = "no reader goes back";
/// What holds when everything is over.
pub const END: &str = "in the end nothing is owed, and answers are stored";

pub type Id = usize;

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct State {
    pub now: u8,
    /// The number of writes that took effect.
    pub upstream: u8,
    pub writes: Vec<Write>,
    pub redis: Redis,
    /// What Redis comes back with after a crash.
    pub saved: Option<Data>,
    pub replicas: [Replica; REPLICAS],
    pub flights_left: u8,
    pub faults_left: u8,
    /// The next epoch that nobody had.
    pub next_epoch: u8,
    /// The next process.
    pub next_process: u8,
    /// The first promise that was broken.
    pub broken: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Phase {
    New,
    /// The tags are open, and the request is sent.
    Open,
    /// The caller was told that the outcome is unknown.
    Unknown,
    /// Its replica was killed. What was owed of it is lost.
    Orphan,
    /// The tags are closed.
    Done,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Write {
    pub phase: Phase,
    pub by: Id,
    pub began: u8,
    /// Whether the memory of its replica has the tags open.
    pub open: bool,
    /// Its place among the effects; 0: none yet.
    pub effect: u8,
    /// From when on, and within which bound, readers may rely on it.
    pub end: u8,
    pub bound: Option<u8>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Redis {
    pub run: u8,
    pub data: Data,
}

/// The data of Redis, which a crash can take back to an earlier state.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub struct Data {
    /// The run of the server that last confirmed the epoch.
    pub run: u8,
    /// 0: none, as in an empty Redis.
    pub epoch: u8,
    pub generation: u8,
    /// Open writes, with the end of their leases.
    pub open: Vec<(usize, u8)>,
    pub entry: Option<SharedEntry>,
    /// The processes that have not signed off, with the ends of their leases.
    pub members: Vec<(u8, u8)>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct SharedEntry {
    pub value: u8,
    pub epoch: u8,
    pub generation: u8,
    pub began: u8,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Message {
    /// The slot moved to a generation; the closed write, with its effect, or 0.
    Moved { epoch: u8, generation: u8, effect: u8 },
    /// All entries are invalid.
    Renewed { epoch: u8 },
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Replica {
    /// The process; another one after a kill.
    pub process: u8,
    /// Commands and the bus have a connection. A cut one has it too, until it notices.
    pub connected: bool,
    pub cut: bool,
    pub paused: bool,
    /// Messages of the bus on their way.
    pub bus: Vec<Message>,
    /// When the bus was last heard, with nothing left on its way.
    pub heard: u8,
    /// The highest generation of Redis that it saw, and in which epoch.
    pub seen: (u8, u8),
    pub entry: Option<Entry>,
    pub flights: Vec<Flight>,
    /// An invalidation has not reached Redis.
    pub owes: bool,
    /// What its readers may rely on: writes of its own, and those it heard of.
    pub floor: u8,
    /// The newest value that it returned.
    pub returned: u8,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Entry {
    pub value: u8,
    pub began: u8,
    /// The last tick in which it is served, where Redis did not confirm it.
    pub until: Option<u8>,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Stage {
    /// The generation of the memory is noted.
    Begun,
    /// Redis had nothing; its epoch and generation are noted, where it answered.
    Asking { shared: Option<(u8, u8)>, writing: bool },
    /// There is a value, of the upstream or of Redis.
    Answered {
        shared: Option<(u8, u8)>,
        writing: bool,
        value: u8,
        from_redis: bool,
    },
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Flight {
    pub stage: Stage,
    pub began: u8,
    /// Whether the slot is at the generation at which it began.
    pub current: bool,
    /// Whether it began while the replica was cut off.
    pub isolated: bool,
    /// What the callers that wait for it may rely on.
    pub floor: u8,
    pub returned: u8,
}

impl Replica {
    pub fn new(process: u8) -> Self {
        Replica {
            process,
            connected: false,
            cut: false,
            paused: false,
            bus: vec![],
            heard: 0,
            seen: (0, 0),
            entry: None,
            flights: vec![],
            owes: false,
            floor: 0,
            returned: 0,
        }
    }

    /// Moves the slot in memory to its next generation: nothing is valid that was
    /// stored or fetched before.
    pub fn forget(&mut self) {
        self.entry = None;
        for f in &mut self.flights {
            f.current = false;
        }
    }
}

impl State {
    /// Makes equal what no step can tell apart.
    pub fn normalize(&mut self) {
        let now = self.now;
        let (open, data) = (self.open_in_redis(), &mut self.redis.data);
        data.open.retain(|(_, end)| now <= *end);
        if open
            || data
                .entry
                .as_ref()
                .is_some_and(|e| (e.epoch, e.generation) != (data.epoch, data.generation))
        {
            data.entry = None; // The open moved the generation; so will the close.
        }
        let idle = self.flights_left == 0 && self.replicas.iter().all(|r| r.flights.is_empty());
        if idle {
            data.entry.iter_mut().for_each(|e| e.began = 0);
        }
        if self.faults_left == 0 {
            self.saved = None;
        }
        for r in &mut self.replicas {
            r.heard = r.heard.max(now.saturating_sub(TOLERANCE + CAP + 1));
            if idle {
                r.entry.iter_mut().for_each(|e| e.began = 0); // It only tells which fetch is newer.
            }
            for f in &mut r.flights {
                f.began = f.began.max(now.saturating_sub(CAP + 1));
            }
            r.entry.take_if(|e| e.until.is_some_and(|until| now > until));
        }
    }

    pub fn reaches(&self, i: Id) -> bool {
        let r = &self.replicas[i];
        r.connected && !r.cut
    }

    /// Whether the replica knows of all that happened until a moment ago.
    pub fn informed(&self, i: Id) -> bool {
        let r = &self.replicas[i];
        r.connected && self.now - r.heard <= TOLERANCE
    }

    /// Whether a write of this replica is open.
    pub fn writing(&self, i: Id) -> bool {
        self.writes.iter().any(|w| w.open && w.by == i)
    }

    /// What a read that begins now at replica i may rely on.
    pub fn promised(&self, i: Id) -> u8 {
        let due = self
            .writes
            .iter()
            .filter(|w| w.bound.is_some_and(|bound| self.now > w.end + bound));
        due.map(|w| w.effect).max().unwrap_or(0).max(self.replicas[i].floor)
    }

    /// A read of replica i returns a value.
    pub fn return_value(&mut self, i: Id, value: u8, floor: u8, returned: u8) {
        if value < floor {
            self.broken.get_or_insert(FRESH);
        }
        if value < returned {
            self.broken.get_or_insert(FORTH);
        }
        let r = &mut self.replicas[i];
        r.returned = r.returned.max(value);
    }

    /// Every other replica that is subscribed gets the message.
    pub fn publish(&mut self, from: Id, message: Message) {
        for (i, r) in self.replicas.iter_mut().enumerate() {
            if i != from && r.connected {
                r.bus.push(message);
            }
        }
    }

    /// All entries of Redis and of every memory are invalid.
    pub fn renew_epoch(&mut self, by: Id) {
        self.redis.data.epoch = self.next_epoch;
        self.next_epoch += 1;
        let epoch = self.redis.data.epoch;
        self.publish(by, Message::Renewed { epoch });
        self.replicas[by].forget();
    }

    pub fn need_epoch(&mut self) {
        if self.redis.data.epoch == 0 {
            self.redis.data.run = self.redis.run;
            self.redis.data.epoch = self.next_epoch;
            self.next_epoch += 1;
        }
    }

    /// Moves the slot in Redis to its next generation.
    pub fn move_slot(&mut self, by: Id, effect: u8) {
        self.need_epoch();
        let seen = self.replicas[by].seen;
        let data = &mut self.redis.data;
        let known = if seen.0 == data.epoch { seen.1 } else { 0 };
        data.generation = data.generation.max(known) + 1;
        let (epoch, generation) = (data.epoch, data.generation);
        self.replicas[by].seen = (epoch, generation);
        self.publish(
            by,
            Message::Moved {
                epoch,
                generation,
                effect,
            },
        );
    }

    pub fn open_in_redis(&self) -> bool {
        self.redis.data.open.iter().any(|(_, end)| self.now <= *end)
    }
}
