package upstream_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// budgetError is the error of a pacer.
type budgetError time.Duration

func (budgetError) Error() string               { return "no budget" }
func (n budgetError) RetryAfter() time.Duration { return time.Duration(n) }

// scriptedPacer is closed until a time, and records its calls.
type scriptedPacer struct {
	opens time.Time
	fails error
	seen  []string
}

func (p *scriptedPacer) Wait(ctx context.Context, bucket string) (func(context.Context, time.Duration), error) {
	p.seen = append(p.seen, "wait "+bucket)
	if p.fails != nil {
		return nil, p.fails
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(p.opens) {
		return nil, budgetError(time.Until(p.opens))
	}
	select {
	case <-time.After(time.Until(p.opens)):
		return func(ctx context.Context, retryAfter time.Duration) { p.limited(ctx, bucket, retryAfter) }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *scriptedPacer) limited(ctx context.Context, bucket string, retryAfter time.Duration) {
	p.seen = append(p.seen, "limited "+bucket+" "+retryAfter.String())
	if ctx.Err() != nil {
		p.seen = append(p.seen, "with a context that has ended")
	}
	p.opens = time.Now().Add(max(retryAfter, time.Second))
}

// scripted answers by turns.
type scripted struct {
	turns []func(ctx context.Context) (*upstream.Reply, error)
	asked []time.Duration // since began
	began time.Time
}

func (s *scripted) Do(ctx context.Context, _ *upstream.Endpoint, _ *upstream.Request) (*upstream.Reply, error) {
	s.asked = append(s.asked, time.Since(s.began))
	return s.turns[min(len(s.asked), len(s.turns))-1](ctx)
}

func fails(kind upstream.Kind, reason string, code int, retryAfter time.Duration) func(context.Context) (*upstream.Reply, error) {
	return func(context.Context) (*upstream.Reply, error) {
		return nil, &upstream.Error{Kind: kind, Reason: reason, Status: code, RetryAfter: retryAfter}
	}
}

func succeeds(context.Context) (*upstream.Reply, error) { return new(upstream.Reply), nil }

func limited(retryAfter time.Duration) func(context.Context) (*upstream.Reply, error) {
	return fails(upstream.RateLimited, upstream.ReasonRateLimited, 429, retryAfter)
}

func withPacer(p *scriptedPacer) func(*upstream.SenderOptions) {
	return func(o *upstream.SenderOptions) {
		o.Pacer, o.Retry.FirstPause = p, 0
	}
}

// TestPacer: every attempt waits, a 429 of any call is reported, and a retry begins
// when the pacer admits it.
func TestPacer(t *testing.T) {
	t.Parallel()
	const project, projects, user = "/organization/projects/{project_id}", "/organization/projects", "/organization/users/{user_id}"
	for name, test := range map[string]struct {
		call   func(testing.TB) call
		turns  []func(context.Context) (*upstream.Reply, error)
		within time.Duration // 0: no deadline
		seen   []string
		asked  []time.Duration
		want   *upstream.Error
	}{
		"a read": {getProject, []func(context.Context) (*upstream.Reply, error){limited(7 * time.Second), succeeds}, time.Minute,
			[]string{"wait " + project, "limited " + project + " 7s", "wait " + project}, []time.Duration{0, 7 * time.Second}, nil},
		"a delete": {deleteUser, []func(context.Context) (*upstream.Reply, error){limited(0), succeeds}, 0,
			[]string{"wait " + user, "limited " + user + " 0s", "wait " + user}, []time.Duration{0, time.Second}, nil},
		"a post": {createProject, []func(context.Context) (*upstream.Reply, error){limited(7 * time.Second), succeeds}, time.Minute,
			[]string{"wait " + projects, "limited " + projects + " 7s"}, []time.Duration{0},
			&upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: 429, RetryAfter: 7 * time.Second}},
		"a read that has no time": {getProject, []func(context.Context) (*upstream.Reply, error){limited(30 * time.Second)}, 3 * time.Second,
			[]string{"wait " + project, "limited " + project + " 30s"}, []time.Duration{0},
			&upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: 429, RetryAfter: 30 * time.Second}},
		"a read for which the pacer has no time": {getProject, []func(context.Context) (*upstream.Reply, error){limited(0)}, 1030 * time.Millisecond,
			[]string{"wait " + project, "limited " + project + " 0s", "wait " + project}, []time.Duration{0},
			&upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: 429, RetryAfter: time.Second}},
		"a wait that is longer than any": {getProject, []func(context.Context) (*upstream.Reply, error){limited(time.Hour)}, 0,
			[]string{"wait " + project, "limited " + project + " 1h0m0s"}, []time.Duration{0},
			&upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: 429, RetryAfter: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := test.call(t)
			synctest.Test(t, func(t *testing.T) {
				client, pacer := &scripted{turns: test.turns, began: time.Now()}, new(scriptedPacer)
				sender := newSender(t, client, withPacer(pacer))
				pacer.seen = nil
				ctx := t.Context()
				if test.within > 0 {
					timed, cancel := context.WithTimeout(ctx, test.within)
					defer cancel()
					ctx = timed
				}
				began := time.Now()
				_, err := c.send(ctx, sender)
				if diff := cmp.Diff(test.seen, pacer.seen); diff != "" {
					t.Errorf("the pacer (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.asked, client.asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				if test.want == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				e := failure(t, err)
				if e.Kind != test.want.Kind || e.Reason != test.want.Reason || e.Status != test.want.Status || e.RetryAfter != test.want.RetryAfter {
					t.Errorf("got %v, want %v", e, test.want)
				}
				if time.Since(began) != 0 {
					t.Errorf("it took %s to say so", time.Since(began))
				}
			})
		})
	}
}

