package fleet

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

const (
	// MaxQuestion is the longest question in bytes.
	MaxQuestion = 64 << 10
	// MaxAnswer is the longest answer of one replica in bytes.
	MaxAnswer = 256 << 10
	// MaxMembers is the number of replicas that a fleet may have.
	MaxMembers = 128

	// maxAnswers bounds the answers to a question together, in bytes.
	maxAnswers = 16 << 20
)

var (
	// ErrTooLarge is the error of a question, or of an answer, that is longer than it may be.
	ErrTooLarge = errors.New("fleet: a question or an answer is too long")
	// ErrBusy is the error of a question beyond those that may wait at the same time.
	ErrBusy = errors.New("fleet: too many questions wait for answers")
	// ErrUnknownKind is the error of a question that nothing here answers.
	ErrUnknownKind = errors.New("fleet: nothing answers questions of this kind")
)

// Answerer answers questions of a kind for this replica, within ctx. Several run at the
// same time. An answer is at most [MaxAnswer] long.
type Answerer func(ctx context.Context, payload []byte) ([]byte, error)

// Answers are the answers to a question.
type Answers struct {
	// ByReplica are the answers that came, by the names of replicas. That of the asking
	// replica is among them, unless it is missing.
	ByReplica []Answer
	// Missing are the replicas whose answers are not there, by name.
	Missing []Missing
	// Alone says that this process is the whole fleet: no Redis is configured.
	Alone bool
	// Unknown says that there may be replicas that are named nowhere: Redis does not
	// answer, or there are more than [MaxMembers].
	Unknown bool
}

// Whole reports whether every replica has answered.
func (a *Answers) Whole() bool { return len(a.Missing) == 0 && !a.Unknown }

// Answer is what one replica said.
type Answer struct {
	Replica string
	// Self says that it is that of the replica that asked.
	Self    bool
	Payload []byte
}

// Missing is a replica without an answer.
type Missing struct {
	Replica string
	Why     Why
}

// Why is the reason of a missing answer.
type Why string

// The reasons.
const (
	// Silent has not answered in time: it is dead, stopped, cut off, or too busy.
	Silent Why = "does not answer"
	// Failed has answered that it cannot.
	Failed Why = "has failed to answer"
	// Unsupported is of another version, which has no such question.
	Unsupported Why = "runs a version that does not know the question"
	// Oversized has an answer that is too long.
	Oversized Why = "has an answer that is too long"
	// Unreadable has an answer that cannot be decrypted or decoded here.
	Unreadable Why = "has an answer that this replica cannot read"
)

func (a *Answers) sort() {
	slices.SortFunc(a.ByReplica, func(x, y Answer) int { return cmp.Compare(x.Replica, y.Replica) })
	slices.SortFunc(a.Missing, func(x, y Missing) int { return cmp.Compare(x.Replica, y.Replica) })
}
