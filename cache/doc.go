// Package cache stores responses as bytes under keys, for a lifetime, until a write
// changes what they depend on. It owns keys, lifetimes, generations, entries, the
// stores, the bus between replicas, and the flights and leases of fetches. It
// knows no RPC. RFC 9111 and RFC 5861 define its terms: fresh, stale, age, stored
// response.
//
// # Coherence
//
// An entry depends on [Tags], and a write invalidates tags. Tags are hashed onto
// a fixed number of slots, each of which has a generation. A write opens its tags
// before the call upstream and closes them after it, whatever its outcome. Both
// move the slots to their next generations, and between the two no entry that
// depends on them is served or stored. A read takes a [Snapshot] of the
// generations before it fetches, and its entry is served only while the
// generations are the same. A response that may predate the end of a write is
// therefore never served after that end. The check is made when an entry is
// loaded; the check at Save only saves room.
//
// # Stores
//
//   - [Memory] is bounded by bytes and has generations in the process.
//   - [Redis] is shared by all replicas, and checks generations in one step with
//     a load or a save.
//   - [Tiered] is the one over the other, and the store of a replica. The [Bus]
//     invalidates its memory when other replicas write. Entries live in memory for at
//     most a short cap after the moment as of which the bus was last heard. When the
//     bus is up again, all entries in memory are invalid, because invalidations may
//     have been lost.
//   - [Sealed] encrypts the entries of a store below it.
//
// All keep one contract, that of [Store].
//
// # Guarantees of Tiered
//
//   - A read that begins after the end of a write on the same replica does not see
//     the state before the write.
//   - The same holds on other replicas once the bus has delivered: within
//     milliseconds while it is heard, and within the cap whatever becomes of it.
//   - Without the shared store, a replica serves its own fetches from memory, for
//     at most the cap.
//
// # Forms
//
// A response has [Forms]: the origin, which the fetch gave, and what is made of it. A
// Memory keeps those that somebody asks for, builds each once, and weighs them; the
// origin is packed while nobody asks for it. A shared store has the origin, packed, and
// what it was converted to, for the replicas that would convert it in the same way.
//
// # Epochs
//
// Generations in Redis belong to an epoch, and so do entries. The epoch ends when the
// generations may lack invalidations: another server answers, what it says is older
// than what a replica has seen, or a replica has gone without signing off, which may
// have owed some. Epochs only grow.
//
// # Flights
//
// [Flight] lets concurrent misses of a process share one fetch, and [Across] those
// of all replicas. The caller that begins a flight may look first, on its own goroutine,
// whether the shared store has a response. A caller that came after a write never joins a
// fetch that began before its end, because the generations are part of the key of a
// flight. Where invalidations may be unknown, it does not join one that departed before
// the cap.
//
// # Imports
//
// Of the gateway it imports cache/seal and internal/redisclient and nothing else.
// Its callers are service, which decides what is stored and invalidated,
// cmd/gateway, which makes the stores, and cache/outcome, which uses keys and
// metrics.
package cache
