package inventories_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/client/inventories"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// walked is what a walk brought, and how long it took.
type walked struct {
	came []string
	err  error
	took time.Duration
}

// walk walks in simulated time.
func walk(t *testing.T, r *replica, deadline time.Duration, opts ...inventories.Option) (w walked) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if deadline > 0 {
			ctx, cancel = context.WithTimeout(ctx, deadline)
		}
		defer cancel()
		began := time.Now()
		for page, err := range inventories.Walk(ctx, r.list, &request{ProjectIds: []string{"a"}}, opts...) {
			if w.err != nil {
				t.Error("something came behind the error")
			}
			if w.err = err; err == nil {
				w.came = append(w.came, page.GetKeys().GetProjectId())
			}
		}
		w.took = time.Since(began)
	})
	if r.open != 0 {
		t.Errorf("%d streams were not closed", r.open)
	}
	return w
}

// TestWalkGoesOnWhereItWasCut: what came behind the last token comes once, although the
// gateway sends it twice.
func TestWalkGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"cut": cut(), "stopped": remote(t, connect.CodeUnavailable, 0), "ended without an end": nil,
		"refused for now": remote(t, connect.CodeResourceExhausted, 0), "timed out on the way": connect.NewError(connect.CodeDeadlineExceeded, "x"),
	} {
		r := &replica{scripts: []script{
			{messages: []*response{page("a"), progress("1"), page("b"), page("c")}, err: err},
			{refused: remote(t, connect.CodeUnavailable, 0)},
			{messages: []*response{page("c"), page("b"), progress(""), page("d"), whole()}},
		}}
		w := walk(t, r, 0)
		if w.err != nil || !slices.Equal(w.came, []string{"a", "c", "b", "d"}) || !slices.Equal(r.tokens(), []string{"", "1", "1"}) {
			t.Errorf("%s: %v came, from %q, %v", name, w.came, r.tokens(), w.err)
		}
		for _, req := range r.asked {
			if !slices.Equal(req.GetProjectIds(), []string{"a"}) {
				t.Errorf("%s: asked %v", name, req)
			}
		}
	}
}

// TestWalkGoesOnWithAnotherCredential: one that ends in the middle was good, and the next
// stream may come with another. One that is refused from the start is refused.
func TestWalkGoesOnWithAnotherCredential(t *testing.T) {
	t.Parallel()
	ended := remote(t, connect.CodeUnauthenticated, 0)
	r := &replica{scripts: []script{
		{messages: []*response{page("a"), progress("1")}, err: ended},
		{messages: []*response{page("b"), whole()}},
	}}
	w := walk(t, r, 0)
	if w.err != nil || !slices.Equal(w.came, []string{"a", "b"}) || !slices.Equal(r.tokens(), []string{"", "1"}) {
		t.Errorf("%v came, from %q, %v", w.came, r.tokens(), w.err)
	}
	r = &replica{scripts: []script{{messages: []*response{page("a"), progress("1")}, err: ended}, {err: ended}}}
	w = walk(t, r, 0)
	if incomplete, ok := errors.AsType[*inventories.IncompleteError](w.err); !ok || incomplete.ResumeToken != "1" || len(r.asked) != 2 {
		t.Errorf("%v came after %d streams, %v", w.came, len(r.asked), w.err)
	}
	r = &replica{scripts: []script{{err: ended}}}
	if w = walk(t, r, 0); connect.CodeOf(w.err) != connect.CodeUnauthenticated || len(r.asked) != 1 {
		t.Errorf("%v after %d streams", w.err, len(r.asked))
	}
}

// TestWalkReportsFailures when they come, also those that pass.
func TestWalkReportsFailures(t *testing.T) {
	t.Parallel()
	r := &replica{scripts: []script{
		{messages: []*response{failure(connect.CodeUnavailable, "UPSTREAM_UNAVAILABLE", 0), part("1", inventoryv1.Incomplete_REASON_FAILED)}},
		{messages: []*response{page("a"), whole()}},
	}}
	var reasons []string
	w := walk(t, r, 0, inventories.OnFailure(func(f *inventoryv1.Failure) { reasons = append(reasons, f.GetReason()) }))
	if w.err != nil || !slices.Equal(reasons, []string{"UPSTREAM_UNAVAILABLE"}) {
		t.Errorf("failures %q, %v", reasons, w.err)
	}
}

