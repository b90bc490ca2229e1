package service_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// longestToken is the documented bound of a resume token, in characters.
const longestToken = 64 << 10

// progressEvery makes the streams of a gateway say how far they are.
func progressEvery(every time.Duration) gatewaytest.Option {
	return gatewaytest.WithOptions(func(o *service.Options) { o.Inventory.ProgressEvery = every })
}

// cutting is a caller whose streams are cut off, and that goes on from the last token.
// What comes behind a token is worth nothing until the next one.
type cutting struct {
	gw     *tourGateway
	door   gatewaytest.Door
	method *catalog.Method

	all     streamed // what came ahead of the tokens
	token   string
	resumed int // from the token of a progress
}

// stream goes on, until so many messages have come or the stream has ended.
func (c *cutting) stream(t *testing.T, messages int) (ended bool) {
	t.Helper()
	ctx, cut := context.WithCancel(t.Context())
	defer cut()
	stream, err := c.gw.open(ctx, c.door, "root", c.method, with(anyRequest(c.method), "resume_token", c.token))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	since := streamed{items: make(map[string]int), names: make(map[string]int)}
	kept := func(token string) {
		c.all.add(since)
		c.token = token
		since = streamed{items: make(map[string]int), names: make(map[string]int)}
	}
	came := false
	for range messages {
		message := c.method.Response.New()
		if err := stream.Receive(message.Interface()); err != nil {
			t.Fatalf("%s over %s: %v", c.method.ShortName(), c.door.Name, err)
		}
		since.take(message)
		if n := len(since.progress); n > 0 && since.progress[n-1].GetResumeToken() != "" {
			progress := since.progress[n-1]
			if progress.GetRepeats() || len(progress.GetResumeToken()) > longestToken {
				t.Errorf("repeats %t, a token of %d", progress.GetRepeats(), len(progress.GetResumeToken()))
			}
			kept(progress.GetResumeToken())
			came = true
		}
		if since.end != nil {
			kept(since.incomplete().GetResumeToken())
			return true
		}
	}
	if came {
		c.resumed++
	}
	return false
}

// TestCutAnywhere cuts the streams of every inventory after any number of messages, while
// reads fail here and there, and goes on from the last token of a progress, until one is
// complete. What came ahead of the tokens is then every item once.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	options := sandbox.Options{Users: 14, Projects: 9, Groups: 4, AuditEvents: 230}
	whole := wholeInventories(t, options)
	for _, d := range racing.Some(doors[:4], 2) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			gw := newTourGateway(t, options, progressEvery(time.Millisecond))
			resumed := 0
			for _, method := range inventories(gw.Catalog) {
				c := &cutting{gw: gw, door: d, method: method, all: streamed{items: make(map[string]int), names: make(map[string]int)}}
				for range 6 {
					gw.Sandbox.Inject(sandbox.Fault{Op: "*", Kind: sandbox.Refuse, Status: 400, After: random.IntN(60), Times: 1})
				}
				for longest := 4; c.all.end.GetComplete() == nil; longest += longest/4 + 1 {
					if c.stream(t, 1+random.IntN(longest)); longest > 1<<20 {
						t.Fatalf("%s does not end", method.ShortName())
					}
				}
				gw.Sandbox.ClearFaults()
				resumed += c.resumed
				same(t, method.ShortName()+" over "+d.Name, whole[method.ShortName()].items, c.all.items)
			}
			if resumed == 0 {
				t.Error("no progress had a token")
			}
		})
	}
}

// keysAsked are the calls of the upstream for the keys of each project.
type keysAsked struct {
	mu    sync.Mutex
	calls map[string]int
}

func (k *keysAsked) before(_ context.Context, _ int64, endpoint *upstream.Endpoint, request *upstream.Request) error {
	if endpoint.String() == listKeys {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.calls[strings.Split(request.Path, "/")[3]]++
	}
	return nil
}

// TestCutCostsWhatCameBehindTheToken: a stream that goes on at another replica asks for
// no list again that was sent ahead of the token, and makes no call that a whole stream
// would not.
func TestCutCostsWhatCameBehindTheToken(t *testing.T) {
	t.Parallel()
	for _, d := range doors[:4] {
		options := sandbox.Options{Users: 12, Projects: 400, AuditEvents: 10}
		one := newTourGateway(t, options, progressEvery(time.Millisecond))
		method := inventoryOf(t, one.Catalog, "ListApiKeys")
		c := &cutting{gw: one, door: d, method: method, all: streamed{items: make(map[string]int), names: make(map[string]int)}}
		for messages := 100; c.token == ""; messages++ {
			if c.stream(t, messages) {
				t.Fatalf("%s: it ended without a token ahead of that", d.Name)
			}
		}
		ahead := c.all.projectsOf()

		again := &keysAsked{calls: make(map[string]int)}
		c.gw = newTourGateway(t, options, gatewaytest.WithGate(&gatewaytest.Gate{Before: again.before}))
		if !c.stream(t, 1<<20) || c.all.end.GetComplete() == nil {
			t.Fatalf("%s: %v", d.Name, c.all)
		}
		all := one.projects(t)
		if came := c.all.projectsOf(); len(ahead) == 0 || len(came) != len(all) {
			t.Errorf("%s: %d projects came ahead of the token, %d in all, of %d", d.Name, len(ahead), len(came), len(all))
		}
		for _, project := range ahead {
			if n := again.calls[project]; n > 0 {
				t.Errorf("%s: the keys of %s came, and were asked for %d times again", d.Name, project, n)
			}
		}
		if len(again.calls) != len(all)-len(ahead) {
			t.Errorf("%s: %d projects were read again, of %d that had not come", d.Name, len(again.calls), len(all)-len(ahead))
		}
	}
}

