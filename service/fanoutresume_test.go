package service_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/gateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const listKeys = "GET /organization/projects/{project_id}/api_keys"

// TestFailuresAndTheRest: of 1,000 projects every fiftieth fails; the stream has
// the items or the failure of each, and resuming gives exactly the rest.
func TestFailuresAndTheRest(t *testing.T) {
	t.Parallel()
	const projects, failures = 1000, 20
	m := newMirror(t, sandbox.Options{Users: 40, Projects: projects, AuditEvents: 10})
	method := inventoryOf(t, m.catalog, "ListApiKeys")
	all := m.projects(t)
	if len(all) < projects*9/10 {
		t.Fatalf("%d projects", len(all))
	}
	whole, err := m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || whole.end.GetComplete() == nil || !slices.Equal(whole.projectsOf(), all) {
		t.Fatalf("%v, %v", whole, err)
	}
	for _, d := range streamDoors[:2] {
		for i := range failures {
			m.fake.Inject(sandbox.Fault{Op: listKeys, Kind: sandbox.Refuse, Status: 404, Message: "gone fishing", After: i * 40, Times: 1})
		}
		first, err := m.stream(t.Context(), d, "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		m.fake.ClearFaults()
		failed := first.failed()
		if len(failed) != failures || first.end.GetFailures() != failures {
			t.Errorf("%s: %d failures, %v", d.name, len(failed), first)
		}
		if came := first.projectsOf(); len(came)+len(failed) != len(all) || slices.ContainsFunc(failed, func(id string) bool { return slices.Contains(came, id) }) {
			t.Errorf("%s: %d projects came and %d failed, of %d", d.name, len(came), len(failed), len(all))
		}
		for _, failure := range first.failures {
			want := &inventoryv1.Failure{
				Method: "openai.admin.v1.ProjectApiKeyService/ListProjectApiKeys", ProjectId: failure.ProjectId,
				Code: int32(connect.CodeNotFound), Reason: upstream.ReasonNotFound, Message: "gone fishing",
			}
			if !proto.Equal(want, failure) {
				t.Errorf("%s: %v", d.name, failure)
			}
		}
		if reasons := first.incomplete().GetReasons(); !slices.Equal(reasons, []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_FAILED}) || first.incomplete().GetRepeats() {
			t.Errorf("%s: %v", d.name, first.end)
		}
		before := m.fake.Counts()
		again, err := m.stream(t.Context(), d, "root", method, with(anyRequest(method), "resume_token", first.incomplete().GetResumeToken()))
		if err != nil || again.end.GetComplete() == nil || !slices.Equal(again.projectsOf(), failed) {
			t.Errorf("%s: resumed: %v, %v", d.name, again, err)
		}
		if n := m.fake.Counts()["GET /organization/projects"] - before["GET /organization/projects"]; n > 0 {
			t.Errorf("%s: resuming listed the projects %d times", d.name, n)
		}
		first.add(again)
		same(t, d.name, whole.items, first.items)
	}
}

// TestInterruptedAnywhere interrupts every inventory after so many reads, by the
// end of its time, and resumes it with the same again, until it is complete: each
// item has then come once.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	for _, first := range []int64{1, 5} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			interruptEverywhere(t, first)
		})
	}
}

func interruptEverywhere(t *testing.T, reads int64) {
	t.Helper()
	var left sync.Map
	g := &gate{before: func(ctx context.Context, _ int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		budget, ok := left.Load("budget")
		if !ok {
			return nil
		}
		if counter, _ := budget.(*counter); counter.take() {
			return nil
		}
		<-ctx.Done() // The upstream is slow, and the time passes.
		return ctx.Err()
	}}
	m := newMirror(t, sandbox.Options{Users: 14, Projects: 9, Groups: 4, AuditEvents: 230}, g.through, func(o *service.Options) {
		o.FanOut.Longest = 250 * time.Millisecond
	})
	for _, method := range inventories(m.catalog) {
		request := anyRequest(method)
		var all *streamed
		for round, budget := 0, reads; all == nil || all.end.GetComplete() == nil; round, budget = round+1, 3*budget {
			if round > 100 {
				t.Fatalf("%s does not come to an end", method.Name())
			}
			left.Store("budget", &counter{left: budget})
			got, err := m.stream(t.Context(), doors[0], "root", method, request)
			if connect.CodeOf(err) == connect.CodeDeadlineExceeded {
				continue // A slow machine. What has no end does not count.
			}
			if err != nil {
				t.Fatalf("%s: %v", method.Name(), err)
			}
			if i := got.incomplete(); i != nil && (!slices.Contains(i.GetReasons(), inventoryv1.Incomplete_REASON_OUT_OF_TIME) || i.GetRepeats() || len(got.failures) > 0) {
				t.Errorf("%s: %v, %v", method.Name(), got, got.failures)
			}
			with(request, "resume_token", got.incomplete().GetResumeToken())
			if all == nil {
				all = &got
			} else {
				all.add(got)
			}
		}
		left.Delete("budget")
		whole, err := m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		for whole.end.GetComplete() == nil { // A slow machine.
			whole, err = m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		}
		if err != nil {
			t.Fatal(err)
		}
		same(t, method.Name(), whole.items, all.items)
	}
}

