// Package cache keeps answers as bytes under keys, for a life, as long as nothing
// was written that they depend on. It knows no RPC.
//
// # Coherence
//
// An answer depends on [Tags], and a write makes tags stale. Tags are hashed onto
// a fixed number of slots, each of which has a generation. A write opens its
// tags before the upstream is called and closes them after, whatever came of it;
// both move their slots to the next generation, and between the two nothing that
// depends on them is served or stored. A read takes a [Snapshot] of the
// generations before it fetches, and its answer is served only while they are
// still the same. What a read that began before the end of a write may have seen
// is therefore never served after it. This is decided when an entry is loaded;
// that saving is refused too only spares the room.
//
// # Stores
//
//   - [Memory] is bounded by bytes and has generations of its own.
//   - Redis is shared by all replicas, and checks generations in one step with
//     what it loads or stores.
//   - [Tiered] is the one over the other, and what a replica uses. Its memory
//     learns through the [Bus] what other replicas write. While the bus is down,
//     an entry lives in memory for no longer than a short cap; when it is back,
//     everything in memory is taken for stale, because anything may have been
//     missed.
//   - [Sealed] encrypts what a store below it is given.
//
// All keep one contract, that of [Store].
//
// # What Tiered guarantees
//
//   - A read that begins after a write was closed on the same replica does not
//     see what was before it.
//   - On other replicas, neither, once the bus has delivered: in milliseconds
//     while it is up, and after the cap if it is not.
//   - Without the shared store each replica serves from memory what it fetched
//     itself, for no longer than the cap.
//
// # Flights
//
// [Flight] lets concurrent misses of a process share one fetch, and [Across]
// those of all replicas. A caller who came after a write never joins a fetch that
// began before its end, because the generations are part of what a flight is for.
package cache
