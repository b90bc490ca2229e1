package service_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/outcome"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestSameKeyAtOnce: callers of two replicas come with one key at the same time.
// One call goes up, all get its answer, and who cannot wait for it is told that
// its time is up.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	const callers = 20
	addr := redistest.Start(t)
	arrived, release := make(chan struct{}, 8), make(chan struct{})
	answer := func(context.Context) (*upstream.Reply, error) {
		arrived <- struct{}{}
		<-release
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "proj_1"}`)}, nil
	}
	a, b := newKeyedStub(t, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr)), answer), newKeyedStub(t, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr)), answer)
	type got struct {
		id       string
		replayed bool
		err      error
	}
	all := make(chan got)
	call := func(s *keyedStub) {
		id, replayed, err := s.createAs(t, "root", "k", "one")
		all <- got{id, replayed, err}
	}
	for i := range callers {
		go call([]*keyedStub{a, b}[i%2])
	}
	<-arrived
	hasty, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, _, err := callKeyed(hasty, t, b.client, "k", b.create, &adminv1.CreateProjectRequest{Name: "one"})
		left <- err
	}()
	cancel()
	if err := <-left; connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("who left: %v", err)
	}
	close(release)
	first := 0
	for range callers {
		g := <-all
		if g.err != nil || g.id != "proj_1" {
			t.Errorf("got %s, %v", g.id, g.err)
		}
		if !g.replayed {
			first++
		}
	}
	if n := a.Asked.Load() + b.Asked.Load(); n != 1 || first != 1 {
		t.Errorf("asked %d times, %d answers are marked as the first", n, first)
	}
}

// TestUndoneWritesGiveTheirKeyBack: what certainly did not happen may be tried
// again with its key.
func TestUndoneWritesGiveTheirKeyBack(t *testing.T) {
	t.Parallel()
	fake, up := newTourSandbox(t)
	s := newKeyedGateway(t, up, gatewaytest.MemoryOutcomes(t))
	client := s.Client("root")
	create, _ := catalogtest.Gateway(t).Lookup("/admingateway.admin.v1.ProjectService/CreateProject")
	for i, fault := range []sandbox.Fault{
		{Kind: sandbox.RateLimit},
		{Kind: sandbox.Refuse, Status: 400}, {Kind: sandbox.Refuse, Status: 404}, {Kind: sandbox.Refuse, Status: 409}, {Kind: sandbox.Refuse, Status: 401},
		{Kind: sandbox.Refuse, Status: 500}, {Kind: sandbox.Refuse, Status: 503},
		{Kind: sandbox.Redirect, Location: "https://elsewhere.example/"},
	} {
		fault.Op = create.Endpoint.String()
		key, request := fmt.Sprint("k", i), &adminv1.CreateProjectRequest{Name: fmt.Sprint(i)}
		remove := fake.Inject(fault)
		before := fake.Count(fault.Op)
		for range 2 {
			if _, replayed, err := callKeyed(t.Context(), t, client, key, create, request); err == nil || replayed || connect.CodeOf(err) == connect.CodeUnknown {
				t.Errorf("%+v: %v, replayed: %t", fault, err, replayed)
			}
		}
		remove()
		// Another request is as good: nothing was ever done with the key.
		request.Name = "another " + request.GetName()
		if _, replayed, err := callKeyed(t.Context(), t, client, key, create, request); err != nil || replayed {
			t.Errorf("%+v, then none: %v, replayed: %t", fault, err, replayed)
		}
		if _, replayed, err := callKeyed(t.Context(), t, client, key, create, request); err != nil || !replayed {
			t.Errorf("%+v, then done: %v, replayed: %t", fault, err, replayed)
		}
		if n := fake.Count(fault.Op) - before; n != 3 {
			t.Errorf("%+v: asked %d times", fault, n)
		}
	}
	// Nor is one used up that was never sent.
	s.Records.Fail = func(*audit.Record) error { return errSinkFull }
	if _, _, err := callKeyed(t.Context(), t, client, "unrecorded", create, &adminv1.CreateProjectRequest{Name: "x"}); reason(t, err) != rpcerror.ReasonAuditUnavailable {
		t.Errorf("without a record: %v", err)
	}
	s.Records.Fail = nil
	if _, replayed, err := callKeyed(t.Context(), t, client, "unrecorded", create, &adminv1.CreateProjectRequest{Name: "x"}); err != nil || replayed {
		t.Errorf("with one: %v, replayed: %t", err, replayed)
	}
}

// TestDoneAndNotRecordedWithAKey: a caller whose write was made and not recorded
// gets its answer with its key.
func TestDoneAndNotRecordedWithAKey(t *testing.T) {
	t.Parallel()
	s := newKeyedStub(t, gatewaytest.MemoryOutcomes(t), nil)
	s.Records.Fail = func(r *audit.Record) error {
		if r.Event == audit.EventCall {
			return errSinkFull
		}
		return nil
	}
	if _, _, err := s.createAs(t, "root", "k", "one"); reason(t, err) != rpcerror.ReasonWriteNotRecorded {
		t.Fatal(err)
	}
	if id, replayed, err := s.createAs(t, "root", "k", "one"); err != nil || id != "proj_1" || !replayed || s.Asked.Load() != 1 {
		t.Errorf("%s, %v, replayed: %t, asked %d times", id, err, replayed, s.Asked.Load())
	}
}

// TestPanicsLeaveAnUnknownOutcome at once, and not when a lease is over.
func TestPanicsLeaveAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	s := newKeyedStub(t, gatewaytest.MemoryOutcomes(t), func(context.Context) (*upstream.Reply, error) { panic("oops") })
	if _, _, err := s.createAs(t, "root", "k", "one"); connect.CodeOf(err) != connect.CodeInternal {
		t.Errorf("the call that panicked: %v", err)
	}
	for range 2 {
		_, replayed, err := s.createAs(t, "root", "k", "one")
		if connect.CodeOf(err) != connect.CodeUnknown || reason(t, err) != upstream.ReasonOutcomeUnknown || !replayed {
			t.Errorf("%v, replayed: %t", err, replayed)
		}
	}
	if n := s.Asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestReplicaDies in the middle of a write: when its lease is over, the outcome
// is unknown, and stays so when it turns out to have lived.
func TestReplicaDies(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	answer := func(context.Context) (*upstream.Reply, error) {
		close(arrived)
		<-release
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "proj_1"}`)}, nil
	}
	a, b := newKeyedStub(t, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr)), answer), newKeyedStub(t, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr)), nil)
	dead := make(chan error)
	go func() {
		_, _, err := a.createAs(t, "root", "k", "one")
		dead <- err
	}()
	<-arrived
	endLeases(t, addr)
	unknown := func(when string) {
		t.Helper()
		for _, s := range []*keyedStub{b, a} {
			_, replayed, err := s.createAs(t, "root", "k", "one")
			if connect.CodeOf(err) != connect.CodeUnknown || reason(t, err) != upstream.ReasonOutcomeUnknown || !replayed {
				t.Errorf("%s: %v, replayed: %t", when, err, replayed)
			}
		}
	}
	unknown("after the lease")
	close(release)
	if err := <-dead; err != nil {
		t.Errorf("the one that lived has lost its answer: %v", err)
	}
	unknown("after it came back")
	if n := a.Asked.Load() + b.Asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// endLeases ends those of all outcomes in Redis, as time would.
