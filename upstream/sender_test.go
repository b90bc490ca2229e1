package upstream_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// warmCalls is the number of calls that a sender has made well before a test begins, so
// that its budget has a few retries.
const warmCalls = 50

// never is more calls than any test makes.
const never = 1 << 30

// warmed answers the first calls by itself, which must be one at a time.
type warmed struct {
	upstream.Attempter
	left int
}

func (w *warmed) Do(ctx context.Context, e *upstream.Endpoint, r *upstream.Request) (*upstream.Reply, error) {
	if w.left > 0 {
		w.left--
		return new(upstream.Reply), nil
	}
	return w.Attempter.Do(ctx, e, r)
}

// coldSender is a sender in front of client whose pauses are short and whose
// breaker stays closed; change adapts its options.
func coldSender(tb testing.TB, client upstream.Attempter, change ...func(*upstream.SenderOptions)) *upstream.Sender {
	tb.Helper()
	options := upstream.SenderOptions{
		Client:  client,
		Bucket:  (*upstream.Endpoint).Template,
		Retry:   upstream.RetryOptions{FirstPause: time.Millisecond},
		Breaker: upstream.BreakerOptions{MinCalls: never, Consecutive: never},
	}
	for _, f := range change {
		f(&options)
	}
	sender, err := upstream.NewSender(options)
	if err != nil {
		tb.Fatal(err)
	}
	return sender
}

func newSender(tb testing.TB, client upstream.Attempter, change ...func(*upstream.SenderOptions)) *upstream.Sender {
	tb.Helper()
	sender := coldSender(tb, &warmed{client, warmCalls}, change...)
	c := getProject(tb)
	for range warmCalls {
		if _, err := sender.Do(tb.Context(), c.endpoint, c.request); err != nil {
			tb.Fatal(err)
		}
	}
	return sender
}

func (c call) send(ctx context.Context, sender *upstream.Sender) (*upstream.Reply, error) {
	return sender.Do(ctx, c.endpoint, c.request)
}

// happening is the upstream's reaction to one request.
type happening func(http.ResponseWriter, *http.Request)

func status(code int, body string) happening {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func retryLater(seconds int) happening {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		status(http.StatusTooManyRequests, apiSays)(w, r)
	}
}

