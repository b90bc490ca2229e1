package pace

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Limit is the budget of a bucket.
type Limit struct {
	// Calls is the largest number of calls in a window; at least 1.
	Calls float64
	// Burst is how many of them may be made at once after a pause: at least 1,
	// at most Calls. The others come slower: after a burst of b, a call every
	// Window/(Calls-b+1). So 1 gives the highest throughput, and a larger burst
	// makes single calls wait less.
	Burst int
}

// Learning says how a refusal changes a bucket's rate.
type Learning struct {
	// Floor is the lowest rate that refusals lower a bucket to, in calls per
	// window; default 1.
	Floor float64
	// Lower is the factor by which a refusal multiplies the rate; default 0.7.
	Lower float64
	// Step is the amount by which quiet time raises the rate, as a part of the
	// configured rate; default 0.05.
	Step float64
	// Quiet is the time without a refusal or a step that a step needs before it;
	// default 10 min.
	Quiet time.Duration
	// Memory is how long the rate stays below a refused rate; default 1 h.
	Memory time.Duration
	// Closed is how long a bucket is closed by a refusal that names no time;
	// default 10 s.
	Closed time.Duration
	// MaxClosed bounds the time that a refusal names; default 1 h.
	MaxClosed time.Duration
}

// Bounds are the bounds of a Pacer's memory.
type Bounds struct {
	// Calls is how many calls may wait in one bucket; default 4096. One flow has no
	// more of them than it leaves free.
	Calls int
	// Flows is how many flows may wait in a bucket, and how many are remembered
	// that no longer do; default 1024. Further flows share one queue.
	Flows int
	// Buckets is the number of buckets, with the configured ones; default 256.
	// Further names share [OtherBucket].
	Buckets int
}

// OtherBucket is the bucket of calls whose bucket would be one too many.
const OtherBucket = "other"

// Options are the settings of a [Pacer]. The zero value suits a key whose budget
// is unknown, and is low. Zero selects a default, and a negative value is an
// error.
type Options struct {
	// Window is the time over which a Limit counts; default 1 min.
	Window time.Duration
	// Organization limits all calls together; default 60, of them 5 at once.
	Organization Limit
	// Default limits a bucket that Buckets does not name; default 7, one at a
	// time.
	Default Limit
	// Buckets are limits by name.
	Buckets map[string]Limit
	// Margin is the part by which calls are spaced wider than the budget demands,
	// because the network delays calls unequally and some arrive closer together;
	// default 0.025. In a window, calls may be late by two thirds of it.
	Margin float64

	// MintShare is the part of the tokens that calls of class [Mint] have where
	// revocations wait too; at most 0.9. Zero, unlike that of other options, is none.
	MintShare float64

	// Learning sets how refusals change a rate.
	Learning Learning
	// Bounds bounds the waiting calls.
	Bounds Bounds

	// Shared is the budget that replicas share; nil if there is none.
	Shared Shared
	// Share is the part of each rate that this replica spends while Shared is
	// lost, at most 1; default 1/3. The budget holds when the shares of all
	// replicas add up to 1 at the most.
	Share float64
	// Recheck is the time after which a lost Shared is asked again; default 1 s.
	Recheck time.Duration

	// Metrics counts events; nil discards them.
	Metrics Metrics
	// Account is told on whose behalf calls wait; nil is nobody.
	Account Account
	// Logger gets refusals and the loss of Shared; nil discards them.
	Logger *slog.Logger
}

// Rules are the settings that all buckets share. They are the same in all
// replicas.
type Rules struct {
	// Window and Margin are those of [Options].
	Window time.Duration
	Margin float64
	// MintShare is that of [Options].
	MintShare float64
	// Learning is that of [Options].
	Learning Learning
}

func (o *Options) setDefaults() error {
	for _, d := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"Window", &o.Window, time.Minute},
		{"Recheck", &o.Recheck, time.Second},
		{"Learning.Quiet", &o.Learning.Quiet, 10 * time.Minute},
		{"Learning.Memory", &o.Learning.Memory, time.Hour},
		{"Learning.Closed", &o.Learning.Closed, 10 * time.Second},
		{"Learning.MaxClosed", &o.Learning.MaxClosed, time.Hour},
	} {
		if *d.value < 0 {
			return fmt.Errorf("%s is negative", d.name)
		}
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	for _, f := range []struct {
		name         string
		value        *float64
		or, min, max float64
	}{
		{"Margin", &o.Margin, 0.025, 0, 1},
		{"Share", &o.Share, 1.0 / 3, 0.0009, 1},
		{"Learning.Floor", &o.Learning.Floor, 1, 0.0009, math.MaxInt32},
		{"Learning.Lower", &o.Learning.Lower, 0.7, 0, 0.99},
		{"Learning.Step", &o.Learning.Step, 0.05, 0, 1},
	} {
		if *f.value == 0 {
			*f.value = f.or
		}
		if !(*f.value > f.min && *f.value <= f.max) { // False for NaN.
			return fmt.Errorf("%s is not above %g and at most %g", f.name, f.min, f.max)
		}
	}
	if !(o.MintShare >= 0 && o.MintShare <= 0.9) {
		return errors.New("MintShare is not between 0 and 0.9")
	}
	for _, n := range []struct {
		name  string
		value *int
		or    int
	}{
		{"Bounds.Calls", &o.Bounds.Calls, 4096},
		{"Bounds.Flows", &o.Bounds.Flows, 1024},
		{"Bounds.Buckets", &o.Bounds.Buckets, 256},
	} {
		if *n.value < 0 {
			return fmt.Errorf("%s is negative", n.name)
		}
		if *n.value == 0 {
			*n.value = n.or
		}
	}
	if o.Account == nil {
		o.Account = discard{}
	}
	if o.Metrics == nil {
		o.Metrics = discard{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o.checkLimits()
}

func (o *Options) checkLimits() error {
	if o.Organization == (Limit{}) {
		o.Organization = Limit{Calls: 60, Burst: 5}
	}
	if o.Default == (Limit{}) {
		o.Default = Limit{Calls: 7, Burst: 1}
	}
	if err := o.Organization.check(); err != nil {
		return fmt.Errorf("organization: %w", err)
	}
	if err := o.Default.check(); err != nil {
		return fmt.Errorf("default: %w", err)
	}
	for name, limit := range o.Buckets {
		if name == "" {
			return errors.New("a bucket has no name")
		}
		if err := limit.check(); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	if len(o.Buckets) > o.Bounds.Buckets {
		return fmt.Errorf("there are %d buckets, and Bounds.Buckets allows %d", len(o.Buckets), o.Bounds.Buckets)
	}
	return nil
}

func (l Limit) check() error {
	// Timers cannot pace calls at a higher rate, and no budget is higher.
	const most = 1e6
	switch {
	case !(l.Calls >= 1 && l.Calls <= most):
		return fmt.Errorf("the number of calls is not between 1 and %g", most)
	case l.Burst < 1 || float64(l.Burst) > l.Calls:
		return errors.New("the burst is not between 1 and the number of calls")
	default:
		return nil
	}
}

func (o *Options) rules() Rules {
	return Rules{Window: o.Window, Margin: o.Margin, MintShare: o.MintShare, Learning: o.Learning}
}
