//! What can go wrong, and what can be taken out of the design.

/// A fault of the environment.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Fault {
    /// Redis crashes, and comes back with what it had saved.
    Rollback,
    /// Redis is emptied.
    Flush,
    /// One replica does not reach Redis, until it does again.
    Cut,
    /// A replica is killed; another one starts in its place.
    Kill,
    /// A replica does nothing, until it goes on.
    Pause,
}

impl Fault {
    pub const ALL: [Fault; 5] = [Fault::Rollback, Fault::Flush, Fault::Cut, Fault::Kill, Fault::Pause];
}

/// A rule that is left out, to see that the checker misses it.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Mutation {
    /// A Redis that is another one keeps its epoch.
    EpochOutlivesServer,
    /// The life in memory counts from when the silence was noticed.
    SilenceNoticedLate,
    /// A flight can be joined however long ago it began.
    JoinAnyFlight,
    /// The tags close when the outcome is unknown.
    UnknownCloses,
    /// A replica that ends without signing off is not missed.
    DebtsDie,
    /// A replica trusts Redis before it has looked for missing ones.
    TrustAtOnce,
    /// An answer is stored whatever the generations are.
    SaveAnyway,
    /// The tags are closed after a write, and were not opened before it.
    NeverOpen,
    /// Nothing is invalidated when the bus is back.
    GapIgnored,
    /// A killed write stays open.
    OpenForEver,
    /// A fetch that another one overtook can be joined, and is stored.
    OvertakenStays,
}
