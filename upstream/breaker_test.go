package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestBreaker opens, sends nothing, probes, opens again, and closes.
func TestBreaker(t *testing.T) {
	t.Parallel()
	read, create, remove := getProject(t), createProject(t), deleteUser(t)
	synctest.Test(t, func(t *testing.T) {
		ill := fails(upstream.Unavailable, upstream.ReasonUnavailable, 503, 0)
		client := &scripted{turns: []func(context.Context) (*upstream.Reply, error){ill}}
		counted := newCounts()
		sender := coldSender(t, client, func(o *upstream.SenderOptions) {
			o.Metrics, o.Retry.MaxAttempts = counted, 1
			o.Breaker = upstream.BreakerOptions{}
		})
		refused := func(c call, after time.Duration) {
			t.Helper()
			asked := len(client.asked)
			_, err := c.send(t.Context(), sender)
			wantKind(t, err, upstream.Unavailable, upstream.ReasonBreakerOpen)
			if e := failure(t, err); e.RetryAfter != after {
				t.Errorf("%s: retry after %s, want %s", c.endpoint, e.RetryAfter, after)
			}
			if len(client.asked) != asked {
				t.Errorf("%s was sent", c.endpoint)
			}
		}
		sent := func(c call) {
			t.Helper()
			asked := len(client.asked)
			_, _ = c.send(t.Context(), sender)
			if len(client.asked) != asked+1 {
				t.Errorf("%s was not sent", c.endpoint)
			}
		}
		for range 10 {
			sent(read)
		}
		for _, c := range []call{read, create, remove} {
			refused(c, 10*time.Second)
		}
		<-time.After(4 * time.Second)
		refused(read, 6*time.Second)
		<-time.After(6*time.Second + 1)
		refused(create, 10*time.Second-1) // No POST while a read may come.
		sent(remove)                      // A probe, which fails.
		refused(read, 10*time.Second)
		<-time.After(20*time.Second + 1)
		sent(create) // No read has come, so it has to be this.
		refused(read, 10*time.Second)
		<-time.After(10*time.Second + 1)
		client.turns = []func(context.Context) (*upstream.Reply, error){func(ctx context.Context) (*upstream.Reply, error) {
			refused(read, time.Second) // There is one probe at a time.
			return succeeds(ctx)
		}, succeeds}
		client.asked = nil
		sent(read)
		sent(create)
		want := map[string]int{
			"breaker CLOSED": 2, "breaker OPEN": 3, "breaker HALF_OPEN": 3,
			"attempt UNAVAILABLE": 12, "attempt OK": 2, "refused ATTEMPTS": 11,
		}
		if diff := cmp.Diff(want, counted.all()); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}

// TestBreakerAfterLongHealth: a row of failures opens it, however many calls went
// well before.
func TestBreakerAfterLongHealth(t *testing.T) {
	t.Parallel()
	client, counted := &scripted{turns: []func(context.Context) (*upstream.Reply, error){succeeds}}, newCounts()
	sender := coldSender(t, client, func(o *upstream.SenderOptions) {
		o.Breaker, o.Metrics, o.Retry.MaxAttempts = upstream.BreakerOptions{}, counted, 1
	})
	read := getProject(t)
	for range 1000 {
		_, _ = read.send(t.Context(), sender)
	}
	client.turns = []func(context.Context) (*upstream.Reply, error){fails(upstream.Unavailable, upstream.ReasonUnavailable, 0, 0)}
	client.asked = nil
	for range 30 {
		_, _ = read.send(t.Context(), sender)
	}
	if len(client.asked) != 20 || counted.all()["breaker OPEN"] != 1 {
		t.Errorf("asked %d times", len(client.asked))
	}
}

// TestBreakerAndHangs: attempts that end by their own time limit, all at once,
// are counted.
func TestBreakerAndHangs(t *testing.T) {
	t.Parallel()
	read := getProject(t)
	synctest.Test(t, func(t *testing.T) {
		counted := newCounts()
		client := newClient(t, "http://127.0.0.1:1", func(c *upstream.Config) { c.Transport = hanging{} })
		sender := coldSender(t, client, func(o *upstream.SenderOptions) {
			o.Breaker, o.Metrics = upstream.BreakerOptions{}, counted
		})
		inParallel(15, 15, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
			defer cancel()
			_, err := read.send(ctx, sender)
			wantKind(t, err, upstream.Unavailable, upstream.ReasonUnavailable)
		})
		if counted.all()["breaker OPEN"] != 1 {
			t.Errorf("counted %v", counted.all())
		}
	})
}

// hanging never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestBreakerDoesNotPace: a call that cannot be sent takes no place in the pacer's
// queue.
func TestBreakerDoesNotPace(t *testing.T) {
	t.Parallel()
	read := getProject(t)
	client := &scripted{turns: []func(context.Context) (*upstream.Reply, error){fails(upstream.Unavailable, upstream.ReasonUnavailable, 500, 0)}}
	pacer := new(scriptedPacer)
	sender := coldSender(t, client, withPacer(pacer), func(o *upstream.SenderOptions) { o.Breaker.MinCalls = 1 })
	_, err := read.send(t.Context(), sender)
	wantKind(t, err, upstream.Unavailable, upstream.ReasonUnavailable)
	_, err = read.send(t.Context(), sender)
	wantKind(t, err, upstream.Unavailable, upstream.ReasonBreakerOpen)
	if len(pacer.seen) != 1 {
		t.Errorf("the pacer saw %v", pacer.seen)
	}
}

// TestBreakerPanic: a probe that panics makes way for another one.
func TestBreakerPanic(t *testing.T) {
	t.Parallel()
	read := getProject(t)
	synctest.Test(t, func(t *testing.T) {
		client := &scripted{turns: []func(context.Context) (*upstream.Reply, error){
			fails(upstream.Unavailable, upstream.ReasonUnavailable, 500, 0),
			func(context.Context) (*upstream.Reply, error) { panic("probe") },
			succeeds,
		}}
		sender := coldSender(t, client, func(o *upstream.SenderOptions) { o.Breaker.MinCalls = 1 })
		_, _ = read.send(t.Context(), sender)
		<-time.After(10*time.Second + 1)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was lost")
				}
			}()
			_, _ = read.send(t.Context(), sender)
		}()
		if _, err := read.send(t.Context(), sender); err != nil {
			t.Error(err)
		}
	})
}

