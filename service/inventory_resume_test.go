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
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
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
	gw := newTourGateway(t, sandbox.Options{Users: 12, Projects: projects, AuditEvents: 10})
	method := inventoryOf(t, gw.Catalog, "ListApiKeys")
	all := gw.projects(t)
	if len(all) < projects*9/10 {
		t.Fatalf("%d projects", len(all))
	}
	whole, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || whole.end.GetComplete() == nil || !slices.Equal(whole.projectsOf(), all) {
		t.Fatalf("%v, %v", whole, err)
	}
	for _, d := range streamDoors[:2] {
		for i := range failures {
			gw.Sandbox.Inject(sandbox.Fault{Op: listKeys, Kind: sandbox.Refuse, Status: 404, Message: "gone fishing", After: i * 40, Times: 1})
		}
		first, err := gw.stream(t.Context(), d, "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		gw.Sandbox.ClearFaults()
		failed := first.failed()
		if len(failed) != failures || first.end.GetFailures() != failures {
			t.Errorf("%s: %d failures, %v", d.Name, len(failed), first)
		}
		if came := first.projectsOf(); len(came)+len(failed) != len(all) || slices.ContainsFunc(failed, func(id string) bool { return slices.Contains(came, id) }) {
			t.Errorf("%s: %d projects came and %d failed, of %d", d.Name, len(came), len(failed), len(all))
		}
		for _, failure := range first.failures {
			want := &inventoryv1.Failure{
				Method: "admingateway.admin.v1.ProjectApiKeyService/ListProjectApiKeys", ProjectId: failure.ProjectId,
				Code: int32(connect.CodeNotFound), Reason: upstream.ReasonNotFound, Message: "gone fishing",
			}
			if !proto.Equal(want, failure) {
				t.Errorf("%s: %v", d.Name, failure)
			}
		}
		if reasons := first.incomplete().GetReasons(); !slices.Equal(reasons, []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_FAILED}) || first.incomplete().GetRepeats() {
			t.Errorf("%s: %v", d.Name, first.end)
		}
		before := gw.Sandbox.Counts()
		again, err := gw.stream(t.Context(), d, "root", method, with(anyRequest(method), "resume_token", first.incomplete().GetResumeToken()))
		if err != nil || again.end.GetComplete() == nil || !slices.Equal(again.projectsOf(), failed) {
			t.Errorf("%s: resumed: %v, %v", d.Name, again, err)
		}
		if n := gw.Sandbox.Counts()["GET /organization/projects"] - before["GET /organization/projects"]; n > 0 {
			t.Errorf("%s: resuming listed the projects %d times", d.Name, n)
		}
		first.add(again)
		same(t, d.Name, whole.items, first.items)
	}
}

// wholeInventories are all inventories, streamed without a disturbance.
func wholeInventories(t *testing.T, options sandbox.Options) map[string]streamed {
	t.Helper()
	undisturbed := newTourGateway(t, options)
	whole := make(map[string]streamed)
	for _, method := range inventories(undisturbed.Catalog) {
		got, err := undisturbed.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err != nil {
			t.Fatal(err)
		}
		whole[method.ShortName()] = got
	}
	return whole
}

