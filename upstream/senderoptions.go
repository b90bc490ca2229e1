package upstream

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// SenderOptions configure [NewSender]. Client is required. Of the bounds, 0
// means the default and a negative value is an error.
type SenderOptions struct {
	// Client makes the attempts.
	Client Attempter
	// Pacer is waited for before every attempt; nil paces nothing.
	Pacer Pacer
	// Bucket names the budget that a call is paid from. Required with a Pacer.
	Bucket func(*Endpoint) string
	// Retry sets how often and how soon a call is made again.
	Retry RetryOptions
	// Breaker sets when calls stop because the upstream is failing.
	Breaker BreakerOptions
	// Metrics count the events; nil counts nothing.
	Metrics SendMetrics
	// Tracer makes a span of each wait for the Pacer; nil makes none.
	Tracer trace.Tracer
	// Logger gets a line for each retry and each change of the breaker, without
	// values of the request; nil discards.
	Logger *slog.Logger
}

// RetryOptions bound retries.
type RetryOptions struct {
	// MaxAttempts is the number of attempts of a call; default 3. With 1 there are no
	// retries.
	MaxAttempts int
	// FirstPause is the wait before the second attempt, give or take a half; it
	// doubles for each further one. Default 250 ms.
	FirstPause time.Duration
	// LongestPause bounds that doubling; default 5 s.
	LongestPause time.Duration
	// LongestWait is the longest wait that an answer can ask for (Retry-After) and get;
	// for a longer one the call fails at once. Default 1 min.
	LongestWait time.Duration
	// BudgetRatio bounds retries to this share of the calls sent, greater than 0 and at
	// most 1; default 0.1. One retry is always available at the start.
	BudgetRatio float64
	// BudgetWindow is the length of the window in which the ratio holds; default 1 min.
	// It also holds for all calls since the start.
	BudgetWindow time.Duration
}

// BreakerOptions set when the circuit breaker opens and closes.
type BreakerOptions struct {
	// Window is the time over which attempts are counted, by their start; default 2
	// min. An attempt that hangs for longer is not counted at all, so it has to be
	// longer than [Config.TotalTimeout].
	Window time.Duration
	// MinCalls is the number of attempts that the window needs before their ratio can
	// open the breaker; default 10.
	MinCalls int
	// Ratio is the share of failures at which it opens, greater than 0 and at
	// most 1; default 0.5.
	Ratio float64
	// Consecutive is the number of failures in a row that open it, whatever succeeded
	// before; default 20.
	Consecutive int
	// OpenFor is the time during which nothing is sent; default 10 s.
	OpenFor time.Duration
	// Probes is the number of attempts that are sent after that, all of which have to
	// succeed; default 1.
	Probes int
	// Patience is how long an attempt has to have waited, when its caller's deadline
	// passes, to count as a failure of the upstream; default 5 s.
	Patience time.Duration
}

func (o *SenderOptions) setDefaults() error {
	switch {
	case o.Client == nil:
		return errors.New("no client")
	case o.Pacer != nil && o.Bucket == nil:
		return errors.New("a pacer needs a function that names the bucket")
	}
	for _, bound := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"Retry.FirstPause", &o.Retry.FirstPause, 250 * time.Millisecond},
		{"Retry.LongestPause", &o.Retry.LongestPause, 5 * time.Second},
		{"Retry.LongestWait", &o.Retry.LongestWait, time.Minute},
		{"Retry.BudgetWindow", &o.Retry.BudgetWindow, time.Minute},
		{"Breaker.Window", &o.Breaker.Window, 2 * time.Minute},
		{"Breaker.OpenFor", &o.Breaker.OpenFor, 10 * time.Second},
		{"Breaker.Patience", &o.Breaker.Patience, 5 * time.Second},
	} {
		if err := setDefault(bound.name, bound.value, bound.or); err != nil {
			return err
		}
	}
	for _, bound := range []struct {
		name  string
		value *int
		or    int
	}{
		{"Retry.MaxAttempts", &o.Retry.MaxAttempts, 3},
		{"Breaker.MinCalls", &o.Breaker.MinCalls, 10},
		{"Breaker.Consecutive", &o.Breaker.Consecutive, 20},
		{"Breaker.Probes", &o.Breaker.Probes, 1},
	} {
		if err := setDefault(bound.name, bound.value, bound.or); err != nil {
			return err
		}
	}
	for _, ratio := range []struct {
		name  string
		value *float64
		or    float64
	}{
		{"Retry.BudgetRatio", &o.Retry.BudgetRatio, 0.1},
		{"Breaker.Ratio", &o.Breaker.Ratio, 0.5},
	} {
		if err := setDefault(ratio.name, ratio.value, ratio.or); err != nil {
			return err
		}
		if !(*ratio.value <= 1) {
			return fmt.Errorf("%s is more than 1", ratio.name)
		}
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func setDefault[T ~int | ~int64 | ~float64](name string, value *T, or T) error {
	if *value < 0 {
		return errors.New(name + " is negative")
	}
	if *value == 0 {
		*value = or
	}
	return nil
}
