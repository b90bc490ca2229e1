package pace

import (
	"context"
	"time"
)

// Shared is a budget that replicas share. Its methods may be called from any
// goroutine, take no longer than a short time of their own, and try nothing
// twice. Their errors wrap [ErrUnavailable].
type Shared interface {
	// Take takes a token from both buckets, or none. When it fails it may have
	// taken them.
	Take(ctx context.Context, ask Ask) (Answer, error)
	// Return gives back what Take took, if nothing has been taken since.
	Return(ctx context.Context, ask Ask, answer Answer) error
	// Refuse says that a call was refused, and returns what is known then.
	Refuse(ctx context.Context, refusal Refusal) (State, error)
	// Look returns what is known of buckets, in their order, and takes nothing.
	Look(ctx context.Context, rules Rules, buckets []Terms) ([]State, error)
}

// Debt is what a replica took from a bucket that the shared budget may not know.
type Debt uint8

// The debts.
const (
	// NoDebt is nothing.
	NoDebt Debt = iota
	// DebtIfLost is a call within the last window, of which the shared budget
	// was told. It counts if all was lost since.
	DebtIfLost
	// DebtOwed is a call within the last window that was made without asking.
	// The bucket is emptied, and a token more is taken for calls of other
	// replicas that may have been made at the same moment.
	DebtOwed
)

// Ask is a question for a token.
type Ask struct {
	// Rules are those of all buckets.
	Rules Rules
	// Bucket and Organization are the buckets to take from.
	Bucket, Organization Terms
	// Class is the most urgent that waits here for the bucket.
	Class Class
	// BucketDebt and OrganizationDebt are to be noted first.
	BucketDebt, OrganizationDebt Debt
}

// Answer is what an [Ask] comes to.
type Answer struct {
	// Granted tells whether a token was taken from both buckets.
	Granted bool
	// BucketWait and OrganizationWait are how long there is none (more), or is
	// one that is another replica's turn.
	BucketWait, OrganizationWait time.Duration
	// Bucket and Organization are what is known of both.
	Bucket, Organization State
	// Receipt is for Return.
	Receipt string
}

// Refusal is the news of a call that was refused.
type Refusal struct {
	// Rules are those of all buckets.
	Rules Rules
	// Bucket refused.
	Bucket Terms
	// Closed is for how long it is closed.
	Closed time.Duration
	// Epoch is that of the call's [Grant].
	Epoch uint64
	// Rate, if positive, is a rate that was learned without the shared budget.
	Rate float64
}

// State is what is known of a bucket.
type State struct {
	// Rate is how many calls are made in a window, and RefusedRate at which rate
	// one was refused when it was lowered last.
	Rate, RefusedRate float64
	// Tokens is how many calls could be made at once.
	Tokens float64
	// Epoch counts how often the rate was lowered.
	Epoch uint64
	// Closed is for how long no call is made.
	Closed time.Duration
	// Refused is how long ago a call was refused; negative if none is known.
	Refused time.Duration
	// Waiting is how many other replicas wait.
	Waiting int
	// Lowered tells of a [Refusal] whether the rate was lowered for it.
	Lowered bool
}