// TestNoBudget: a call that the pacer refuses is not sent.
func TestNoBudget(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		fails  error
		kind   upstream.Kind
		reason string
		after  time.Duration
	}{
		"exhausted": {t.Context(), budgetError(90 * time.Second), upstream.RateLimited, upstream.ReasonNoBudget, 90 * time.Second},
		"for long":  {t.Context(), budgetError(100 * time.Hour), upstream.RateLimited, upstream.ReasonNoBudget, time.Hour},
		"no reason": {t.Context(), errors.New("broken"), upstream.RateLimited, upstream.ReasonNoBudget, 0},
		"canceled":  {ended, context.Canceled, upstream.Canceled, upstream.ReasonCanceled, 0},
	} {
		for _, c := range []call{getProject(t), createProject(t), deleteUser(t)} {
			client, pacer := &scripted{turns: []func(context.Context) (*upstream.Reply, error){succeeds}}, new(scriptedPacer)
			sender := newSender(t, client, withPacer(pacer))
			pacer.fails = test.fails
			_, err := c.send(test.ctx, sender)
			wantKind(t, err, test.kind, test.reason)
			if e := failure(t, err); e.RetryAfter != test.after {
				t.Errorf("%s: retry after %s", name, e.RetryAfter)
			}
			if len(client.asked) != 0 {
				t.Errorf("%s: %s was sent", name, c.endpoint)
			}
		}
	}
}

// TestCallerLeaves: a caller that cancels during a pause gets its error at once, and a
// delete that may have been done is not reported as not done.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	failed := fails(upstream.Unavailable, upstream.ReasonUnavailable, 503, 0)
	lostAnswer := fails(upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown, 0, 0)
	read, remove := getProject(t), deleteUser(t)
	for _, test := range []struct {
		call   call
		fails  func(context.Context) (*upstream.Reply, error)
		kind   upstream.Kind
		reason string
	}{
		{read, failed, upstream.Canceled, upstream.ReasonCanceled},
		{remove, failed, upstream.Canceled, upstream.ReasonCanceled},
		{remove, lostAnswer, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := &scripted{turns: []func(context.Context) (*upstream.Reply, error){test.fails, succeeds}}
			sender := newSender(t, client, func(o *upstream.SenderOptions) { o.Retry.FirstPause = 10 * time.Second })
			ctx, cancel := context.WithCancel(t.Context())
			began := time.Now()
			time.AfterFunc(time.Second, cancel)
			_, err := test.call.send(ctx, sender)
			wantKind(t, err, test.kind, test.reason)
			if len(client.asked) != 1 || time.Since(began) != time.Second {
				t.Errorf("%d attempts in %s", len(client.asked), time.Since(began))
			}
		})
	}
}

// TestPauses grow, and are not made when the deadline is nearer than the pause
// and another attempt like the last one.
func TestPauses(t *testing.T) {
	t.Parallel()
	read := getProject(t)
	slow := func(ctx context.Context) (*upstream.Reply, error) {
		<-time.After(2 * time.Second)
		return fails(upstream.Unavailable, upstream.ReasonUnavailable, 503, 0)(ctx)
	}
	send := func(t *testing.T, within time.Duration) []time.Duration {
		t.Helper()
		client := &scripted{turns: []func(context.Context) (*upstream.Reply, error){slow}}
		sender := newSender(t, client, func(o *upstream.SenderOptions) { o.Retry.FirstPause = 0 })
		client.began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := read.send(ctx, sender)
		wantKind(t, err, upstream.Unavailable, upstream.ReasonUnavailable)
		return client.asked
	}
	synctest.Test(t, func(t *testing.T) {
		asked := send(t, time.Minute)
		if len(asked) != 3 {
			t.Fatalf("asked at %v", asked)
		}
		first, second := asked[1]-2*time.Second, asked[2]-asked[1]-2*time.Second
		if first < 125*time.Millisecond || first > 376*time.Millisecond || second < 250*time.Millisecond || second > 751*time.Millisecond {
			t.Errorf("pauses of %s and %s", first, second)
		}
		if asked := send(t, 4*time.Second); len(asked) != 1 {
			t.Errorf("with 4 s, asked at %v", asked)
		}
		if asked := send(t, 6*time.Second); len(asked) != 2 {
			t.Errorf("with 6 s, asked at %v", asked)
		}
	})
}

// TestWaitingAndSendingEndApart: after the end of the waits nothing is sent, neither for
// the first time nor again, although an attempt that is under way goes on.
func TestWaitingAndSendingEndApart(t *testing.T) {
	t.Parallel()
	for _, sent := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			waiting, end := context.WithCancel(t.Context())
			defer end()
			client := &scripted{turns: []func(context.Context) (*upstream.Reply, error){func(ctx context.Context) (*upstream.Reply, error) {
				end()
				if ctx.Err() != nil {
					t.Error("an attempt ended with the waits")
				}
				return limited(time.Second)(ctx)
			}, succeeds}}
			remove := deleteUser(t)
			d, err := newSender(t, client, withPacer(new(scriptedPacer))).Admit(t.Context(), remove.endpoint, remove.request)
			if err != nil {
				t.Fatal(err)
			}
			if sent == 0 {
				end()
			}
			if reply, err := d.Send(waiting, t.Context()); err == nil || len(client.asked) != sent {
				t.Errorf("%d attempts, want %d; %v, %v", len(client.asked), sent, reply, err)
			}
		})
	}
}
