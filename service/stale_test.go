package service_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// agingGateway is a gateway whose clock and upstream the test controls.
type agingGateway struct {
	*gatewaytest.Gateway
	t      *testing.T
	client *connect.Client
	start  time.Time
	past   atomic.Int64
	// behaviour is run for every call at the upstream; nil: it answers.
	behaviour atomic.Pointer[func(ctx context.Context) error]
	arrived   chan struct{} // gets something for each call upstream, while it has room
}

const agingPolicy = `
callers:
  - name: root
    limits: $free
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
  - name: reader
    limits: $free
    authenticate: [{token_sha256: $reader}]
    grants: [{permissions: ["*.read"]}]
  - name: spender
    limits: $free
    authenticate: [{token_sha256: $spender}]
    grants: [{permissions: ["*.read"]}, {permissions: [budget.spend], projects: [p]}]
`

func newAgingGateway(t *testing.T, change ...func(*readcache.Options, *catalog.Catalog)) *agingGateway {
	t.Helper()
	h := &agingGateway{t: t, start: time.Now(), arrived: make(chan struct{}, 100)}
	var answered atomic.Int32
	up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		n := answered.Add(1)
		select {
		case h.arrived <- struct{}{}:
		default:
		}
		if behaviour := h.behaviour.Load(); behaviour != nil {
			if err := (*behaviour)(ctx); err != nil {
				return nil, err
			}
		}
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "p", "data": [], "name": "` + strings.Repeat("x", int(n)) + `"}`)}, nil
	})
	h.Gateway = gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache(change...), gatewaytest.WithClock(h.now), gatewaytest.WithPolicy(agingPolicy))
	h.client = connect.NewClient(h.InProcess())
	return h
}

func (h *agingGateway) now() time.Time                     { return h.start.Add(time.Duration(h.past.Load())) }
func (h *agingGateway) advance(d time.Duration)            { h.past.Add(int64(d)) }
func (h *agingGateway) fail(e *upstream.Error)             { h.does(func(context.Context) error { return e }) }
func (h *agingGateway) does(f func(context.Context) error) { h.behaviour.Store(&f) }

// reply is the caller's view of a read.
type reply struct {
	err              error
	age, cacheStatus string
	recorded         string
	asked            bool // the upstream, before the answer
}

func (h *agingGateway) method(name string) *catalog.Method {
	h.t.Helper()
	m, ok := h.Catalog.Lookup("/admingateway.admin.v1." + name)
	if !ok {
		h.t.Fatalf("there is no %s", name)
	}
	return m
}

// read makes a call with headers, given as name and value in turn.
func (h *agingGateway) read(caller, name string, request proto.Message, headers ...string) reply {
	h.t.Helper()
	m, before := h.method(name), h.Asked.Load()
	ctx, info := connect.NewClientContext(h.t.Context())
	info.RequestHeader().Set("Authorization", "Bearer "+admissiontest.TokenOf(caller))
	for i := 0; i < len(headers); i += 2 {
		info.RequestHeader().Add(headers[i], headers[i+1])
	}
	err := h.client.CallUnary(ctx, m.Spec(), request, m.Response.New().Interface())
	kept := h.Records.All()
	return reply{err, info.ResponseHeader().Get("Age"), info.ResponseHeader().Get("Cache-Status"), kept[len(kept)-1].Cache, h.Asked.Load() != before}
}

func (h *agingGateway) want(got reply, recorded, cacheStatus string) {
	h.t.Helper()
	if got.err != nil || got.recorded != recorded || got.cacheStatus != "admin-gateway; "+cacheStatus {
		h.t.Errorf("recorded as %s, Cache-Status %q, error %v; want %s, %q", got.recorded, got.cacheStatus, got.err, recorded, cacheStatus)
	}
}

var (
	askedProject  = &adminv1.GetProjectRequest{ProjectId: "p"}
	unavailable   = &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonUnavailable, Status: http.StatusServiceUnavailable}
	projectLife   = 5 * time.Minute
	projectStale  = time.Minute
	projectErrors = time.Hour
)

// TestStaleWhileRevalidate: after its life an answer is served while a new one is
// fetched, once for all who ask, and not after that.
func TestStaleWhileRevalidate(t *testing.T) {
	t.Parallel()
	h := newAgingGateway(t)
	h.want(h.read("root", "ProjectService/GetProject", askedProject), "miss", "fwd=miss; ttl=300")
	<-h.arrived
	h.advance(projectLife + 10*time.Second)
	release := make(chan struct{})
	h.does(func(context.Context) error { <-release; return nil })
	for range 5 {
		// A new answer is on its way, and nobody waits for it.
		got := h.read("root", "ProjectService/GetProject", askedProject)
		h.want(got, "stale", "hit; ttl=-10")
		if got.age != "310" {
			t.Errorf("Age: %s", got.age)
		}
	}
	<-h.arrived
	close(release)
	// Who comes now gets the new one, or joins its flight, and in the end all do.
	for {
		got := h.read("root", "ProjectService/GetProject", askedProject)
		if got.recorded == "hit" {
			h.want(got, "hit", "hit; ttl=300")
			break
		}
		h.want(got, "stale", "hit; ttl=-10")
	}
	if n := h.Asked.Load(); n != 2 {
		t.Errorf("the upstream was asked %d times, want 2", n)
	}
	h.advance(projectLife + projectStale)
	// The last read that was stale may have begun a fetch that this one joins.
	got := h.read("root", "ProjectService/GetProject", askedProject)
	if got.recorded == "coalesced" {
		h.want(got, "coalesced", "fwd=miss; collapsed; ttl=300")
	} else {
		h.want(got, "miss", "fwd=miss; ttl=300")
	}
}

// TestStaleIfError: a stale answer stands in where the upstream says nothing of
// what was asked, up to a limit, and never where it refuses, never for what is
// sensitive, and never for what a write has changed.
func TestStaleIfError(t *testing.T) {
	t.Parallel()
	h := newAgingGateway(t)
	h.read("root", "ProjectService/GetProject", askedProject)
	h.advance(projectLife + projectStale)
	for _, kind := range []upstream.Kind{upstream.Unavailable, upstream.RateLimited, upstream.DeadlineExceeded} {
		h.fail(&upstream.Error{Kind: kind, Reason: upstream.ReasonUnavailable})
		h.want(h.read("root", "ProjectService/GetProject", askedProject), "stale", "fwd=stale; ttl=-60")
	}
	h.fail(unavailable)
	h.want(h.read("root", "ProjectService/GetProject", askedProject), "stale", "fwd=stale; fwd-status=503; ttl=-60")
	for kind, status := range map[upstream.Kind]int{
		upstream.NotFound: http.StatusNotFound, upstream.CredentialRejected: http.StatusUnauthorized,
		upstream.InvalidArgument: http.StatusBadRequest, upstream.Conflict: http.StatusConflict,
	} {
		h.fail(&upstream.Error{Kind: kind, Reason: upstream.ReasonNotFound, Status: status})
		if got := h.read("root", "ProjectService/GetProject", askedProject); got.err == nil || got.recorded != "miss" {
			t.Errorf("%s: error %v, recorded as %s, Cache-Status %s", kind, got.err, got.recorded, got.cacheStatus)
		}
	}
	h.fail(unavailable)
	h.advance(projectErrors - projectStale)
	if got := h.read("root", "ProjectService/GetProject", askedProject); got.err == nil || got.cacheStatus != "admin-gateway; fwd=miss; fwd-status=503" {
		t.Errorf("beyond the limit: error %v, Cache-Status %q", got.err, got.cacheStatus)
	}

	// Sensitive: who may do what.
	h.behaviour.Store(nil)
	users := &adminv1.ListProjectUsersRequest{ProjectId: "p"}
	h.read("root", "ProjectUserService/ListProjectUsers", users)
	h.advance(projectLife)
	h.fail(unavailable)
	if got := h.read("root", "ProjectUserService/ListProjectUsers", users); got.err == nil {
		t.Error("who may do what was served stale")
	}

	// A write that came between.
	h.behaviour.Store(nil)
	h.read("root", "ProjectService/GetProject", askedProject)
	h.advance(projectLife + projectStale)
	h.read("root", "ProjectService/UpdateProject", &adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")})
	h.fail(unavailable)
	if got := h.read("root", "ProjectService/GetProject", askedProject); got.err == nil {
		t.Errorf("after a write, what was before it was served: %s", got.cacheStatus)
	}
}

// TestStaleIfIsolated: while this replica hears nothing of the others, an answer that
// they may have made stale stands in where there is no budget, and says so: as long as
// its declaration allows for a stale answer, and not behind a write of this replica.
func TestStaleIfIsolated(t *testing.T) {
	t.Parallel()
	h := newAgingGateway(t, func(o *readcache.Options, methods *catalog.Catalog) {
		memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 1 << 20, Lease: time.Minute, Now: o.Now})
		if err != nil {
			t.Fatal(err)
		}
		lost := &unavailableStore{Store: memory}
		// Without a bus nothing is ever heard.
		tiered, err := cache.NewTiered(cache.TieredOptions{Memory: memory, Shared: lost, Convert: readcache.Converter(methods)})
		if err != nil {
			t.Fatal(err)
		}
		o.Store, o.Near = tiered, memory
	})
	users := &adminv1.ListProjectUsersRequest{ProjectId: "p"}
	h.want(h.read("root", "ProjectService/GetProject", askedProject), "miss", "fwd=miss; ttl=300")
	h.want(h.read("root", "ProjectUserService/ListProjectUsers", users), "miss", "fwd=miss; ttl=300")
	h.advance(cache.DefaultCap)
	noBudget := &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonNoBudget}
	h.fail(noBudget)
	h.want(h.read("root", "ProjectService/GetProject", askedProject), "stale", "fwd=stale; ttl=295; detail=isolated")
	for _, got := range []reply{
		h.read("root", "ProjectUserService/ListProjectUsers", users),
		h.read("root", "ProjectService/GetProject", askedProject, "Cache-Control", "max-age=60"),
	} {
		if got.err == nil {
			t.Errorf("recorded as %s, Cache-Status %q", got.recorded, got.cacheStatus)
		}
	}
	h.fail(unavailable)
	if got := h.read("root", "ProjectService/GetProject", askedProject); got.err == nil {
		t.Errorf("the upstream has failed, and the answer is %q", got.cacheStatus)
	}
	h.fail(noBudget)
	h.advance(projectLife)
	h.want(h.read("root", "ProjectService/GetProject", askedProject), "stale", "fwd=stale; ttl=-5; detail=isolated")
	h.advance(projectErrors)
	if got := h.read("root", "ProjectService/GetProject", askedProject); got.err == nil {
		t.Errorf("beyond the limit: %q", got.cacheStatus)
	}
	h.behaviour.Store(nil)
	h.read("root", "ProjectService/GetProject", askedProject)
	h.read("root", "ProjectService/UpdateProject", &adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")})
	h.fail(noBudget)
	if got := h.read("root", "ProjectService/GetProject", askedProject); got.err == nil {
		t.Errorf("after a write, what was before it was served: %s", got.cacheStatus)
	}
}

// unavailableStore is the shared store of a replica that has lost it.
type unavailableStore struct{ cache.Store }

func (*unavailableStore) Snapshot(context.Context, cache.Tags) (cache.Snapshot, error) {
	return cache.Snapshot{}, cache.ErrUnavailable
}

func (*unavailableStore) Load(context.Context, cache.Key, cache.Tags) (cache.Entry, bool, error) {
	return cache.Entry{}, false, cache.ErrUnavailable
}

func (*unavailableStore) Open(context.Context, cache.Tags) (func(context.Context) error, error) {
	return func(context.Context) error { return cache.ErrUnavailable }, cache.ErrUnavailable
}

// TestWriteOvertakesStaleIfError: a write that is made while the upstream fails a
// read must count, although the read began before it.
func TestWriteOvertakesStaleIfError(t *testing.T) {
	t.Parallel()
	h := newAgingGateway(t)
	h.read("root", "ProjectService/GetProject", askedProject)
	<-h.arrived
	h.advance(projectLife + projectStale)
	var calls atomic.Int32
	release := make(chan struct{})
	h.does(func(context.Context) error {
		if calls.Add(1) > 1 {
			return nil
		}
		<-release
		return unavailable
	})
	slow := make(chan reply)
	go func() { slow <- h.read("root", "ProjectService/GetProject", askedProject) }()
	<-h.arrived
	h.read("root", "ProjectService/UpdateProject", &adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")})
	close(release)
	if got := <-slow; got.err == nil {
		t.Errorf("what was before the write was served after it: %s", got.cacheStatus)
	}
}

// TestCacheControl: a caller that may spend budget gets answers as new as it asks
// for; for any other the header is ignored, and the answer says so.
func TestCacheControl(t *testing.T) {
	t.Parallel()
	h := newAgingGateway(t)
	elsewhere := &adminv1.GetProjectRequest{ProjectId: "q"}
	for _, request := range []proto.Message{askedProject, elsewhere} {
		h.read("root", "ProjectService/GetProject", request)
	}
	h.advance(100 * time.Second)
	for _, test := range []struct {
		caller   string
		request  proto.Message
		header   string
		asks     bool
		recorded string
		status   string
	}{
		{"reader", askedProject, "no-cache", false, "hit", "hit; ttl=200; detail=cache-control-ignored"},
		{"spender", elsewhere, "no-cache", false, "hit", "hit; ttl=200; detail=cache-control-ignored"},
		{"reader", askedProject, "max-age=99", false, "hit", "hit; ttl=200; detail=cache-control-ignored"},
		{"spender", askedProject, "max-age=100", false, "hit", "hit; ttl=200"},
		{"spender", askedProject, "only-if-cached, max-stale=10", false, "hit", "hit; ttl=200"},
		{"spender", askedProject, "max-age=-1", false, "hit", "hit; ttl=200"},
		{"spender", askedProject, "max-age=x, max-age", false, "hit", "hit; ttl=200"},
		{"spender", askedProject, "Max-Age=\"99\"", true, "miss", "fwd=request; ttl=300"},
		{"spender", askedProject, "max-age=0", true, "miss", "fwd=request; ttl=300"},
		{"spender", askedProject, "no-transform, No-Cache", true, "miss", "fwd=request; ttl=300"},
		{"root", elsewhere, "no-cache", true, "miss", "fwd=request; ttl=300"},
		{"reader", askedProject, "", false, "hit", "hit; ttl=300"},
		{"reader", elsewhere, "", false, "hit", "hit; ttl=300"},
	} {
		var headers []string
		if test.header != "" {
			headers = []string{"Cache-Control", test.header}
		}
		got := h.read(test.caller, "ProjectService/GetProject", test.request, headers...)
		if got.asked != test.asks {
			t.Errorf("%s, %q: the upstream was asked: %t", test.caller, test.header, got.asked)
		}
		h.want(got, test.recorded, test.status)
	}
	// Not even where the upstream fails: stale is what it did not ask for.
	h.advance(projectLife + 10*time.Second)
	h.fail(unavailable)
	for _, header := range []string{"no-cache", "max-age=3600"} {
		if got := h.read("spender", "ProjectService/GetProject", askedProject, "Cache-Control", header); got.err == nil {
			t.Errorf("%s: answered with %s", header, got.cacheStatus)
		}
	}
	h.want(h.read("reader", "ProjectService/GetProject", askedProject), "stale", "hit; ttl=-10")
}

// TestSettled: an answer about a range that is over for long lives longer than
// one about a range that still grows.
func TestSettled(t *testing.T) {
	t.Parallel()
	h := newAgingGateway(t)
	for _, test := range []struct {
		end  time.Duration // before now
		want string
	}{{0, "fwd=miss; ttl=60"}, {23 * time.Hour, "fwd=miss; ttl=60"}, {25 * time.Hour, "fwd=miss; ttl=86400"}} {
		request := &adminv1.ListCompletionsUsageRequest{
			StartTime: timestamppb.New(h.now().Add(-100 * time.Hour).Truncate(time.Second)),
			EndTime:   timestamppb.New(h.now().Add(-test.end).Truncate(time.Second)),
		}
		h.want(h.read("root", "UsageService/ListCompletionsUsage", request), "miss", test.want)
	}
	h.want(h.read("root", "UsageService/ListCompletionsUsage", &adminv1.ListCompletionsUsageRequest{
		StartTime: timestamppb.New(h.now().Add(-100 * time.Hour).Truncate(time.Second)),
	}), "miss", "fwd=miss; ttl=60")
}

// TestJitter: what was stored together is not asked for again together.
func TestJitter(t *testing.T) {
	t.Parallel()
	var draw atomic.Int64
	h := newAgingGateway(t, func(o *readcache.Options, _ *catalog.Catalog) {
		o.Jitter, o.Random = 0.1, func() float64 { return float64(draw.Load()) / 100 }
	})
	for percent, want := range map[int64]string{0: "fwd=miss; ttl=300", 50: "fwd=miss; ttl=285", 99: "fwd=miss; ttl=270"} {
		draw.Store(percent)
		h.want(h.read("root", "ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: want[len(want)-3:]}), "miss", want)
	}
}

// TestLifeOverrides: the configuration changes lives by method and by resource.
func TestLifeOverrides(t *testing.T) {
	t.Parallel()
	of := func(d time.Duration) *time.Duration { return &d }
	overrides := []catalog.LifeOverride{
		{Of: "ProjectService/GetProject", Fresh: of(time.Second), IfError: of(0)},
		{Of: "projects", Fresh: of(time.Minute)},
		{Of: "users", Fresh: of(0)},
		{Of: "usage", Settled: of(time.Hour)},
	}
	var lives catalog.Lives
	h := newAgingGateway(t, func(o *readcache.Options, methods *catalog.Catalog) {
		var err error
		if lives, err = methods.Lives(overrides); err != nil {
			t.Fatal(err)
		}
		o.Lives = lives
	})
	for name, want := range map[string]catalog.Life{
		"ProjectService/GetProject":         {Fresh: time.Second, WhileRevalidate: time.Minute},
		"ProjectService/ListProjects":       {Fresh: time.Minute, WhileRevalidate: time.Minute, IfError: time.Hour},
		"UserService/GetUser":               {},
		"UsageService/ListCompletionsUsage": {Fresh: time.Minute, WhileRevalidate: time.Minute, IfError: time.Hour, Settled: time.Hour},
	} {
		if got := lives[h.method(name)]; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	h.want(h.read("root", "ProjectService/GetProject", askedProject), "miss", "fwd=miss; ttl=1")
	for range 2 {
		h.want(h.read("root", "UserService/GetUser", &adminv1.GetUserRequest{UserId: "u"}), "bypass", "fwd=bypass")
	}
	for text, overrides := range map[string][]catalog.LifeOverride{
		"no stored read":     {{Of: "ProjectService/CreateProject", Fresh: of(1)}},
		"no stored read has": {{Of: "nothing", Fresh: of(1)}},
		"twice":              {{Of: "projects", Fresh: of(1)}, {Of: "projects", Fresh: of(2)}},
		"negative":           {{Of: "projects", Fresh: of(-1)}},
		"sensitive":          {{Of: "users", IfError: of(1)}},
		"settles":            {{Of: "projects", Settled: of(1)}},
	} {
		if _, err := h.Catalog.Lives(overrides); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), overrides[0].Of) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestNobodyGoesBackBehindAFetch: of two fetches that overlap, either may show the later
// state. Whatever order they begin and end in, no reader gets an older answer than one
// that was returned before the read began.
func TestNobodyGoesBackBehindAFetch(t *testing.T) {
	t.Parallel()
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		t.Run(fmt.Sprintf("ending as %v", order), func(t *testing.T) {
			t.Parallel()
			var states atomic.Int32
			var held atomic.Bool
			held.Store(true)
			arrived := make(chan chan struct{}, 2)
			up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
				if held.Load() {
					release := make(chan struct{})
					arrived <- release
					<-release
				}
				// The state that it shows is that of its end.
				name := strings.Repeat("x", int(states.Add(1)))
				return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "p", "data": [], "name": "` + name + `"}`)}, nil
			})
			gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache(), gatewaytest.WithPolicy(agingPolicy))
			projects := adminv1connect.NewProjectServiceClient(connect.NewClient(gateway.InProcess()))
			read := func(cacheControl string) int {
				ctx, info := connect.NewClientContext(t.Context())
				info.RequestHeader().Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
				info.RequestHeader().Set("Cache-Control", cacheControl)
				got, err := projects.GetProject(ctx, askedProject)
				if err != nil {
					t.Error(err)
				}
				return len(got.GetProject().GetName())
			}
			var releases [2]chan struct{}
			var ended [2]chan int
			for i := range releases {
				ended[i] = make(chan int, 1)
				go func() { ended[i] <- read("no-cache") }()
				releases[i] = <-arrived
			}
			newest := 0
			for _, i := range order {
				close(releases[i])
				newest = max(newest, <-ended[i])
			}
			held.Store(false)
			if got := read(""); got < newest {
				t.Errorf("state %d was returned after state %d", got, newest)
			}
		})
	}
}
