package service_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/redis/go-redis/v9"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// newPacedGateway is a gateway that paces its calls to a sandbox.
func newPacedGateway(t *testing.T, fake *gatewaytest.Sandbox, pacing pace.Options, options ...gatewaytest.Option) *gatewaytest.Gateway {
	t.Helper()
	return gatewaytest.New(t, append(options, gatewaytest.WithSandbox(fake), gatewaytest.WithPacing(pacing),
		gatewaytest.WithOptions(func(o *service.Options) { o.LongestCall = time.Minute }))...)
}

// TestReplicasKeepOneBudget: a hundred callers at three replicas never ask for
// more, in any window that the sandbox saw, than it admits.
func TestReplicasKeepOneBudget(t *testing.T) {
	t.Parallel()
	// The sandbox measures arrivals, and the machine of a test may stand still
	// between a departure and its arrival: hence a wide margin.
	const budget, calls, window = 10, 45, time.Second
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1, Budget: sandbox.Budget{Requests: budget, Window: window}})
	addr := redistest.Start(t)
	var gateways []*gatewaytest.Gateway
	for range 3 {
		client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		shared, err := pace.NewRedis(client, pace.RedisOptions{Organization: "org", CallTimeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		gateways = append(gateways, newPacedGateway(t, fake, pace.Options{
			Window: window, Margin: 0.3, Organization: pace.Limit{Calls: 100, Burst: 1}, Default: pace.Limit{Calls: budget, Burst: 1}, Shared: shared,
		}))
	}
	var failed atomic.Int32
	var all sync.WaitGroup
	for i := range calls {
		users := adminv1connect.NewUserServiceClient(gateways[i%len(gateways)].Client("root"))
		all.Go(func() {
			if _, err := users.GetUser(t.Context(), &adminv1.GetUserRequest{UserId: fmt.Sprintf("user_%d", i)}); connect.CodeOf(err) != connect.CodeNotFound {
				failed.Add(1)
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	all.Wait()
	peaks, total := fake.Peaks(), 0
	for operation, peak := range peaks {
		if peak > budget {
			t.Errorf("%s was asked %d times in one window, and admits %d", operation, peak, budget)
		}
	}
	for _, n := range fake.Counts() {
		total += n
	}
	if total != calls || failed.Load() > 0 {
		t.Errorf("%d of %d calls arrived", total, calls)
	}
}

// TestNoBudgetInTime: a call that cannot be made before its deadline fails at
// once, and neither waits nor spends: also where its answer would be stored, and
// also for a caller that joins the fetch of another.
func TestNoBudgetInTime(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		t.Run(fmt.Sprintf("cached: %t", cached), func(t *testing.T) {
			t.Parallel()
			fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
			fake.Inject(sandbox.Fault{Op: "*", Kind: sandbox.RateLimit, RetryAfter: 30, Times: 1})
			var options []gatewaytest.Option
			if cached {
				options = append(options, gatewaytest.WithMemoryCache())
			}
			gateway := newPacedGateway(t, fake, pace.Options{Default: pace.Limit{Calls: 1000, Burst: 100}, Organization: pace.Limit{Calls: 1000, Burst: 100}}, options...)
			users := adminv1connect.NewUserServiceClient(gateway.Client("root"))
			for call, want := range []struct {
				reason string
				asked  int
			}{{upstream.ReasonRateLimited, 1}, {upstream.ReasonNoBudget, 1}, {upstream.ReasonNoBudget, 1}} {
				// Were it waited for, the deadline would pass and the code be another.
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				_, err := users.GetUser(ctx, &adminv1.GetUserRequest{UserId: "user_1"})
				cancel()
				t.Logf("call %d: answered after %s", call, time.Since(began))
				if connect.CodeOf(err) != connect.CodeResourceExhausted || reason(t, err) != want.reason || retryOf(t, err) < 20*time.Second {
					t.Errorf("call %d: %v, %s, retry after %s", call, err, reason(t, err), retryOf(t, err))
				}
				if n := total(fake.Counts()); n != want.asked {
					t.Errorf("call %d: the upstream was asked %d times", call, n)
				}
			}
		})
	}
}

func total(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// retryOf is what an error says of when to come again.
func retryOf(t *testing.T, err error) time.Duration {
	t.Helper()
	for _, info := range details[*errdetails.RetryInfo](t, err) {
		return info.GetRetryDelay().AsDuration()
	}
	return 0
}

// TestRevocationsGoFirst: what takes access away does not wait behind reads.
func TestRevocationsGoFirst(t *testing.T) {
	t.Parallel()
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
	// The organization's bucket is what all wait for.
	gateway := newPacedGateway(t, fake, pace.Options{
		Window: time.Second, Organization: pace.Limit{Calls: 5, Burst: 1}, Default: pace.Limit{Calls: 100, Burst: 10},
	})
	users := adminv1connect.NewUserServiceClient(gateway.Client("root"))
	order := make(chan string, 20)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			_, err := users.GetUser(t.Context(), &adminv1.GetUserRequest{UserId: "user_none"})
			if connect.CodeOf(err) != connect.CodeNotFound {
				t.Error(err)
			}
			order <- "read"
		})
	}
	eventually(t, "the reads wait", func() bool { return gateway.Pacer.Snapshot(t.Context())[0].Queued.Interactive >= 4 })
	all.Go(func() {
		_, err := users.DeleteUser(t.Context(), &adminv1.DeleteUserRequest{UserId: "user_none"})
		if connect.CodeOf(err) != connect.CodeNotFound {
			t.Error(err)
		}
		order <- "delete"
	})
	all.Wait()
	close(order)
	after := 0
	for what := range order {
		if what == "delete" {
			after = len(order)
		}
	}
	// At the most the one that had its turn already, and one more, go before it.
	if after < 2 {
		t.Errorf("%d reads came after the delete", after)
	}
}

// eventually waits until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never: " + what)
		}
	}
}

