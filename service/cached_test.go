package service_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// cachedGateway is a gateway that stores answers in memory. Its upstream gives one
// answer to every call.
type cachedGateway struct {
	*gatewaytest.Gateway
	client *connect.Client
}

func newCachedGateway(t *testing.T, now func() time.Time) cachedGateway {
	t.Helper()
	g := gatewaytest.New(t, gatewaytest.WithUpstream(gatewaytest.LeastAnswers(t, "")), gatewaytest.WithMemoryCache(), gatewaytest.WithClock(now))
	return cachedGateway{g, g.Client("root")}
}

// asks tells whether a call reaches the upstream.
func (h cachedGateway) asks(t *testing.T, m *catalog.Method, request proto.Message) bool {
	t.Helper()
	before := h.Asked.Load()
	if err := h.client.CallUnary(t.Context(), m.Spec(), request, m.Response.New().Interface()); err != nil {
		t.Fatalf("%s: %v", m.ShortName(), err)
	}
	return h.Asked.Load() != before
}

// requestsOf is a request for every method, about the things with one id.
func requestsOf(t *testing.T, methods *catalog.Catalog, id string) map[string]proto.Message {
	t.Helper()
	w := newTourValues(t)
	for name := range validTourValues(t) {
		if name != "pem" {
			w[name] = id
		}
	}
	all := make(map[string]proto.Message)
	for _, s := range readTour(t, methods) {
		if all[s.method.ShortName()] == nil {
			all[s.method.ShortName()] = s.message(t, w)
		}
	}
	return all
}

// TestReadsAreCached: a second read does not ask the upstream, unless the
// declaration says so; and the record says how it was answered.
func TestReadsAreCached(t *testing.T) {
	t.Parallel()
	h := newCachedGateway(t, nil)
	requests := requestsOf(t, h.Catalog, "a")
	for _, m := range h.Catalog.Mirrored() {
		if !m.Read {
			continue
		}
		if !h.asks(t, m, requests[m.ShortName()]) {
			t.Errorf("%s: the first read did not ask the upstream", m.ShortName())
		}
		if again := h.asks(t, m, requests[m.ShortName()]); again != (m.Life.Fresh == 0) {
			t.Errorf("%s: the second read asked the upstream: %t", m.ShortName(), again)
		}
		kept := h.Records.All()
		if got := kept[len(kept)-2].Cache + " " + kept[len(kept)-1].Cache; m.Life.Fresh > 0 && got != "miss hit" {
			t.Errorf("%s: recorded as %s", m.ShortName(), got)
		}
	}
}

// TestWritesMakeStale: each write makes the next read of everything that its
// declaration names ask again, and nothing else; and a write elsewhere nothing
// that names it.
func TestWritesMakeStale(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	here, elsewhere := requestsOf(t, methods, "a"), requestsOf(t, methods, "b")
	pairs, collisions := 0, 0
	for _, write := range methods.Mirrored() {
		if write.Read {
			continue
		}
		h := newCachedGateway(t, nil)
		for _, read := range methods.Mirrored() {
			if !read.Read || read.Life.Fresh == 0 {
				continue
			}
			h.asks(t, read, here[read.ShortName()])
		}
		for _, about := range []map[string]proto.Message{elsewhere, here} {
			h.asks(t, write, about[write.ShortName()])
			for _, read := range methods.Mirrored() {
				if !read.Read || read.Life.Fresh == 0 {
					continue
				}
				changed, dependsOn := readcache.Tags(write, about[write.ShortName()].ProtoReflect()), readcache.Tags(read, here[read.ShortName()].ProtoReflect())
				want, got := common(changed, dependsOn), h.asks(t, read, here[read.ShortName()])
				pairs++
				if got && !want && common(cache.NewTags("org", changed...).Slots(), cache.NewTags("org", dependsOn...).Slots()) {
					collisions++ // Two tags in one slot: a miss too many, and never a wrong answer.
				} else if got != want {
					t.Errorf("after %s, %s asked again: %t, want %t", write.ShortName(), read.ShortName(), got, want)
				}
			}
		}
	}
	if pairs < 5000 || collisions > pairs/100 {
		t.Errorf("%d pairs, %d collisions", pairs, collisions)
	}
}

