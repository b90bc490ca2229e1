// Package fleet asks all replicas of a gateway a question, and says which of them did not
// answer: what each of them knows is in its memory, and an operator wants it of all.
//
// It owns
//
//   - membership: who the replicas are ([Fleet.Run] announces this one, each second);
//   - questions and answers ([Fleet.Ask], [Fleet.Handle]), as bytes of a kind that the
//     caller of the package chooses.
//
// Redis carries both; replicas need no way to each other. A question and its answers are
// keys that live for some seconds, in the database of the gateway. The channel has the
// news of them and nothing else, because Redis' channels reach all of its databases. With
// a sealer, question and answers are encrypted and authenticated; without one, whoever
// can write to Redis can ask, and make up answers.
//
// Everything is bounded: a question, an answer, the answers to a question, members, the
// questions that wait here, and their rate. What is beyond a bound is not answered, and
// the asker names this replica as one that is missing. An incomplete answer is never
// returned as a whole one.
//
// Without Redis the fleet is this process. Of the gateway it imports cache/seal and
// internal/redisclient. Its callers are the services of package service that answer for
// all replicas, and cmd/gateway, which makes it.
package fleet
