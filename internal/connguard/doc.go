// Package connguard admits the connections of a door: it says which have a place,
// and which lose theirs to others. Both doors have one [Listener] each.
//
// A connection is anonymous until a call on it was authenticated. Anonymous ones
// have half of the places at most, and no claim to them: a new connection takes the
// place of the oldest one of the network that has the most. Requests without a
// credential, health watches among them, change nothing of that. Connections of
// authenticated callers have places of their own, and lose them only while no
// authenticated call is under way on them.
//
// A server needs no more than to tell a [Conn] of its requests. One that begins
// requests while others are under way asks before it reads them: an anonymous client
// gets ahead of its answers by a few.
package connguard