// TestGetBudget: operators see the buckets, what was refused and for how long.
func TestGetBudget(t *testing.T) {
	t.Parallel()
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
	fake.Inject(sandbox.Fault{Op: "*", Kind: sandbox.RateLimit, RetryAfter: 30, Times: 1})
	gateway := newPacedGateway(t, fake, pace.Options{
		Default: pace.Limit{Calls: 100, Burst: 10}, Buckets: map[string]pace.Limit{"delete_user": {Calls: 20, Burst: 2}},
	})
	users := adminv1connect.NewUserServiceClient(gateway.Client("root"))
	_, err := users.DeleteUser(withDeadline(t, 3*time.Second), &adminv1.DeleteUserRequest{UserId: "user_none"})
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Fatal(err)
	}
	got, err := controlv1connect.NewBudgetServiceClient(gateway.Client("root")).GetBudget(t.Context(), &controlv1.GetBudgetRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var bucket *controlv1.BudgetBucket
	for _, b := range got.GetBuckets() {
		if b.GetName() == "delete_user" {
			bucket = b
		}
	}
	if bucket.GetCeilingPerMinute() != 20 || bucket.GetRatePerMinute() >= 20 || bucket.GetBurst() < 1 ||
		!bucket.GetClosedUntil().AsTime().After(time.Now().Add(20*time.Second)) || bucket.GetLastLimited() == nil {
		t.Errorf("the bucket that was refused: %v", bucket)
	}
	if o := got.GetOrganization(); o.GetName() != "" || o.GetCeilingPerMinute() != 60 || got.GetShared() {
		t.Errorf("the organization's: %v, shared: %t", o, got.GetShared())
	}
}

func withDeadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestWithoutPacing: a gateway that does not pace says so.
func TestWithoutPacing(t *testing.T) {
	t.Parallel()
	client := controlv1connect.NewBudgetServiceClient(gatewaytest.New(t).Client("root"))
	_, err := client.GetBudget(t.Context(), &controlv1.GetBudgetRequest{})
	wantRefusal(t, err, connect.CodeFailedPrecondition, "does not pace")
}

