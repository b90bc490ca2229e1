package pace

import (
	"context"
	"time"
)

// Shared is a budget that replicas share. Its methods may be called from any
// goroutine, have a short timeout beside ctx, and do not retry. Their errors wrap
// [ErrUnavailable].
type Shared interface {
	// Take takes a token from both buckets, or none. After an error the tokens may
	// have been taken.
	Take(ctx context.Context, ask Ask) (Answer, error)
	// Return gives back the tokens of a Take, from each bucket from which none has
	// been taken since.
	Return(ctx context.Context, ask Ask, answer Answer) error
	// Refuse reports that the upstream refused a call, and returns the state of
	// the bucket after that.
	Refuse(ctx context.Context, refusal Refusal) (State, error)
	// Look returns the states of buckets, in their order, and changes nothing.
	Look(ctx context.Context, rules Rules, buckets []Terms) ([]State, error)
}

// Ask is a request for a token.
type Ask struct {
	// Rules are those of all buckets.
	Rules Rules
	// Bucket and Organization are the buckets to take from.
	Bucket, Organization Terms
	// Class is the class of the call that this replica would make. Of the tokens for
	// revocations and mints, no two in succession go before the turns of other replicas.
	Class Class
	// BucketWaits and OrganizationWaits are what waits in this replica for each.
	BucketWaits, OrganizationWaits Waits
	// BucketDebt and OrganizationDebt are settled first.
	BucketDebt, OrganizationDebt Debt
}

// Waits says which calls are among those of a replica that wait for a token. It decides
// on the share of mints.
type Waits struct{ Mints, Revocations bool }

// Answer is the answer to an [Ask].
type Answer struct {
	// Granted reports whether a token was taken from both buckets.
	Granted bool
	// BucketWait and OrganizationWait are the times until each bucket has a token
	// (another one, if Granted) that is not for another replica.
	BucketWait, OrganizationWait time.Duration
	// Bucket and Organization are the states of both buckets.
	Bucket, Organization State
	// Receipt is for Return.
	Receipt string
}

// Refusal reports a call that the upstream refused.
type Refusal struct {
	// Rules are those of all buckets.
	Rules Rules
	// Bucket is the bucket of the call.
	Bucket Terms
	// Closed is how long the bucket is closed.
	Closed time.Duration
	// Epoch is that of the call's [Grant].
	Epoch uint64
	// Rate, if positive, is the rate that the replica lowered the bucket to because
	// the shared budget could not be told at once.
	Rate float64
	// Unlearned is set if the refusal closes the bucket and does not lower its rate:
	// it came while replicas counted alone, and says nothing of the rate of all.
	Unlearned bool
}

// State is the state of a bucket.
type State struct {
	// Rate is the number of calls in a window, and RefusedRate the rate that was
	// refused when it was last lowered.
	Rate, RefusedRate float64
	// Tokens is the number of calls that could be made at once.
	Tokens float64
	// Epoch is the number of times that the rate was lowered.
	Epoch uint64
	// Closed is how long no call is made.
	Closed time.Duration
	// Refused is the time since the last refusal; negative if none is known.
	Refused time.Duration
	// Waiting is the number of other replicas that wait.
	Waiting int
	// MintCredit is what mints have earned of the next token, at most 1.
	MintCredit float64
	// Lowered reports, after a [Refusal], whether it lowered the rate.
	Lowered bool
}