// TestWalkOverRandomCuts: whatever the cuts and the tokens, every page comes once.
func TestWalkOverRandomCuts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.IntRange(0, 40).Draw(t, "pages")
		streams := 0
		call := func(_ context.Context, req *request) (*stream, error) {
			streams++
			from, _ := strconv.Atoi(req.GetResumeToken())
			r := &replica{open: 1}
			for n := from; ; n++ {
				if n == pages {
					r.scripts = []script{{messages: append(r.collected(), whole())}}
					break
				}
				r.add(page(fmt.Sprint(n)))
				if rapid.IntRange(0, 3).Draw(t, "token") == 0 {
					r.add(progress(fmt.Sprint(n + 1)))
				}
				if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
					r.scripts = []script{{messages: r.collected(), err: cut()}}
					break
				}
			}
			return &stream{t.Context(), r, r.scripts[0]}, nil
		}
		var came []string
		for page, err := range inventories.Walk(t.Context(), call, &request{}, inventories.Attempts(1000), inventories.Pauses(0, 0)) {
			if err != nil {
				if incomplete, ok := errors.AsType[*inventories.IncompleteError](err); ok && streams == inventories.MaxStreams && incomplete.ResumeToken == fmt.Sprint(len(came)) {
					return
				}
				t.Fatal(err)
			}
			came = append(came, page.GetKeys().GetProjectId())
		}
		for n, project := range came {
			if project != fmt.Sprint(n) {
				t.Fatalf("%v came", came)
			}
		}
		if len(came) != pages {
			t.Fatalf("%d came, of %d", len(came), pages)
		}
	})
}

// TestWalkEnds, whatever a gateway does, and says what is missing.
func TestWalkEnds(t *testing.T) {
	t.Parallel()
	down := remote(t, connect.CodeUnavailable, 0)
	failed, denied := inventoryv1.Incomplete_REASON_FAILED, inventoryv1.Incomplete_REASON_DENIED
	for name, test := range map[string]struct {
		scripts  []script
		deadline time.Duration
		came     int
		streams  int
		token    string
		cause    error
		failures int
	}{
		"nobody is there":      {scripts: []script{{refused: down}}, streams: 6, cause: down},
		"nothing comes":        {scripts: []script{{err: down}}, streams: 6, cause: down},
		"nothing stays":        {scripts: []script{{messages: []*response{page("a")}, err: down}}, streams: 6, cause: down},
		"it says nothing":      {scripts: []script{{hangs: true}}, streams: 6},
		"the same again":       {scripts: []script{{messages: []*response{page("a"), progress("1")}, err: down}}, streams: inventories.MaxStreams, came: inventories.MaxStreams, token: "1", cause: down},
		"its token is refused": {scripts: []script{{messages: []*response{page("a"), progress("1")}, err: down}, {refused: remote(t, connect.CodeInvalidArgument, 0)}}, came: 1, streams: 2, token: "1"},
		"denied":               {scripts: []script{{messages: []*response{page("a"), failure(connect.CodePermissionDenied, "PERMISSION_DENIED", 0), part("1", denied)}}}, came: 1, streams: 1, token: "1", failures: 1},
		"failed for good":      {scripts: []script{{messages: []*response{page("a"), failure(connect.CodeUnavailable, "ENDLESS_LIST", 0), part("1", failed)}}}, came: 1, streams: 1, token: "1", failures: 1},
		"fails on":             {scripts: []script{{messages: []*response{failure(connect.CodeUnavailable, "UPSTREAM_UNAVAILABLE", 0), part("1", failed)}}}, streams: 6, token: "1", failures: 1},
		"not all judged":       {scripts: []script{{messages: []*response{page("a"), part("", inventoryv1.Incomplete_REASON_NOT_ALL_JUDGED)}}}, came: 1, streams: 1},
		"no time is left":      {scripts: []script{{messages: []*response{page("a"), part("1", inventoryv1.Incomplete_REASON_OUT_OF_TIME)}}}, deadline: 5 * time.Second, came: 1, streams: 1, token: "1"},
		"the context ends":     {scripts: []script{{messages: []*response{page("a"), progress("1"), page("b")}, hangs: true}}, deadline: 5 * time.Second, came: 1, streams: 1, token: "1", cause: context.DeadlineExceeded},
		"the pause is longer":  {scripts: []script{{messages: []*response{page("a"), progress("1")}, err: remote(t, connect.CodeUnavailable, time.Hour)}}, deadline: time.Minute, came: 1, streams: 1, token: "1"},
	} {
		r := &replica{scripts: test.scripts}
		w := walk(t, r, test.deadline)
		incomplete, ok := errors.AsType[*inventories.IncompleteError](w.err)
		if !ok || len(w.came) != test.came || len(r.asked) != test.streams || incomplete.ResumeToken != test.token || len(incomplete.Failures) != test.failures {
			t.Errorf("%s: %d came in %d streams, then %+v", name, len(w.came), len(r.asked), w.err)
		}
		if test.cause != nil && !errors.Is(w.err, test.cause) {
			t.Errorf("%s: %v, and not %v", name, w.err, test.cause)
		}
	}
}

// TestWalkRefused: a call that is refused for good is refused once, with its own error.
func TestWalkRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []connect.Code{connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeInvalidArgument, connect.CodeInternal, connect.CodeUnimplemented} {
		r := &replica{scripts: []script{{refused: remote(t, code, 0)}}}
		w := walk(t, r, 0)
		if _, wrapped := errors.AsType[*inventories.IncompleteError](w.err); wrapped || connect.CodeOf(w.err) != code || len(r.asked) != 1 {
			t.Errorf("%v: %v after %d calls", code, w.err, len(r.asked))
		}
	}
}