// TestJoiningAnInventorysReadRaisesIt: a read that an inventory has begun is
// as urgent as the most urgent caller that waits for it.
func TestJoiningAnInventorysReadRaisesIt(t *testing.T) {
	t.Parallel()
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
	gateway := newPacedGateway(t, fake, pace.Options{
		Window: 10 * time.Second, Organization: pace.Limit{Calls: 1, Burst: 1}, Default: pace.Limit{Calls: 1, Burst: 1},
	}, gatewaytest.WithMemoryCache())
	users := adminv1connect.NewUserServiceClient(gateway.Client("root"))
	// It takes what there is.
	if _, err := users.GetUser(t.Context(), &adminv1.GetUserRequest{UserId: "user_none"}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		stream, err := inventoryv1connect.NewInventoryServiceClient(gateway.Client("root")).ListUsers(ctx, &inventoryv1.ListUsersRequest{})
		for err == nil {
			_, err = stream.Receive()
		}
	})
	queued := func() pace.Queued { return gateway.Pacer.Snapshot(t.Context())[0].Queued }
	eventually(t, "the inventory waits", func() bool { return queued() == pace.Queued{FanOut: 1} })
	all.Go(func() { _, _ = users.ListUsers(ctx, &adminv1.ListUsersRequest{Limit: new(int32(100))}) })
	eventually(t, "its read waits as somebody's", func() bool { return queued() == pace.Queued{Interactive: 1} })
	cancel()
	all.Wait()
}

// TestUnsentWritesMakeNothingStale: a write that is refused for budget, or whose
// caller gives up while it waits for budget, was never sent. What it would have made
// stale is still answered from memory.
func TestUnsentWritesMakeNothingStale(t *testing.T) {
	t.Parallel()
	update := catalogtest.Method(t, "ProjectService/UpdateProject")
	unlimited := pace.Limit{Calls: 10_000, Burst: 1000}
	gateway := gatewaytest.New(t, gatewaytest.WithMemoryCache(), gatewaytest.WithPacing(pace.Options{
		Window: 50 * time.Second, Organization: unlimited, Default: unlimited, Buckets: map[string]pace.Limit{update.Budget: {Calls: 1, Burst: 1}},
	}))
	projects := adminv1connect.NewProjectServiceClient(gateway.Client("root"))
	read := func(when, want string) {
		t.Helper()
		before := gateway.Asked.Load()
		if _, err := projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_1"}); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got, asked := gateway.Records.Last().Cache, gateway.Asked.Load()-before; got != want || asked > 0 != (want == "miss") {
			t.Errorf("%s: the read was a %s and asked the upstream %d times, want a %s", when, got, asked, want)
		}
	}
	write := func(ctx context.Context, id string) error {
		_, err := projects.UpdateProject(ctx, &adminv1.UpdateProjectRequest{ProjectId: id, Name: new("x")})
		return err
	}
	read("at first", "miss")
	// A write of another project spends the budget.
	if err := write(t.Context(), "proj_2"); err != nil {
		t.Fatal(err)
	}
	read("after a write of another project", "hit")
	if err := write(withDeadline(t, 3*time.Second), "proj_1"); reason(t, err) != upstream.ReasonNoBudget {
		t.Errorf("without budget: %v", err)
	}
	read("after a write without budget", "hit")
	ctx, giveUp := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- write(ctx, "proj_1") }()
	eventually(t, "the write waits", func() bool {
		return slices.ContainsFunc(gateway.Pacer.Snapshot(t.Context()), func(s pace.BucketState) bool {
			return s.Bucket == update.Budget && s.Queued.Interactive == 1
		})
	})
	read("while a write waits", "hit")
	giveUp()
	if err := <-ended; connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("given up: %v", err)
	}
	read("after a write that was given up", "hit")
	if n := gateway.Asked.Load(); n != 2 {
		t.Errorf("the upstream was asked %d times", n)
	}
}