// TestBreakerEvidence: which results open the breaker.
func TestBreakerEvidence(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) (*upstream.Reply, error) {
		<-ctx.Done()
		if errors.Is(ctx.Err(), context.Canceled) {
			return fails(upstream.Canceled, upstream.ReasonCanceled, 0, 0)(ctx)
		}
		return fails(upstream.DeadlineExceeded, upstream.ReasonDeadlineExceeded, 0, 0)(ctx)
	}
	read, create := getProject(t), createProject(t)
	for name, test := range map[string]struct {
		call   call
		does   func(context.Context) (*upstream.Reply, error)
		within time.Duration // the deadline
		leaves time.Duration // when the caller cancels
		opens  bool
	}{
		"500":                      {call: read, does: fails(upstream.Unavailable, upstream.ReasonUnavailable, 500, 0), opens: true},
		"502 of a write":           {call: create, does: fails(upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown, 502, 0), opens: true},
		"no connection":            {call: read, does: fails(upstream.Unavailable, upstream.ReasonUnavailable, 0, 0), opens: true},
		"a lost answer":            {call: create, does: fails(upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown, 0, 0), opens: true},
		"a deadline of the caller": {call: read, does: hang, within: 6 * time.Second, opens: true},
		"a short deadline":         {call: read, does: hang, within: time.Second},
		"the caller leaves":        {call: read, does: hang, leaves: 10 * time.Second},
		"the caller leaves a write": {call: create, does: func(ctx context.Context) (*upstream.Reply, error) {
			<-ctx.Done()
			return fails(upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown, 0, 0)(ctx)
		}, leaves: 10 * time.Second},
		"400":      {call: read, does: fails(upstream.InvalidArgument, upstream.ReasonInvalidArgument, 400, 0)},
		"401":      {call: read, does: fails(upstream.CredentialRejected, upstream.ReasonCredentialRejected, 401, 0)},
		"404":      {call: read, does: fails(upstream.NotFound, upstream.ReasonNotFound, 404, 0)},
		"429":      {call: read, does: limited(0)},
		"nonsense": {call: read, does: fails(upstream.Unavailable, upstream.ReasonBadResponse, 200, 0)},
		"no key":   {call: read, does: fails(upstream.CredentialRejected, upstream.ReasonCredentialUnreadable, 0, 0)},
		"success":  {call: read, does: succeeds},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				counted := newCounts()
				sender := coldSender(t, &scripted{turns: []func(context.Context) (*upstream.Reply, error){test.does}}, func(o *upstream.SenderOptions) {
					o.Breaker.MinCalls, o.Metrics, o.Retry.MaxAttempts = 1, counted, 1
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.within > 0 {
					timed, stop := context.WithTimeout(ctx, test.within)
					defer stop()
					ctx = timed
				}
				if test.leaves > 0 {
					time.AfterFunc(test.leaves, cancel)
				}
				_, _ = test.call.send(ctx, sender)
				if opened := counted.all()["breaker OPEN"] > 0; opened != test.opens {
					t.Errorf("opened: %t, want %t", opened, test.opens)
				}
			})
		})
	}
}