// counter lets so many pass.
type counter struct {
	mu   sync.Mutex
	left int64
}

func (c *counter) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left--
	return c.left >= 0
}

// TestResumeTokenBelongsToItsCall: a token is worth nothing anywhere else.
func TestResumeTokenBelongsToItsCall(t *testing.T) {
	t.Parallel()
	m := newMirror(t, sandbox.Options{})
	m.policy.current.Store(policySet(t, m.catalog, rootPolicy+`
  - name: other
    authenticate: [{token_sha256: $other}]
    grants: [{permissions: ["*"]}]
    limits: $free
`))
	keys, users := inventoryOf(t, m.catalog, "ListApiKeys"), inventoryOf(t, m.catalog, "ListProjectUsers")
	m.fake.Inject(sandbox.Fault{Op: listKeys, Kind: sandbox.Refuse, Status: 404, Times: 1})
	first, err := m.stream(t.Context(), doors[0], "root", keys, anyRequest(keys))
	if err != nil {
		t.Fatal(err)
	}
	token := first.incomplete().GetResumeToken()
	resume := func(caller string, method *service.OwnMethod, token string, archived bool) error {
		_, err := m.stream(t.Context(), doors[0], caller, method, with(with(anyRequest(method), "resume_token", token), "include_archived", archived))
		return err
	}
	if err := resume("root", keys, token, false); err != nil {
		t.Errorf("where it belongs: %v", err)
	}
	for name, err := range map[string]error{
		"another caller":  resume("other", keys, token, false),
		"another RPC":     resume("root", users, token, false),
		"another request": resume("root", keys, token, true),
		"cut off":         resume("root", keys, token[:len(token)-2], false),
		"longer":          resume("root", keys, token+"AA", false),
		"no token":        resume("root", keys, "token", false),
		"too long":        resume("root", keys, strings.Repeat("A", 65537), false),
	} {
		if connect.CodeOf(err) != connect.CodeInvalidArgument || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCancelledInTheMiddle: when the caller hangs up, nothing below goes on.
func TestCancelledInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, d := range streamDoors[:2] {
		began, ended := make(chan struct{}, 64), make(chan struct{}, 64)
		g := &gate{before: func(ctx context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
			if n <= 20 {
				return nil
			}
			began <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
			return ctx.Err()
		}}
		log := new(records)
		m := newMirror(t, sandbox.Options{Users: 20, Projects: 60}, g.through, func(o *service.Options) { o.Audit = log })
		method := inventoryOf(t, m.catalog, "ListApiKeys")
		ctx, hangUp := context.WithCancel(t.Context())
		stream, err := m.open(ctx, d, "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		response := &inventoryv1.ListApiKeysResponse{}
		for range 10 {
			if err := stream.Receive(response); err != nil {
				t.Fatal(err)
			}
		}
		for range service.DefaultFanOutConcurrency {
			<-began
		}
		hangUp()
		for err == nil {
			err = stream.Receive(response)
		}
		if connect.CodeOf(err) != connect.CodeCanceled {
			t.Errorf("%s: %v", d.name, err)
		}
		for range service.DefaultFanOutConcurrency { // All that were under way.
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: %d calls are still under way", d.name, g.under.Load())
			}
		}
		// The record is made when everything below has ended.
		for deadline := time.Now().Add(30 * time.Second); len(log.all()) == 0; {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the call does not end", d.name)
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ended:
				t.Errorf("%s: a call began after the end", d.name)
			}
		}
		if n := g.under.Load(); n != 0 {
			t.Errorf("%s: %d calls are under way after the end", d.name, n)
		}
		if record := log.all()[0]; record.Code != "canceled" || record.Calls != g.asked.Load() {
			t.Errorf("%s: %+v after %d calls", d.name, record, g.asked.Load())
		}
	}
}

// TestPanicIsOneBranch: a panic below one project is that project's failure,
// with a cache and without.
func TestPanicIsOneBranch(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		var broken string
		g := &gate{before: func(_ context.Context, _ int64, endpoint *upstream.Endpoint, request *upstream.Request) error {
			if endpoint.String() == listKeys && strings.Contains(request.Path, broken) {
				panic(secretWord)
			}
			return nil
		}}
		m := newMirror(t, sandbox.Options{}, g.through, func(o *service.Options) {
			if cached {
				o.Cache = memoryCache(t, realCatalog(t), nil)
			}
		})
		all := m.projects(t)
		broken = all[3]
		method := inventoryOf(t, m.catalog, "ListApiKeys")
		got, err := m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err != nil || !slices.Equal(got.failed(), []string{broken}) || len(got.projectsOf()) != len(all)-1 {
			t.Fatalf("cached %t: %v, %v, %v", cached, got, got.failures, err)
		}
		if failure := got.failures[0]; failure.GetCode() != int32(connect.CodeInternal) || failure.GetReason() != service.ReasonInternal || strings.Contains(failure.String(), secretWord) {
			t.Errorf("cached %t: %v", cached, failure)
		}
	}
}