// TestWalkWaits as long as the gateway asks for, and longer with each attempt.
func TestWalkWaits(t *testing.T) {
	t.Parallel()
	r := &replica{scripts: []script{{refused: remote(t, connect.CodeResourceExhausted, time.Minute)}, {messages: []*response{whole()}}}}
	if w := walk(t, r, 0); w.err != nil || w.took != time.Minute {
		t.Errorf("RetryInfo: %v after %v", w.err, w.took)
	}
	r = &replica{scripts: []script{
		{messages: []*response{failure(connect.CodeUnavailable, "UPSTREAM_BREAKER_OPEN", time.Minute), part("1", inventoryv1.Incomplete_REASON_FAILED)}}, {messages: []*response{page("a"), whole()}},
	}}
	if w := walk(t, r, 0); w.err != nil || w.took != time.Minute || len(w.came) != 1 {
		t.Errorf("the delay of a failure: %v after %v", w.err, w.took)
	}
	r = &replica{scripts: []script{{refused: cut()}}}
	const first, longest = time.Second, 8 * time.Second
	w := walk(t, r, 0, inventories.Attempts(7), inventories.Pauses(first, longest))
	if most := 1 + 2 + 4 + 8 + 8 + 8; w.took > time.Duration(most)*time.Second || w.took < time.Duration(most)*time.Second/2 || len(r.asked) != 7 {
		t.Errorf("%d calls in %v", len(r.asked), w.took)
	}
	r = &replica{scripts: []script{{messages: []*response{page("a"), progress("1")}, hangs: true}, {messages: []*response{page("b"), whole()}}}}
	if w := walk(t, r, 0, inventories.Silence(10*time.Second), inventories.Pauses(0, 0)); w.err != nil || w.took != 10*time.Second || len(w.came) != 2 {
		t.Errorf("silence: %v came, %v after %v", w.came, w.err, w.took)
	}
	r = &replica{scripts: []script{{messages: []*response{page("a"), part("1", inventoryv1.Incomplete_REASON_TOO_MANY)}}, {messages: []*response{page("b"), whole()}}}}
	if w := walk(t, r, 0); w.err != nil || w.took != 0 || len(w.came) != 2 {
		t.Errorf("too many: %v came, %v after %v", w.came, w.err, w.took)
	}
}

// TestWalkHoldsSoMuchBack: of a gateway that sends no tokens it passes on what is more,
// and says that it may come again.
func TestWalkHoldsSoMuchBack(t *testing.T) {
	t.Parallel()
	var messages []*response
	for n := range 2*inventories.MaxHeld + 1 {
		messages = append(messages, page(fmt.Sprint(n)))
	}
	for i := range inventories.MaxFailures + 5 {
		messages = append(messages, failure(connect.CodeNotFound, fmt.Sprint(i), 0))
	}
	r := &replica{scripts: []script{{messages: messages, err: cut()}, {refused: remote(t, connect.CodePermissionDenied, 0)}}}
	w := walk(t, r, 0)
	incomplete, ok := errors.AsType[*inventories.IncompleteError](w.err)
	if !ok || !incomplete.Repeats || len(incomplete.Failures) != inventories.MaxFailures || incomplete.MoreFailures != 5 || len(w.came) != inventories.MaxHeld+1 {
		t.Errorf("%d came, %.200v", len(w.came), w.err)
	}
}

// TestLoopLeft ends the stream, and walking again begins anew.
func TestLoopLeft(t *testing.T) {
	t.Parallel()
	r := &replica{scripts: []script{{messages: []*response{page("a"), page("b"), progress("1"), page("c"), whole()}}}}
	var said int
	seq := inventories.Walk(t.Context(), r.list, &request{ResumeToken: "0"}, inventories.OnProgress(func(*inventoryv1.Progress) { said++ }))
	for range 2 {
		for page, err := range seq {
			if err != nil || page.GetKeys().GetProjectId() != "a" {
				t.Errorf("%v, %v", page, err)
			}
			break
		}
	}
	if !slices.Equal(r.tokens(), []string{"0", "0"}) || r.open != 0 || said != 2 {
		t.Errorf("asked with %q, %d streams are open, %d times progress", r.tokens(), r.open, said)
	}
}

// TestWalkOfWhatIsNoInventory is refused without a call.
func TestWalkOfWhatIsNoInventory(t *testing.T) {
	t.Parallel()
	call := func(context.Context, proto.Message) (*stream, error) {
		t.Error("it was called")
		return nil, io.EOF
	}
	for _, err := range inventories.Walk(t.Context(), call, proto.Message(&adminv1.ListProjectsRequest{})) {
		if err == nil {
			t.Error("no error")
		}
	}
}
