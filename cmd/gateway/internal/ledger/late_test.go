package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

// TestLateIsALedger: whatever a ledger promises holds through Late.
func TestLateIsALedger(t *testing.T) {
	t.Parallel()
	ledgertest.Contract(t, func(tb testing.TB) ledgertest.Subject {
		tb.Helper()
		const events = 8
		clock := timetest.NewClock()
		late, err := Open(tb.Context(), Options{
			Open: func(context.Context) (lease.Ledger, error) {
				return fileledger.Open(fileledger.Options{Path: filepath.Join(tb.TempDir(), "leases.db"), Events: events, Now: clock.Now})
			},
			Metrics: NewMetrics(), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			if err := late.Close(); err != nil {
				tb.Error(err)
			}
		})
		return ledgertest.Subject{
			Replica: func(testing.TB) lease.Ledger { return late },
			Lapse:   func(testing.TB) { clock.Advance(lease.MaxClaim + time.Millisecond) },
			Events:  events,
		}
	})
}

// state is what a fake does.
type state struct {
	ready       error // why it cannot be opened
	err         error // of its calls
	findings    []redisclient.Finding
	unavailable bool
}

// fake is a ledger as far as Late asks it, and opens itself.
type fake struct {
	lease.Ledger

	mu     sync.Mutex
	is     state
	closed int
	lines  bytes.Buffer
}

func (f *fake) set(change func(*state)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.is)
}

func (f *fake) now() state {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.is
}

func (f *fake) Counts(context.Context) ([]lease.Count, error) { return nil, f.now().err }

func (f *fake) Findings(context.Context) ([]redisclient.Finding, error) { return f.now().findings, nil }

func (f *fake) Available() bool { return !f.now().unavailable }

func (f *fake) Close() error {
	f.closed++
	return nil
}

func (f *fake) options() Options {
	return Options{Logger: slog.New(slog.NewTextHandler(&f.lines, nil)), Open: func(context.Context) (lease.Ledger, error) {
		if err := f.now().ready; err != nil {
			return nil, err
		}
		return f, nil
	}}
}

// TestLateOpens: a gateway starts while its ledger does not answer, gives no lease, says
// so, and opens it when it answers.
func TestLateOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &fake{is: state{ready: fmt.Errorf("%w: refused", lease.ErrUnavailable)}}
		late, err := Open(t.Context(), o.options())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- late.Run(ctx) }()
		if _, err := late.Counts(t.Context()); !errors.Is(err, lease.ErrUnavailable) || !strings.Contains(late.Degraded(), "no lease is given") {
			t.Errorf("before it is open: %v, %q", err, late.Degraded())
		}
		time.Sleep(10 * openEvery) //nolint:forbidigo // the time of the bubble
		synctest.Wait()
		o.set(func(s *state) { s.ready = nil })
		time.Sleep(openEvery) //nolint:forbidigo // the time of the bubble
		synctest.Wait()
		if _, err := late.Counts(t.Context()); err != nil || late.Degraded() != "" {
			t.Errorf("open: %v, %q", err, late.Degraded())
		}
		stop()
		if err := errors.Join(<-ended, late.Close(), late.Close()); err != nil || o.closed != 1 {
			t.Errorf("closed %d times, %v", o.closed, err)
		}
		if _, err := late.Counts(t.Context()); !errors.Is(err, lease.ErrUnavailable) {
			t.Errorf("after its end: %v", err)
		}
		if n := strings.Count(o.lines.String(), "cannot be opened yet"); n != 1 || !strings.Contains(o.lines.String(), "ledger of leases is open") {
			t.Errorf("the log: %s", o.lines.String())
		}
	})
}

// TestLateRefuses: what no time heals ends the start.
func TestLateRefuses(t *testing.T) {
	t.Parallel()
	o := &fake{is: state{ready: &lease.SchemaError{Found: "9", Want: 1}}}
	if late, err := Open(t.Context(), o.options()); !errors.Is(err, lease.ErrSchema) || late != nil {
		t.Errorf("%v, %v", late, err)
	}
	refused := fmt.Errorf("%w: wrong password", lease.ErrUnavailable)
	o.set(func(s *state) { s.ready = refused })
	options := o.options()
	options.Final = func(err error) bool { return errors.Is(err, refused) }
	if late, err := Open(t.Context(), options); !errors.Is(err, refused) || late != nil {
		t.Errorf("a final one: %v, %v", late, err)
	}
}

// TestDegraded: operators hear what may cost leases, and when it is over, once each.
func TestDegraded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := new(fake)
		o.is.findings = []redisclient.Finding{
			{Name: "eviction", Level: redisclient.Risky, Text: "Redis evicts leases."},
			{Name: "persistence", Level: redisclient.Unknown, Text: "Redis does not tell."},
		}
		late, err := Open(t.Context(), o.options())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- late.Run(ctx) }()
		want := func(word string) {
			t.Helper()
			if got := late.Degraded(); !strings.Contains(got, word) || (word == "") != (got == "") {
				t.Errorf("degraded %q, want %q", got, word)
			}
		}
		want("leases may be forgotten: Redis evicts leases.")
		time.Sleep(3 * lookEvery) //nolint:forbidigo // the time of the bubble
		synctest.Wait()
		o.set(func(s *state) { s.unavailable = true })
		want("does not answer")
		o.set(func(s *state) { s.unavailable, s.findings = false, s.findings[1:] })
		time.Sleep(lookEvery) //nolint:forbidigo // the time of the bubble
		synctest.Wait()
		want("")
		o.set(func(s *state) { s.err = lease.ErrLost })
		if _, err := late.Counts(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Error(err)
		}
		want("lost its data")
		stop()
		if err := errors.Join(<-ended, late.Close()); err != nil {
			t.Error(err)
		}
		for _, line := range []string{"not safe in this Redis", "safe in this Redis again", "not known whether"} {
			if n := strings.Count(o.lines.String(), line); n != 1 {
				t.Errorf("%d lines %q in %s", n, line, o.lines.String())
			}
		}
	})
}

// TestResults: what the ledger answered is not its failure.
func TestResults(t *testing.T) {
	t.Parallel()
	for want, errs := range map[string][]error{
		resultOK:      {nil},
		resultRefused: {&lease.LimitError{Limit: lease.RoleLive}, lease.ErrNotFound, fmt.Errorf("x: %w", lease.ErrClaimed), &lease.LateError{}},
		resultFailed:  {lease.ErrUnavailable, lease.ErrLost, context.DeadlineExceeded},
	} {
		for _, err := range errs {
			if got := resultOf(err); got != want {
				t.Errorf("%v is %s, want %s", err, got, want)
			}
		}
	}
	metrics := NewMetrics()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.Collectors()...)
	o := new(fake)
	options := o.options()
	options.Metrics = metrics
	late, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{nil, lease.ErrUnavailable} {
		o.set(func(s *state) { s.err = err })
		_, _ = late.Counts(t.Context())
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 2 {
		t.Errorf("%v, %v", families, err)
	}
}