// TestInterruptedAnywhere interrupts every inventory after so many reads and
// resumes it, with more each time, until it is complete: each item has then come
// once, as if nothing had been.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	options := sandbox.Options{Users: 14, Projects: 9, Groups: 4, AuditEvents: 230}
	whole := wholeInventories(t, options)
	for _, reads := range []int64{1, 2, 5} {
		t.Run(fmt.Sprint(reads), func(t *testing.T) {
			t.Parallel()
			i := new(interruption)
			g := &gatewaytest.Gate{Before: i.before}
			gw := newTourGateway(t, options, gatewaytest.WithGate(g), gatewaytest.WithOptions(func(o *service.Options) { o.Inventory.Ending = i.ending }))
			for _, method := range inventories(gw.Catalog) {
				request := anyRequest(method)
				var all *streamed
				for budget := reads; all == nil || all.end.GetComplete() == nil; budget += budget/2 + 1 {
					i.after(budget)
					got, err := gw.stream(t.Context(), doors[0], "root", method, request)
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
	g := &gatewaytest.Gate{Before: func(ctx context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if n <= 2 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	gw := newTourGateway(t, sandbox.Options{}, gatewaytest.WithGate(g), gatewaytest.WithOptions(func(o *service.Options) { o.Inventory.Longest = 4 * time.Second }))
	method := inventoryOf(t, gw.Catalog, "ListApiKeys")
	for name, most := range map[string]time.Duration{"the gateway's": time.Hour, "the caller's": 3 * time.Second} {
		g.Asked.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), most)
		got, err := gw.stream(ctx, doors[0], "root", method, anyRequest(method))
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
	gw := newTourGateway(t, sandbox.Options{Users: 20, Projects: 260}, gatewaytest.WithOptions(func(o *service.Options) { o.Inventory.MaxOutermost = 100 }))
	method, all := inventoryOf(t, gw.Catalog, "ListApiKeys"), gw.projects(t)
	var came []string
	token := ""
	for range (len(all) + 99) / 100 {
		got, err := gw.stream(t.Context(), doors[0], "root", method, with(anyRequest(method), "resume_token", token))
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
	gw := newTourGateway(t, sandbox.Options{})
	gw.Policy.Set(t, admissiontest.RootPolicy+`
  - name: other
    authenticate: [{token_sha256: $other}]
    grants: [{permissions: ["*"]}]
    limits: $free
`)
	keys, users := inventoryOf(t, gw.Catalog, "ListApiKeys"), inventoryOf(t, gw.Catalog, "ListProjectUsers")
	gw.Sandbox.Inject(sandbox.Fault{Op: listKeys, Kind: sandbox.Refuse, Status: 404, Times: 1})
	first, err := gw.stream(t.Context(), doors[0], "root", keys, anyRequest(keys))
	if err != nil {
		t.Fatal(err)
	}
	token := first.incomplete().GetResumeToken()
	resume := func(caller string, method *catalog.Method, token string, archived bool) error {
		_, err := gw.stream(t.Context(), doors[0], caller, method, with(with(anyRequest(method), "resume_token", token), "include_archived", archived))
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

// TestCancelledInTheMiddle: when the caller hangs up, no read of the call goes on.
func TestCancelledInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, d := range streamDoors[:2] {
		began, ended := make(chan struct{}, 64), make(chan struct{}, 64)
		g := &gatewaytest.Gate{Before: func(ctx context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
			if n <= 20 {
				return nil
			}
			began <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
			return ctx.Err()
		}}
		log := new(gatewaytest.Records)
		gw := newTourGateway(t, sandbox.Options{Users: 20, Projects: 60}, gatewaytest.WithGate(g), gatewaytest.WithAudit(log))
		method := inventoryOf(t, gw.Catalog, "ListApiKeys")
		ctx, hangUp := context.WithCancel(t.Context())
		stream, err := gw.open(ctx, d, "root", method, anyRequest(method))
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
			t.Errorf("%s: %v", d.Name, err)
		}
		for range inventory.DefaultConcurrency { // All that were under way.
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: %d calls are still under way", d.Name, g.InFlight.Load())
			}
		}
		awaitRecord(t, log, 0)
		if n := g.InFlight.Load(); n != 0 {
			t.Errorf("%s: %d calls are under way after the end", d.Name, n)
		}
		if record := log.Calls()[0]; record.Code != "canceled" || record.Calls != g.Asked.Load() {
			t.Errorf("%s: %+v after %d calls", d.Name, record, g.Asked.Load())
		}
	}
}

// TestHungUpWhileItFlows: a caller that goes away while there is something to
// send ends all reads of its call. goleak would find one that is left.
func TestHungUpWhileItFlows(t *testing.T) {
	t.Parallel()
	log, g := new(gatewaytest.Records), new(gatewaytest.Gate)
	gw := newTourGateway(t, sandbox.Options{Users: 20, Projects: 400}, gatewaytest.WithGate(g), gatewaytest.WithAudit(log))
	method := inventoryOf(t, gw.Catalog, "ListApiKeys")
	for range 20 {
		before := len(log.Calls())
		ctx, hangUp := context.WithCancel(t.Context())
		stream, err := gw.open(ctx, doors[0], "root", method, anyRequest(method))
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
		if n := g.InFlight.Load(); n != 0 {
			t.Errorf("%d calls are under way after the end", n)
		}
	}
}

// awaitRecord waits for one more record, which is made when all reads of a
// call have ended.
func awaitRecord(t *testing.T, log *gatewaytest.Records, before int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); len(log.Calls()) == before; {
		if time.Now().After(deadline) {
			t.Fatal("the call does not end")
		}
		<-time.After(time.Millisecond)
	}
}

// TestPanicIsOneBranch: a panic in a read of one project is that project's failure,
// with a cache and without.
func TestPanicIsOneBranch(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		var broken string
		g := &gatewaytest.Gate{Before: func(_ context.Context, _ int64, endpoint *upstream.Endpoint, request *upstream.Request) error {
			if endpoint.String() == listKeys && strings.Contains(request.Path, broken) {
				panic(secretWord)
			}
			return nil
		}}
		options := []gatewaytest.Option{gatewaytest.WithGate(g)}
		if cached {
			options = append(options, gatewaytest.WithMemoryCache())
		}
		gw := newTourGateway(t, sandbox.Options{}, options...)
		all := gw.projects(t)
		broken = all[3]
		method := inventoryOf(t, gw.Catalog, "ListApiKeys")
		got, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err != nil || !slices.Equal(got.failed(), []string{broken}) || len(got.projectsOf()) != len(all)-1 {
			t.Fatalf("cached %t: %v, %v, %v", cached, got, got.failures, err)
		}
		if failure := got.failures[0]; failure.GetCode() != int32(connect.CodeInternal) || failure.GetReason() != rpcerror.ReasonInternal || strings.Contains(failure.String(), secretWord) {
			t.Errorf("cached %t: %v", cached, failure)
		}
	}
}
