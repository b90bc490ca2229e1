//! The steps: which may be taken in a state, and what they do.

use crate::faults::{Fault, Mutation};
use crate::model::*;

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    Tick,
    // Writes.
    Open(usize, Id),
    Effect(usize),
    Answer(usize),
    GiveUp(usize),
    EndGrace(usize),
    // Reads.
    Hit(Id),
    Begin(Id),
    Join(Id, usize),
    Look(Id, usize),
    Ask(Id, usize),
    Finish(Id, usize),
    // The work of a replica.
    Deliver(Id),
    Repair(Id),
    Lose(Id),
    Connect(Id),
    // The environment.
    Save,
    Rollback,
    Flush,
    Cut(Id),
    Heal(Id),
    Kill(Id),
    Pause(Id),
    Resume(Id),
}

/// What a step does to a state, under a configuration.
pub struct Rules<'a>(pub &'a Config);

impl Rules<'_> {
    pub fn last_tick(&self) -> u8 {
        self.0.busy + EFFECT + BOUND_OWED + 1
    }

    fn without(&self, m: Mutation) -> bool {
        self.0.mutation == Some(m)
    }

    /// All steps; [`Rules::take`] says which of them are possible.
    pub fn all(&self, s: &State) -> Vec<Step> {
        let mut steps = vec![Step::Tick, Step::Save, Step::Rollback, Step::Flush];
        for w in 0..s.writes.len() {
            steps.extend([Step::Effect(w), Step::Answer(w), Step::GiveUp(w), Step::EndGrace(w)]);
            steps.extend((0..REPLICAS).map(|i| Step::Open(w, i)));
        }
        for i in 0..REPLICAS {
            steps.extend([Step::Hit(i), Step::Begin(i), Step::Deliver(i), Step::Repair(i)]);
            steps.extend([
                Step::Lose(i),
                Step::Connect(i),
                Step::Cut(i),
                Step::Heal(i),
                Step::Kill(i),
                Step::Pause(i),
                Step::Resume(i),
            ]);
            for k in 0..s.replicas[i].flights.len() {
                steps.extend([Step::Join(i, k), Step::Look(i, k), Step::Ask(i, k), Step::Finish(i, k)]);
            }
        }
        steps
    }

    /// The next state; none where the step is not possible, or changes nothing.
    pub fn take(&self, old: &State, step: Step) -> Option<State> {
        if old.broken.is_some() || self.actor(old, step).is_some_and(|i| old.replicas[i].paused) {
            return None;
        }
        let mut s = old.clone();
        let possible = match step {
            Step::Tick => self.tick(&mut s),
            Step::Open(w, i) => self.open(&mut s, w, i),
            Step::Effect(w) => self.effect(&mut s, w),
            Step::Answer(w) => self.answer(&mut s, w),
            Step::GiveUp(w) => self.give_up(&mut s, w),
            Step::EndGrace(w) => self.end_grace(&mut s, w),
            Step::Hit(i) => self.hit(&mut s, i),
            Step::Begin(i) => self.begin(&mut s, i),
            Step::Join(i, k) => self.join(&mut s, i, k),
            Step::Look(i, k) => self.look(&mut s, i, k),
            Step::Ask(i, k) => self.ask(&mut s, i, k),
            Step::Finish(i, k) => self.finish(&mut s, i, k),
            Step::Deliver(i) => self.deliver(&mut s, i),
            Step::Repair(i) => self.repair(&mut s, i),
            Step::Lose(i) => self.lose(&mut s, i),
            Step::Connect(i) => self.connect(&mut s, i),
            Step::Save => self.save(&mut s),
            Step::Rollback | Step::Flush | Step::Cut(_) | Step::Kill(_) | Step::Pause(_) => self.fault(&mut s, step),
            Step::Resume(i) => std::mem::replace(&mut s.replicas[i].paused, false),
            Step::Heal(i) => std::mem::replace(&mut s.replicas[i].cut, false),
        };
        s.normalize();
        (possible && s != *old).then_some(s)
    }

    /// The replica that takes a step; none for those of the environment.
    fn actor(&self, s: &State, step: Step) -> Option<Id> {
        match step {
            Step::Open(_, i) | Step::Hit(i) | Step::Begin(i) | Step::Join(i, _) | Step::Look(i, _) => Some(i),
            Step::Ask(i, _) | Step::Finish(i, _) | Step::Deliver(i) | Step::Repair(i) => Some(i),
            Step::Lose(i) | Step::Connect(i) => Some(i),
            Step::Answer(w) | Step::GiveUp(w) | Step::EndGrace(w) => Some(s.writes[w].by),
            _ => None,
        }
    }

    /// Lets time pass. A replica that is well does its work in each tick.
    fn tick(&self, s: &mut State) -> bool {
        s.now += 1;
        for i in 0..REPLICAS {
            if s.replicas[i].paused {
                continue;
            }
            while self.deliver(s, i) {}
            for w in 0..s.writes.len() {
                if s.writes[w].by == i {
                    self.end_grace(s, w);
                }
            }
            self.repair(s, i);
            self.beat(s, i);
        }
        s.now <= self.last_tick()
    }

    // Writes.

    fn open(&self, s: &mut State, w: usize, i: Id) -> bool {
        let next = s.writes.iter().position(|w| w.phase == Phase::New);
        let first = w == 0 && i > 0; // The replicas are alike.
        if next != Some(w) || first || s.now > self.0.busy {
            return false;
        }
        let open = !self.without(Mutation::NeverOpen);
        s.writes[w] = Write {
            phase: Phase::Open,
            by: i,
            began: s.now,
            open,
            ..s.writes[w].clone()
        };
        if !open {
            return true;
        }
        s.replicas[i].forget();
        if s.reaches(i) {
            s.move_slot(i, 0);
            s.redis.data.open.push((w, s.now + OPEN));
        } else {
            s.replicas[i].owes = true;
        }
        true
    }

    fn effect(&self, s: &mut State, w: usize) -> bool {
        let write = &s.writes[w];
        if write.phase == Phase::New || write.effect > 0 || s.now > write.began + EFFECT {
            return false;
        }
        s.upstream += 1;
        s.writes[w].effect = s.upstream;
        true
    }

    fn answer(&self, s: &mut State, w: usize) -> bool {
        let ready = s.writes[w].phase == Phase::Open && s.writes[w].effect > 0;
        if ready {
            s.writes[w].end = s.now;
            self.close(s, w);
            s.writes[w].phase = Phase::Done;
        }
        ready
    }

    fn give_up(&self, s: &mut State, w: usize) -> bool {
        if s.writes[w].phase != Phase::Open || s.writes[w].effect > 0 {
            return false;
        }
        s.writes[w].phase = Phase::Unknown;
        s.writes[w].end = s.writes[w].began + EFFECT;
        if self.without(Mutation::UnknownCloses) {
            self.close(s, w);
        }
        true
    }

    fn end_grace(&self, s: &mut State, w: usize) -> bool {
        let over = s.writes[w].phase == Phase::Unknown && s.now > s.writes[w].began + EFFECT;
        if over {
            if s.writes[w].bound.is_none() {
                self.close(s, w);
            }
            s.writes[w].phase = Phase::Done;
        }
        over
    }

    fn close(&self, s: &mut State, w: usize) {
        let (i, effect) = (s.writes[w].by, s.writes[w].effect);
        s.writes[w].open = false;
        let r = &mut s.replicas[i];
        r.forget();
        r.floor = r.floor.max(effect);
        if s.reaches(i) {
            s.redis.data.open.retain(|(other, _)| *other != w);
            s.move_slot(i, effect);
            s.replicas[i].owes = false;
            // What a caller was told of an unknown outcome holds for a paused replica too.
            s.writes[w].bound = Some(if s.writes[w].phase == Phase::Unknown {
                BOUND_OWED
            } else {
                BOUND
            });
        } else {
            s.replicas[i].owes = true;
            s.writes[w].bound = self.bound_owed(s, i);
        }
    }

    /// The bound for what a replica owes: none, where Redis does not know of the replica.
    fn bound_owed(&self, s: &State, i: Id) -> Option<u8> {
        let process = s.replicas[i].process;
        s.redis.data.members.iter().any(|(p, _)| *p == process).then_some(BOUND_OWED)
    }

    // Reads.

    fn valid(&self, s: &State, i: Id) -> Option<u8> {
        let r = &s.replicas[i];
        let entry = r.entry.as_ref()?;
        let alive = match entry.until {
            Some(until) => s.now <= until,
            None => self.without(Mutation::SilenceNoticedLate) || s.now <= r.heard + TOLERANCE + CAP,
        };
        (alive && !s.writing(i)).then_some(entry.value)
    }

    fn joinable(&self, s: &State, i: Id, f: &Flight) -> bool {
        if self.without(Mutation::JoinAnyFlight) {
            return f.current;
        }
        let isolated = !s.informed(i);
        f.current && f.isolated == isolated && (!isolated || s.now <= f.began + CAP)
    }

    fn hit(&self, s: &mut State, i: Id) -> bool {
        let Some(value) = self.valid(s, i) else { return false };
        let (floor, returned) = (s.promised(i), s.replicas[i].returned);
        s.return_value(i, value, floor, returned);
        true
    }

    fn begin(&self, s: &mut State, i: Id) -> bool {
        let r = &s.replicas[i];
        let joins = r.flights.iter().any(|f| self.joinable(s, i, f));
        if s.flights_left == 0
            || s.now > self.0.busy + EFFECT + BOUND_OWED
            || joins
            || r.flights.len() > 1
            || self.valid(s, i).is_some()
        {
            return false;
        }
        s.flights_left -= 1;
        let flight = Flight {
            stage: Stage::Begun,
            began: s.now,
            current: true,
            isolated: !s.informed(i),
            floor: s.promised(i),
            returned: r.returned,
        };
        s.replicas[i].flights.push(flight);
        true
    }

    fn join(&self, s: &mut State, i: Id, k: usize) -> bool {
        if self.valid(s, i).is_some() || !self.joinable(s, i, &s.replicas[i].flights[k]) {
            return false;
        }
        let (floor, returned) = (s.promised(i), s.replicas[i].returned);
        let f = &mut s.replicas[i].flights[k];
        f.floor = f.floor.max(floor);
        f.returned = f.returned.max(returned);
        true
    }

    /// Looks into Redis, and notes its generation where it has no answer.
    fn look(&self, s: &mut State, i: Id, k: usize) -> bool {
        if s.replicas[i].flights[k].stage != Stage::Begun {
            return false;
        }
        s.replicas[i].flights[k].stage = self.looked(s, i);
        true
    }

    fn looked(&self, s: &mut State, i: Id) -> Stage {
        let writing = s.writing(i);
        if !s.reaches(i) || !(s.informed(i) || self.without(Mutation::TrustAtOnce)) {
            return Stage::Asking { shared: None, writing };
        }
        s.need_epoch();
        if s.replicas[i].owes || writing || s.open_in_redis() {
            return Stage::Asking {
                shared: None,
                writing: true,
            };
        }
        let (data, seen) = (&s.redis.data, s.replicas[i].seen);
        if seen.0 == data.epoch && data.generation < seen.1 {
            s.replicas[i].owes = true; // Redis went back.
            return Stage::Asking {
                shared: None,
                writing: true,
            };
        }
        let at = (data.epoch, data.generation);
        let found = data.entry.as_ref().filter(|e| (e.epoch, e.generation) == at).map(|e| e.value);
        s.replicas[i].seen = at;
        match found {
            Some(value) => Stage::Answered {
                shared: Some(at),
                writing: false,
                value,
                from_redis: true,
            },
            None => Stage::Asking {
                shared: Some(at),
                writing: false,
            },
        }
    }

    fn ask(&self, s: &mut State, i: Id, k: usize) -> bool {
        let value = s.upstream;
        let f = &mut s.replicas[i].flights[k];
        let Stage::Asking { shared, writing } = f.stage else {
            return false;
        };
        f.stage = Stage::Answered {
            shared,
            writing,
            value,
            from_redis: false,
        };
        true
    }

    fn finish(&self, s: &mut State, i: Id, k: usize) -> bool {
        let Stage::Answered {
            shared,
            writing,
            value,
            from_redis,
        } = s.replicas[i].flights[k].stage
        else {
            return false;
        };
        let f = s.replicas[i].flights.remove(k);
        let kept = match shared {
            _ if from_redis => self.keep(s, i, &f, value, None),
            _ if writing => false,
            Some(at) if s.reaches(i) => self.share(s, i, &f, value, at) && self.keep(s, i, &f, value, None),
            _ => self.keep(s, i, &f, value, Some(f.began + CAP)),
        };
        s.return_value(i, value, f.floor, f.returned);
        if !self.without(Mutation::OvertakenStays) {
            // Those under way may have asked before this one did.
            for other in &mut s.replicas[i].flights {
                other.current = false;
            }
            if !kept && !from_redis {
                s.replicas[i].entry = None; // It may have been asked for before.
            }
        }
        true
    }

    /// Stores in Redis, where nothing was invalidated since.
    fn share(&self, s: &mut State, i: Id, f: &Flight, value: u8, at: (u8, u8)) -> bool {
        let anyway = self.without(Mutation::SaveAnyway);
        let open = s.open_in_redis();
        let owes = s.replicas[i].owes;
        let data = &mut s.redis.data;
        let now = (data.epoch, data.generation);
        if !anyway && (now != at || open || owes) {
            return false;
        }
        let newer = data
            .entry
            .as_ref()
            .is_some_and(|e| (e.epoch, e.generation) == now && e.began > f.began);
        if !newer {
            data.entry = Some(SharedEntry {
                value,
                epoch: now.0,
                generation: now.1,
                began: f.began,
            });
        }
        true
    }

    /// Stores in memory, where nothing was invalidated since.
    fn keep(&self, s: &mut State, i: Id, f: &Flight, value: u8, until: Option<u8>) -> bool {
        let anyway = self.without(Mutation::SaveAnyway);
        let writing = s.writing(i);
        let r = &mut s.replicas[i];
        let newer = r.entry.as_ref().is_some_and(|e| e.began > f.began);
        let keep = anyway || f.current && !writing && !newer;
        if keep {
            r.entry = Some(Entry {
                value,
                began: f.began,
                until,
            });
        }
        keep
    }

    // The work of a replica.

    fn deliver(&self, s: &mut State, i: Id) -> bool {
        let r = &mut s.replicas[i];
        if r.cut || r.bus.is_empty() {
            return false;
        }
        match r.bus.remove(0) {
            Message::Moved {
                epoch,
                generation,
                effect,
            } => {
                r.seen = if r.seen.0 == epoch {
                    (epoch, r.seen.1.max(generation))
                } else {
                    (epoch, generation)
                };
                r.floor = r.floor.max(effect);
            }
            Message::Renewed { epoch } => r.seen = (epoch, 0),
        }
        r.forget();
        true
    }

    /// Hears the bus, renews the lease, and looks for replicas that are missing.
    fn beat(&self, s: &mut State, i: Id) -> bool {
        if !s.reaches(i) || !s.replicas[i].bus.is_empty() || s.replicas[i].owes {
            return false;
        }
        s.replicas[i].heard = s.now;
        let (process, now) = (s.replicas[i].process, s.now);
        let members = &mut s.redis.data.members;
        let known = members.len();
        members.retain(|(p, end)| *p == process || *end >= now);
        let missing = members.len() < known;
        members.retain(|(p, _)| *p != process);
        members.push((process, now + LEASE));
        members.sort_unstable();
        if missing && !self.without(Mutation::DebtsDie) {
            s.renew_epoch(i);
        }
        true
    }

    fn repair(&self, s: &mut State, i: Id) -> bool {
        if !s.reaches(i) || !s.replicas[i].owes {
            return false;
        }
        let effect = s.replicas[i].floor;
        s.move_slot(i, effect);
        for (w, write) in s.writes.iter().enumerate() {
            if write.open && write.by == i && !s.redis.data.open.iter().any(|(other, _)| *other == w) {
                s.redis.data.open.push((w, s.now + OPEN));
            }
        }
        s.replicas[i].owes = false;
        true
    }

    /// Notices that a connection is lost.
    fn lose(&self, s: &mut State, i: Id) -> bool {
        let lost = s.replicas[i].connected && s.replicas[i].cut;
        if lost {
            s.replicas[i].connected = false;
            s.replicas[i].bus.clear();
        }
        lost
    }

    fn connect(&self, s: &mut State, i: Id) -> bool {
        if s.replicas[i].connected || s.replicas[i].cut {
            return false;
        }
        s.replicas[i].connected = true;
        if !self.without(Mutation::GapIgnored) {
            s.replicas[i].forget();
        }
        if s.redis.data.run != s.redis.run && !self.without(Mutation::EpochOutlivesServer) {
            s.redis.data.run = s.redis.run;
            s.renew_epoch(i);
        }
        true
    }

    // The environment.

    fn save(&self, s: &mut State) -> bool {
        if s.saved.is_some() || !self.0.kinds.contains(&Fault::Rollback) || s.faults_left == 0 {
            return false;
        }
        s.saved = Some(s.redis.data.clone());
        true
    }

    fn fault(&self, s: &mut State, step: Step) -> bool {
        let kind = match step {
            Step::Rollback => Fault::Rollback,
            Step::Flush => Fault::Flush,
            Step::Cut(_) => Fault::Cut,
            Step::Pause(_) => Fault::Pause,
            _ => Fault::Kill,
        };
        if s.faults_left == 0 || s.now > self.0.busy || !self.0.kinds.contains(&kind) {
            return false;
        }
        s.faults_left -= 1;
        match step {
            Step::Rollback => {
                let Some(saved) = s.saved.clone() else { return false };
                s.redis.data = saved;
                s.redis.run += 1;
                for r in &mut s.replicas {
                    r.connected = false;
                    r.bus.clear();
                }
            }
            Step::Flush => s.redis.data = Data::default(),
            Step::Cut(i) => s.replicas[i].cut = true,
            Step::Pause(i) => s.replicas[i].paused = true,
            Step::Kill(i) => self.kill(s, i),
            _ => return false,
        }
        true
    }

    fn kill(&self, s: &mut State, i: Id) {
        let bound = self.bound_owed(s, i);
        for w in 0..s.writes.len() {
            let write = &mut s.writes[w];
            if write.by == i && matches!(write.phase, Phase::Open | Phase::Unknown) {
                write.phase = Phase::Orphan;
                write.open = false;
                write.end = s.now.max(write.began + EFFECT);
                write.bound = write.bound.or(bound);
                if self.without(Mutation::OpenForEver) {
                    for (other, end) in &mut s.redis.data.open {
                        if *other == w {
                            *end = u8::MAX;
                        }
                    }
                }
            }
        }
        s.replicas[i] = Replica::new(s.next_process);
        s.next_process += 1;
    }
}