func endLeases(t *testing.T, addr string) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	names, err := client.Keys(t.Context(), "gw:{*}:o:*").Result()
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		held, err := client.Get(t.Context(), name).Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Set(t.Context(), name, held[:60]+"1", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// brokenOutcomes fail where a test wants them to.
type brokenOutcomes struct {
	outcome.Store
	begin, finish error
}

func (b *brokenOutcomes) Begin(ctx context.Context, key outcome.Key, f outcome.Fingerprint, lease time.Duration) (outcome.Result, error) {
	if b.begin != nil {
		return outcome.Result{}, b.begin
	}
	begun, err := b.Store.Begin(ctx, key, f, lease)
	if begun.Claim != nil && b.finish != nil {
		begun.Claim = brokenClaim{begun.Claim, b.finish}
	}
	return begun, err
}

type brokenClaim struct {
	outcome.Claim
	err error
}

func (c brokenClaim) Finish(context.Context, []byte) error { return c.err }

// TestOutcomesUnavailable: a write whose outcome cannot be stored is not made; one
// whose outcome cannot be stored after it was made is answered, and not made again.
func TestOutcomesUnavailable(t *testing.T) {
	t.Parallel()
	broken := &brokenOutcomes{Store: gatewaytest.MemoryOutcomes(t)}
	s := newKeyedStub(t, broken, nil)
	for _, broken.begin = range []error{fmt.Errorf("%w: gone", cache.ErrUnavailable), outcome.ErrFull, outcome.ErrOwnerFull} {
		_, _, err := s.createAs(t, "root", "k", "one")
		if connect.CodeOf(err) != connect.CodeUnavailable || reason(t, err) != rpcerror.ReasonIdempotencyUnavailable || s.Asked.Load() != 0 {
			t.Errorf("%v, asked %d times", err, s.Asked.Load())
		}
	}
	// Without a key there is nothing to store.
	if err := s.client.CallUnary(t.Context(), s.create.Spec(), &adminv1.CreateProjectRequest{Name: "x"}, s.create.Response.New().Interface()); err != nil {
		t.Errorf("without a key: %v", err)
	}
	broken.begin, broken.finish = nil, fmt.Errorf("%w: gone", cache.ErrUnavailable)
	if id, _, err := s.createAs(t, "root", "k", "one"); err != nil || id != "proj_2" {
		t.Errorf("the caller has lost its answer: %s, %v", id, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // It waits for the lease.
	defer cancel()
	if _, _, err := callKeyed(ctx, t, s.client, "k", s.create, &adminv1.CreateProjectRequest{Name: "one"}); connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("while it is not known what came of it: %v", err)
	}
	if n := s.Asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// TestOneCallerTakesNoMoreThanAShare: a caller that has used its share of the store is
// refused, keeps its outcomes, and takes no room from another.
func TestOneCallerTakesNoMoreThanAShare(t *testing.T) {
	t.Parallel()
	memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: outcome.MinMemory, MaxCount: 8})
	if err != nil {
		t.Fatal(err)
	}
	s := newKeyedStub(t, gatewaytest.SealedOutcomes(t, memory), nil)
	for _, key := range []string{"a", "b"} {
		if _, _, err := s.createAs(t, "root", key, "one"); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = s.createAs(t, "root", "c", "one")
	if connect.CodeOf(err) != connect.CodeUnavailable || reason(t, err) != rpcerror.ReasonIdempotencyUnavailable || !strings.Contains(err.Error(), "one caller") {
		t.Errorf("beyond its share: %v", err)
	}
	if id, replayed, err := s.createAs(t, "root", "b", "one"); err != nil || id != "proj_2" || !replayed {
		t.Errorf("what it has: %s, replayed %t, %v", id, replayed, err)
	}
	if id, _, err := s.createAs(t, "boss", "c", "one"); err != nil || id != "proj_3" {
		t.Errorf("another caller: %s, %v", id, err)
	}
}

// TestAnswersTooLargeToKeep are given once, and known to have been.
func TestAnswersTooLargeToKeep(t *testing.T) {
	t.Parallel()
	s := newKeyedStub(t, gatewaytest.MemoryOutcomes(t), func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "proj_1", "name": "` + strings.Repeat("x", outcome.MaxBodyBytes) + `"}`)}, nil
	})
	if id, _, err := s.createAs(t, "root", "k", "one"); err != nil || id != "proj_1" {
		t.Fatal(id, err)
	}
	if _, _, err := s.createAs(t, "root", "k", "one"); connect.CodeOf(err) != connect.CodeUnknown || s.Asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, s.Asked.Load())
	}
}