func page(code int) happening {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		status(code, "<html>")(w, r)
	}
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func cutInTheBody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"id":`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

const apiSays = `{"error":{"message":"so it is","type":"some_error","code":"some_code"}}`

// play serves the happenings in turn, and the last of them again and again.
func play(tb testing.TB, turns ...happening) (string, *atomic.Int32) {
	tb.Helper()
	var asked atomic.Int32
	return serve(tb, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		turns[min(int(asked.Add(1)), len(turns))-1](w, r)
	}), &asked
}

// TestWhatIsTriedAgain is the rule, over real connections: the reactions of the
// upstream, the number of requests, and the reason that the caller gets; "" is a reply.
func TestWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	ok := status(200, `{"id":"user_1","object":"organization.user.deleted","deleted":true}`)
	api404 := status(404, `{"error":{"message":"No such user","type":"invalid_request_error","param":null,"code":"not_found"}}`)
	noURL := status(404, `{"error":{"message":"Invalid URL (DELETE /v1/organization/users/user_1)","type":"invalid_request_error","param":null,"code":null}}`)
	unknownURL := status(404, `{"error":{"message":"Nothing here","type":"invalid_request_error","param":null,"code":"unknown_url"}}`)
	read, create, archive, remove := getProject(t), createProject(t), archiveProject(t), deleteUser(t)
	unknown := upstream.ReasonOutcomeUnknown
	for _, test := range []struct {
		name   string
		call   call
		turns  []happening
		asked  int32
		reason string
	}{
		{"a read, cut", read, []happening{cut, ok}, 2, ""},
		{"a read, cut in the body", read, []happening{cutInTheBody, ok}, 2, ""},
		{"a read, 502", read, []happening{page(502), ok}, 2, ""},
		{"a read, 503", read, []happening{status(503, apiSays), ok}, 2, ""},
		{"a read, 504", read, []happening{page(504), ok}, 2, ""},
		{"a read, 429", read, []happening{status(429, apiSays), ok}, 2, ""},
		{"a read, three times", read, []happening{cut, status(503, ""), ok}, 3, ""},
		{"a read, no more than three times", read, []happening{status(503, apiSays)}, 3, upstream.ReasonUnavailable},
		{"a read, 500", read, []happening{status(500, apiSays), ok}, 1, upstream.ReasonUnavailable},
		{"a read, 400", read, []happening{status(400, apiSays), ok}, 1, upstream.ReasonInvalidArgument},
		{"a read, 401", read, []happening{status(401, apiSays), ok}, 1, upstream.ReasonCredentialRejected},
		{"a read, 404", read, []happening{api404, ok}, 1, upstream.ReasonNotFound},
		{"a read, 409", read, []happening{status(409, apiSays), ok}, 1, upstream.ReasonConflict},
		{"a read, redirected", read, []happening{status(307, ""), ok}, 1, upstream.ReasonRedirected},
		{"a read, nonsense", read, []happening{page(200), ok}, 1, upstream.ReasonBadResponse},

		{"a post, cut", create, []happening{cut, ok}, 1, unknown},
		{"a post, cut in the body", create, []happening{cutInTheBody, ok}, 1, unknown},
		{"a post, 503 of the API", create, []happening{status(503, apiSays), ok}, 1, upstream.ReasonUnavailable},
		{"a post, 503 of another", create, []happening{page(503), ok}, 1, unknown},
		{"a post, 502", create, []happening{status(502, apiSays), ok}, 1, unknown},
		{"a post, 429", create, []happening{status(429, apiSays), ok}, 1, upstream.ReasonRateLimited},
		{"a post, nonsense", create, []happening{page(200), ok}, 1, unknown},
		{"archiving, cut", archive, []happening{cut, ok}, 1, unknown},
		{"archiving, 429", archive, []happening{retryLater(1), ok}, 1, upstream.ReasonRateLimited},
		{"archiving, 404 would follow", archive, []happening{cut, api404}, 1, unknown},

		{"a delete, 429", remove, []happening{status(429, apiSays), ok}, 2, ""},
		{"a delete, 500 of the API", remove, []happening{status(500, apiSays), ok}, 2, ""},
		{"a delete, 503 of the API", remove, []happening{status(503, apiSays), ok}, 2, ""},
		{"a delete, not done, then not there", remove, []happening{status(503, apiSays), api404}, 2, upstream.ReasonNotFound},
		{"a delete, not there", remove, []happening{api404}, 1, upstream.ReasonNotFound},
		{"a delete, refused", remove, []happening{status(400, apiSays), ok}, 1, upstream.ReasonInvalidArgument},
		{"a delete, redirected", remove, []happening{status(307, ""), ok}, 1, upstream.ReasonRedirected},
		{"a delete, lost, then gone", remove, []happening{cut, api404}, 2, ""},
		{"a delete, lost, then done", remove, []happening{cut, ok}, 2, ""},
		{"a delete, cut in the body, then gone", remove, []happening{cutInTheBody, api404}, 2, ""},
		{"a delete, 502, then gone", remove, []happening{page(502), api404}, 2, ""},
		{"a delete, nonsense, then gone", remove, []happening{page(200), status(410, apiSays)}, 2, ""},
		{"a delete, lost twice, then gone", remove, []happening{cut, page(503), api404}, 3, ""},
		{"a delete, lost, 429, then gone", remove, []happening{cut, status(429, apiSays), api404}, 3, ""},
		{"a delete, lost for good", remove, []happening{cut}, 3, unknown},
		{"a delete, lost, then refused", remove, []happening{cut, status(400, apiSays), ok}, 2, unknown},
		{"a delete of the own key, lost", remove, []happening{cut, status(401, apiSays), ok}, 2, unknown},
		{"a delete, lost, then 503 of the API", remove, []happening{cut, status(503, apiSays)}, 3, unknown},
		{"a delete, lost, then a page that is not there", remove, []happening{cut, page(404), ok}, 2, unknown},
		{"a delete, lost, then a URL that is not there", remove, []happening{cut, noURL, ok}, 2, unknown},
		{"a delete, lost, then an unknown URL", remove, []happening{cut, unknownURL, ok}, 2, unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, asked := play(t, test.turns...)
			reply, err := test.call.send(t.Context(), newSender(t, newClient(t, url)))
			if n := asked.Load(); n != test.asked {
				t.Errorf("asked %d times, want %d", n, test.asked)
			}
			switch {
			case test.reason != "":
				if e := failure(t, err); e.Reason != test.reason {
					t.Errorf("got %s, want %s: %v", e.Reason, test.reason, err)
				}
			case err != nil:
				t.Error(err)
			default:
				if _, err := test.call.endpoint.Decode(reply.Body); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestGoneHoldsWhatIsCertain: the certain part of a lost answer, and its line in the
// log.
func TestGoneHoldsWhatIsCertain(t *testing.T) {
	t.Parallel()
	url, _ := play(t, cut, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req_2")
		status(404, apiSays)(w, r)
	})
	reply, err := deleteUser(t).send(t.Context(), newSender(t, newClient(t, url)))
	if err != nil {
		t.Fatal(err)
	}
	want := &upstream.Reply{Status: 200, Body: []byte(`{"deleted":true,"id":"user_1"}`), RequestID: "req_2"}
	if diff := cmp.Diff(want, reply); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// TestNothingListens: reads and deletes that could not be sent are tried again, and a
// POST is not.
func TestNothingListens(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		call  call
		asked int
	}{{getProject(t), 3}, {deleteUser(t), 3}, {createProject(t), 1}, {archiveProject(t), 1}} {
		counted := &counting{Attempter: newClient(t, "http://127.0.0.1:1")}
		_, err := test.call.send(t.Context(), newSender(t, counted))
		wantKind(t, err, upstream.Unavailable, upstream.ReasonUnavailable)
		if counted.attempts() != test.asked {
			t.Errorf("%s: %d attempts, want %d", test.call.endpoint, counted.attempts(), test.asked)
		}
	}
}

// counting counts attempts, and those that are under way.
type counting struct {
	upstream.Attempter
	n atomic.Int64
}

func (c *counting) Do(ctx context.Context, e *upstream.Endpoint, r *upstream.Request) (*upstream.Reply, error) {
	c.n.Add(1)
	return c.Attempter.Do(ctx, e, r)
}

func (c *counting) attempts() int { return int(c.n.Load()) }

// TestAllFail: an upstream that only answers 503 gets at most 1.1 requests for each
// call, from the tenth call on, with and without the breaker, whichever calls they are.
func TestAllFail(t *testing.T) {
	t.Parallel()
	for name, breaker := range map[string]int{"with the breaker": 0, "without the breaker": never} {
		for verb, c := range map[string]call{"reads": getProject(t), "deletes": deleteUser(t), "posts": createProject(t)} {
			for _, calls := range []int{10, 1000} {
				t.Run(name+", "+strconv.Itoa(calls)+" "+verb, func(t *testing.T) {
					t.Parallel()
					url, asked := play(t, status(503, apiSays))
					sender := coldSender(t, newClient(t, url), func(o *upstream.SenderOptions) { o.Breaker.MinCalls, o.Breaker.Consecutive = breaker, breaker })
					inParallel(calls, 50, func() {
						if _, err := c.send(t.Context(), sender); failure(t, err).Kind != upstream.Unavailable {
							t.Error(err)
						}
					})
					n := int(asked.Load())
					if n*10 > calls*11 {
						t.Errorf("%d calls became %d", calls, n)
					}
					if retries := n - calls; breaker > 0 && verb != "posts" && retries == 0 {
						t.Error("nothing was tried again")
					}
				})
			}
		}
	}
}

// inParallel calls f n times, at most limit at a time.
func inParallel(n, limit int, f func()) {
	var all sync.WaitGroup
	slots := make(chan struct{}, limit)
	for range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f()
		})
	}
	all.Wait()
}

// TestWaitBeyondTheDeadline: a 429 that asks for more time than there is fails at once,
// and has the time that it asked for.
func TestWaitBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	for _, c := range []call{getProject(t), deleteUser(t)} {
		url, asked := play(t, retryLater(30))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, err := c.send(ctx, newSender(t, newClient(t, url)))
		wantKind(t, err, upstream.RateLimited, upstream.ReasonRateLimited)
		if e := failure(t, err); e.RetryAfter != 30*time.Second {
			t.Errorf("retry after %s", e.RetryAfter)
		}
		if ctx.Err() != nil {
			t.Error("the deadline was waited for")
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		cancel()
	}
}

// TestMetrics: the events that are counted, by names of closed sets.
func TestMetrics(t *testing.T) {
	t.Parallel()
	counted := newCounts()
	url, _ := play(t, status(503, apiSays), cut, status(429, apiSays), status(503, apiSays))
	sender := newSender(t, newClient(t, url), func(o *upstream.SenderOptions) { o.Metrics = counted })
	_, err := deleteUser(t).send(t.Context(), sender)
	wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
	if text := err.Error(); !strings.Contains(text, "asked again") || !strings.Contains(text, "UPSTREAM_RATE_LIMITED") {
		t.Errorf("the error does not say how it went on: %s", text)
	}
	want := map[string]int{
		"attempt OK": warmCalls, "attempt UNAVAILABLE": 1, "attempt OUTCOME_UNKNOWN": 1, "attempt RATE_LIMITED": 1,
		"retry SERVER_ERROR": 1, "retry ANSWER_LOST": 1, "refused ATTEMPTS": 1, "breaker CLOSED": 1,
	}
	if diff := cmp.Diff(want, counted.all()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// TestOptions: options that make no sense are errors.
func TestOptions(t *testing.T) {
	t.Parallel()
	good := upstream.SenderOptions{Client: newClient(t, "http://127.0.0.1:1")}
	for name, change := range map[string]func(*upstream.SenderOptions){
		"no client":         func(o *upstream.SenderOptions) { o.Client = nil },
		"no bucket":         func(o *upstream.SenderOptions) { o.Pacer = &scriptedPacer{} },
		"negative pause":    func(o *upstream.SenderOptions) { o.Retry.FirstPause = -1 },
		"negative attempts": func(o *upstream.SenderOptions) { o.Retry.MaxAttempts = -1 },
		"negative ratio":    func(o *upstream.SenderOptions) { o.Retry.BudgetRatio = -0.1 },
		"ratio over 1":      func(o *upstream.SenderOptions) { o.Breaker.Ratio = 1.1 },
		"negative probes":   func(o *upstream.SenderOptions) { o.Breaker.Probes = -1 },
	} {
		options := good
		change(&options)
		if _, err := upstream.NewSender(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := upstream.NewSender(good); err != nil {
		t.Error(err)
	}
}

// TestForeignRequest: a request that no client can send says nothing about the
// upstream.
func TestForeignRequest(t *testing.T) {
	t.Parallel()
	sender := newSender(t, newClient(t, "http://127.0.0.1:1"))
	_, err := sender.Do(t.Context(), getProject(t).endpoint, createProject(t).request)
	if _, ok := errors.AsType[*upstream.Error](err); err == nil || ok {
		t.Errorf("got %v", err)
	}
}

// counts are the events that a sender counted.
type counts struct {
	mu   sync.Mutex
	seen map[string]int
}

func newCounts() *counts { return &counts{seen: make(map[string]int)} }

func (c *counts) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[name]++
}

func (c *counts) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

func (c *counts) Attempt(result string)                  { c.add("attempt " + result) }
func (c *counts) Retry(reason upstream.RetryReason)      { c.add("retry " + string(reason)) }
func (c *counts) RetryRefused(why upstream.RetryRefusal) { c.add("refused " + string(why)) }
func (c *counts) Breaker(state upstream.BreakerState)    { c.add("breaker " + string(state)) }