// TestProgressTokenBelongsToItsCall, as that of an end.
func TestProgressTokenBelongsToItsCall(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 20, Projects: 100}, progressEvery(time.Millisecond))
	gw.Policy.Set(t, admissiontest.RootPolicy+`
  - name: other
    authenticate: [{token_sha256: $other}]
    grants: [{permissions: ["*"]}]
    limits: $free
`)
	keys, users := inventoryOf(t, gw.Catalog, "ListApiKeys"), inventoryOf(t, gw.Catalog, "ListProjectUsers")
	c := &cutting{gw: gw, door: doors[0], method: keys, all: streamed{items: make(map[string]int), names: make(map[string]int)}}
	for messages := 20; c.token == ""; messages++ {
		c.stream(t, messages)
	}
	resume := func(caller string, method *catalog.Method, request protoreflect.Message, token string) error {
		_, err := gw.stream(t.Context(), doors[0], caller, method, with(request, "resume_token", token))
		return err
	}
	if err := resume("root", keys, anyRequest(keys), c.token); err != nil {
		t.Errorf("where it belongs: %v", err)
	}
	for name, err := range map[string]error{
		"another caller":  resume("other", keys, anyRequest(keys), c.token),
		"another RPC":     resume("root", users, anyRequest(users), c.token),
		"another request": resume("root", keys, with(anyRequest(keys), "include_archived", true), c.token),
		"cut off":         resume("root", keys, anyRequest(keys), c.token[:len(c.token)-2]),
	} {
		if err == nil || connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProgressWithoutNewsHasNoToken: while nothing is sent, no token is.
func TestProgressWithoutNewsHasNoToken(t *testing.T) {
	t.Parallel()
	g := &gatewaytest.Gate{Before: func(ctx context.Context, n int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if n <= 3 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	gw := newTourGateway(t, sandbox.Options{}, progressEvery(time.Millisecond), gatewaytest.WithGate(g))
	method := inventoryOf(t, gw.Catalog, "ListApiKeys")
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	stream, err := gw.open(ctx, doors[0], "root", method, anyRequest(method))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	pages, tokens := 0, 0
	for said := 0; said < 200; {
		response := &inventoryv1.ListApiKeysResponse{}
		if err := stream.Receive(response); err != nil {
			t.Fatal(err)
		}
		if response.GetKeys() != nil {
			pages++
		}
		if response.GetProgress().GetResumeToken() != "" {
			tokens++
		}
		if response.GetProgress() != nil {
			said++
		}
	}
	if pages != 2 || tokens == 0 || tokens > pages {
		t.Errorf("%d tokens after %d pages", tokens, pages)
	}
}

// TestFastStreamsSayWhereTheyAre between the ticks too, without asking for the budget
// each time: replicas share that in Redis.
func TestFastStreamsSayWhereTheyAre(t *testing.T) {
	t.Parallel()
	const most = 250
	var asked atomic.Int64
	gw := newTourGateway(t, sandbox.Options{Users: 12, Projects: 4*most + 50, AuditEvents: 10}, progressEvery(time.Hour), gatewaytest.WithOptions(func(o *service.Options) {
		o.Budget = fakeBudget{catalogtest.Gateway(t), func() { asked.Add(1) }}
	}))
	method := inventoryOf(t, gw.Catalog, "ListApiKeys")
	stream, err := gw.open(t.Context(), doors[0], "root", method, with(anyRequest(method), "include_archived", true))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	tokens, untold := 0, 0
	for {
		response := &inventoryv1.ListApiKeysResponse{}
		if err := stream.Receive(response); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if response.GetKeys() != nil {
			untold++
		}
		if response.GetProgress() != nil {
			untold = 0
		}
		if response.GetProgress().GetResumeToken() != "" {
			tokens++
		}
		if untold > most {
			t.Fatalf("%d messages without a progress", untold)
		}
	}
	if tokens != 4 || asked.Load() != 1 {
		t.Errorf("%d tokens, and the budget was asked for %d times", tokens, asked.Load())
	}
}