func common[T comparable](a, b []T) bool {
	return slices.ContainsFunc(a, func(tag T) bool { return slices.Contains(b, tag) })
}

// TestAnswersExpire: after its life an answer is fetched again.
func TestAnswersExpire(t *testing.T) {
	t.Parallel()
	var past atomic.Int64
	start := time.Now()
	h := newCachedGateway(t, func() time.Time { return start.Add(time.Duration(past.Load())) })
	requests := requestsOf(t, h.Catalog, "a")
	for _, m := range h.Catalog.Mirrored() {
		if m.Life.Fresh == 0 {
			continue
		}
		fresh := m.Life.Fresh
		if end := requests[m.ShortName()].ProtoReflect(); m.Life.Settled > 0 && end.Has(end.Descriptor().Fields().ByName("end_time")) {
			fresh = m.Life.Settled // The tour asks about the past.
		}
		h.asks(t, m, requests[m.ShortName()])
		past.Add(int64(fresh) - 1)
		if h.asks(t, m, requests[m.ShortName()]) {
			t.Errorf("%s asked again before %s were over", m.ShortName(), fresh)
		}
		past.Add(int64(m.Life.WhileRevalidate) + 1)
		if !h.asks(t, m, requests[m.ShortName()]) {
			t.Errorf("%s was still served after %s", m.ShortName(), fresh+m.Life.WhileRevalidate)
		}
	}
}

// TestWriteOvertakesRead: an answer that was on its way when a write was made is
// given to its caller, and to nobody who asks after the write, whether or not another
// answer is stored by then.
func TestWriteOvertakesRead(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{true, false} {
		t.Run(fmt.Sprintf("another stored %t", stored), func(t *testing.T) {
			t.Parallel()
			testWriteOvertakesRead(t, stored)
		})
	}
}

func testWriteOvertakesRead(t *testing.T, stored bool) {
	var name atomic.Value
	name.Store("old")
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		said := name.Load().(string) //nolint:forcetypeassert // stored above
		first := false
		once.Do(func() { first = true })
		if first {
			close(arrived)
			<-release
		}
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "p", "name": "` + said + `"}`)}, nil
	})
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache())
	projects := adminv1connect.NewProjectServiceClient(gateway.Client("root"))
	get := func() string {
		got, err := projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "p"})
		if err != nil {
			t.Error(err)
		}
		return got.GetProject().GetName()
	}
	slow := make(chan string)
	go func() { slow <- get() }()
	<-arrived // The read has its old answer, and is not back.
	name.Store("new")
	if _, err := projects.UpdateProject(t.Context(), &adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")}); err != nil {
		t.Fatal(err)
	}
	if stored {
		if got := get(); got != "new" {
			t.Errorf("after the write: %s", got)
		}
	}
	close(release)
	<-slow
	if got := get(); got != "new" {
		t.Errorf("after the overtaken read came back: %s", got)
	}
}

// TestOneFlight: what many miss at once is asked for once, and a leader that
// hangs up takes nobody along.
func TestOneFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testOneFlight)
}

func testOneFlight(t *testing.T) {
	const callers = 200
	arrived, release := make(chan struct{}), make(chan struct{})
	var asked atomic.Int32
	up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		if asked.Add(1) == 1 {
			close(arrived)
		}
		<-release
		return gatewaytest.AnswerProject(ctx)
	})
	log := new(gatewaytest.Records)
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache(), gatewaytest.WithAudit(log))
	projects := adminv1connect.NewProjectServiceClient(gateway.Client("root"))
	get := func(ctx context.Context) error {
		_, err := projects.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "p"})
		return err
	}
	leader, hangUp := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- get(leader) }()
	<-arrived
	errs := make(chan error)
	for range callers {
		go func() { errs <- get(t.Context()) }()
	}
	synctest.Wait() // They have joined.
	hangUp()
	if err := <-left; connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("the leader: %v", err)
	}
	close(release)
	for range callers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := len(log.All()); n != callers+1 {
		t.Errorf("%d records of %d calls", n, callers+1)
	}
	for _, r := range log.All() {
		if r.Decision != audit.DecisionAllowed || r.Grant != "grants[0]" {
			t.Errorf("recorded as %+v", r)
		}
	}
}
