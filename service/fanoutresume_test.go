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

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/inventory"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const listKeys = "GET /organization/projects/{project_id}/api_keys"

// TestFailuresAndTheRest: of 1,000 projects every fiftieth fails; the stream has
// the items or the failure of each, and resuming gives exactly the rest.
func TestFailuresAndTheRest(t *testing.T) {
	t.Parallel()
	const projects, failures = 1000, 20
	m := newMirror(t, sandbox.Options{Users: 12, Projects: projects, AuditEvents: 10})
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
				Method: "admingateway.admin.v1.ProjectApiKeyService/ListProjectApiKeys", ProjectId: failure.ProjectId,
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

// TestInterruptedAnywhere interrupts every inventory after so many reads and
// resumes it, with more each time, until it is complete: each item has then come
// once, as if nothing had been.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	options := sandbox.Options{Users: 14, Projects: 9, Groups: 4, AuditEvents: 230}
	undisturbed := newMirror(t, options)
	whole := make(map[string]streamed)
	for _, method := range inventories(undisturbed.catalog) {
		got, err := undisturbed.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		whole[method.ShortName()] = got
	}
	for _, reads := range []int64{1, 2, 5} {
		t.Run(fmt.Sprint(reads), func(t *testing.T) {
			t.Parallel()
			i := new(interruption)
			g := &gate{before: i.before}
			m := newMirror(t, options, g.through, func(o *service.Options) { o.Inventory.Ending = i.ending })
			for _, method := range inventories(m.catalog) {
				request := anyRequest(method)
				var all *streamed
				for budget := reads; all == nil || all.end.GetComplete() == nil; budget += budget/2 + 1 {
					i.after(budget)
					got, err := m.stream(t.Context(), doors[0], "root", method, request)
					if err != nil {
						t.Fatalf("%s: %v", method.ShortName(), err)
					}
					if end := got.incomplete(); end != nil && (!slices.Equal(end.GetReasons(), []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_DRAINING}) || end.GetRepeats() || len(got.failures) > 0) {
						t.Errorf("%s: %v, %v", method.ShortName(), got, got.failures)
					}
					with(request, "resume_token", got.incomplete().GetResumeToken())
					if all == nil {
						all = &got
					} else {
						all.add(got)
					}
				}
				same(t, method.ShortName(), whole[method.ShortName()].items, all.items)
			}
		})
	}
}

// interruption ends streams after so many reads.
type interruption struct {
	mu   sync.Mutex
	left int64
	end  chan struct{}
}

func (i *interruption) after(reads int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.left, i.end = reads, make(chan struct{})
}

func (i *interruption) ending() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.end
}

func (i *interruption) before(ctx context.Context, _ int64, _ *upstream.Endpoint, _ *upstream.Request) error {
	i.mu.Lock()
	i.left--
	if i.left == -1 {
		close(i.end)
	}
	over := i.left < 0
	i.mu.Unlock()
	if !over {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestTimeIsOver: a stream whose time is over ends with a token, in time, and what
// is under way is nobody's failure.
func TestTimeIsOver(t *testing.T) {
	t.Parallel()
	g := &gate{before: func(ctx context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if n <= 2 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	m := newMirror(t, sandbox.Options{}, g.through, func(o *service.Options) { o.Inventory.Longest = 4 * time.Second })
	method := inventoryOf(t, m.catalog, "ListApiKeys")
	for name, most := range map[string]time.Duration{"the gateway's": time.Hour, "the caller's": 3 * time.Second} {
		g.asked.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), most)
		got, err := m.stream(ctx, doors[0], "root", method, anyRequest(method))
		cancel()
		if err != nil || len(got.failures) > 0 || !slices.Equal(got.incomplete().GetReasons(), []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_OUT_OF_TIME}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestMoreThanOneStreamReads: a stream goes through so many projects, says that
// there are more, and the next one goes on behind them.
func TestMoreThanOneStreamReads(t *testing.T) {
	t.Parallel()
	m := newMirror(t, sandbox.Options{Users: 20, Projects: 260}, func(o *service.Options) { o.Inventory.MaxOutermost = 100 })
	method, all := inventoryOf(t, m.catalog, "ListApiKeys"), m.projects(t)
	var came []string
	token := ""
	for range (len(all) + 99) / 100 {
		got, err := m.stream(t.Context(), doors[0], "root", method, with(anyRequest(method), "resume_token", token))
		if err != nil {
			t.Fatal(err)
		}
		came = append(came, got.projectsOf()...)
		token = got.incomplete().GetResumeToken()
		if token != "" && !slices.Equal(got.incomplete().GetReasons(), []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_TOO_MANY}) {
			t.Errorf("%v", got)
		}
	}
	slices.Sort(came)
	if token != "" || !slices.Equal(came, all) {
		t.Errorf("%d projects came, of %d; left %q", len(came), len(all), token)
	}
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
	resume := func(caller string, method *catalog.Method, token string, archived bool) error {
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
		for range inventory.DefaultConcurrency {
			<-began
		}
		hangUp()
		for err == nil {
			err = stream.Receive(response)
		}
		if connect.CodeOf(err) != connect.CodeCanceled {
			t.Errorf("%s: %v", d.name, err)
		}
		for range inventory.DefaultConcurrency { // All that were under way.
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: %d calls are still under way", d.name, g.under.Load())
			}
		}
		awaitRecord(t, log, 0)
		if n := g.under.Load(); n != 0 {
			t.Errorf("%s: %d calls are under way after the end", d.name, n)
		}
		if record := log.all()[0]; record.Code != "canceled" || record.Calls != g.asked.Load() {
			t.Errorf("%s: %+v after %d calls", d.name, record, g.asked.Load())
		}
	}
}

// TestHungUpWhileItFlows: a caller that goes away while there is something to
// send takes everything below along. What is left behind would be found by
// goleak.
func TestHungUpWhileItFlows(t *testing.T) {
	t.Parallel()
	log, g := new(records), new(gate)
	m := newMirror(t, sandbox.Options{Users: 20, Projects: 400}, g.through, func(o *service.Options) { o.Audit = log })
	method := inventoryOf(t, m.catalog, "ListApiKeys")
	for range 20 {
		before := len(log.all())
		ctx, hangUp := context.WithCancel(t.Context())
		stream, err := m.open(ctx, doors[0], "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		response := &inventoryv1.ListApiKeysResponse{}
		for range 3 {
			if err := stream.Receive(response); err != nil {
				t.Fatal(err)
			}
		}
		hangUp()
		awaitRecord(t, log, before)
		if n := g.under.Load(); n != 0 {
			t.Errorf("%d calls are under way after the end", n)
		}
	}
}

// awaitRecord waits for one more record, which is made when everything below a
// call has ended.
func awaitRecord(t *testing.T, log *records, before int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); len(log.all()) == before; {
		if time.Now().After(deadline) {
			t.Fatal("the call does not end")
		}
		<-time.After(time.Millisecond)
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
				o.Cache = memoryCache(t, catalogtest.Gateway(t), nil)
			}
		})
		all := m.projects(t)
		broken = all[3]
		method := inventoryOf(t, m.catalog, "ListApiKeys")
		got, err := m.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err != nil || !slices.Equal(got.failed(), []string{broken}) || len(got.projectsOf()) != len(all)-1 {
			t.Fatalf("cached %t: %v, %v, %v", cached, got, got.failures, err)
		}
		if failure := got.failures[0]; failure.GetCode() != int32(connect.CodeInternal) || failure.GetReason() != rpcerror.ReasonInternal || strings.Contains(failure.String(), secretWord) {
			t.Errorf("cached %t: %v", cached, failure)
		}
	}
}
