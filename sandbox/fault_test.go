package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	listUsersOp      = "GET /organization/users"
	createProjectOp  = "POST /organization/projects"
	getProjectOp     = "GET /organization/projects/{project_id}"
	usersPath        = "/v1/organization/users"
	createProjectURL = "/v1/organization/projects"
)

func TestFaultsThatAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fault  Fault
		status int
		header map[string]string
		body   []string // parts of it
	}{
		{"refuse", Fault{Kind: Refuse}, 500, nil, []string{`{"error":{"message":"The server had`, `"type":"server_error","param":null,"code":null}}`}},
		{"refuse with all", Fault{Kind: Refuse, Status: 403, Code: "c", Message: "m"}, 403, nil,
			[]string{`{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"c"}}`}},
		{"flat", Fault{Kind: RefuseFlat, Status: 503, Code: "c", Message: "m"}, 503, nil, []string{`{"code":"c","message":"m"}`}},
		{"rate limit", Fault{Kind: RateLimit, RetryAfter: 3}, 429, map[string]string{"Retry-After": "3"},
			[]string{`"code":"rate_limit_exceeded"`, "try again in 6.937s"}},
		{"rate limit without header", Fault{Kind: RateLimit, Message: "Please try again after 6.937 seconds."}, 429,
			map[string]string{"Retry-After": ""}, []string{"try again after 6.937 seconds"}},
		{"html", Fault{Kind: HTML}, 200, map[string]string{"Content-Type": "text/html; charset=utf-8"}, []string{"<!DOCTYPE html>"}},
		{"html 502", Fault{Kind: HTML, Status: 502}, 502, map[string]string{"Content-Type": "text/html; charset=utf-8"}, []string{"<title>502"}},
		{"redirect", Fault{Kind: Redirect, Location: "http://127.0.0.1:1/x"}, 307, map[string]string{"Location": "http://127.0.0.1:1/x"}, nil},
		{"redirect 302", Fault{Kind: Redirect, Status: 302, Location: "/y"}, 302, map[string]string{"Location": "/y"}, nil},
		{"created", Fault{Kind: Created}, 201, nil, []string{`"object":"list"`}},
		{"array", Fault{Kind: WrongType}, 200, nil, []string{`[[]]`}},
		{"string", Fault{Kind: WrongType, Variant: "string"}, 200, nil, []string{`"ok"`}},
		{"null", Fault{Kind: WrongType, Variant: "null"}, 200, nil, []string{`null`}},
		{"members", Fault{Kind: WrongType, Variant: "members"}, 200, nil, []string{`"object":4`, `"added_at":"n`}},
		{"drift", Fault{Kind: Drift}, 200, nil, []string{`"brand_new_field":{"nested":[1,"two",null,true]}`, `"role":"brand_new_role"`}},
		{"deep", Fault{Kind: Deep, Size: 5}, 200, nil, []string{"[[[[[]]]]]"}},
		{"huge", Fault{Kind: Huge, Size: 100_000}, 200, nil, []string{strings.Repeat("0", 100_000) + `"}`}},
		{"gzip bomb", Fault{Kind: GzipBomb, Size: 100_000}, 200, nil, []string{strings.Repeat("0", 100_000) + `"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, small())
			tt.fault.Op = listUsersOp
			c.sandbox.Inject(tt.fault)
			got, err := c.try(http.MethodGet, usersPath, "")
			if err != nil {
				t.Fatal(err)
			}
			if got.status != tt.status {
				t.Errorf("status %d, want %d", got.status, tt.status)
			}
			for name, want := range tt.header {
				if got.header.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
				}
			}
			if got.header.Get("X-Request-Id") == "" {
				t.Error("no x-request-id")
			}
			for _, part := range tt.body {
				if !strings.Contains(string(got.raw), part) {
					t.Errorf("%.400s is without %.100s", got.raw, part)
				}
			}
			c.sandbox.ClearFaults()
			c.get("/organization/users")
		})
	}
}

// A compressed bomb is sent as few bytes.
func TestGzipBombIsSmall(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	c.sandbox.Inject(Fault{Op: "*", Kind: GzipBomb, Size: 32 << 20})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+usersPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip") // so that the transport does not decode
	got, err := c.do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.header.Get("Content-Encoding") != "gzip" || len(got.raw) > 1<<20 {
		t.Errorf("%d bytes of %q for 32 MiB", len(got.raw), got.header.Get("Content-Encoding"))
	}
}

func TestFaultsThatBreakTheConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind FaultKind
		made int // projects that exist afterwards and did not before
	}{{Drop, 0}, {Lost, 1}, {Cut, 1}} {
		t.Run(string(tt.kind), func(t *testing.T) {
			t.Parallel()
			c := dial(t, small())
			before := len(ids(c.get("/organization/projects")))
			remove := c.sandbox.Inject(Fault{Op: createProjectOp, Kind: tt.kind})
			got, err := c.try(http.MethodPost, createProjectURL, `{"name":"x"}`)
			if err == nil {
				t.Fatalf("answered %d %s", got.status, got.raw)
			}
			if tt.kind == Cut {
				if !errors.Is(err, io.ErrUnexpectedEOF) || got.status != http.StatusOK || len(got.raw) == 0 {
					t.Errorf("got %d, %q and %v, want half a body", got.status, got.raw, err)
				}
			}
			remove()
			remove()
			if after := len(ids(c.get("/organization/projects"))); after-before != tt.made {
				t.Errorf("%d projects made, want %d", after-before, tt.made)
			}
			if n := c.sandbox.Count(createProjectOp); n != 1 {
				t.Errorf("asked %d times, want 1", n)
			}
		})
	}
}

func TestDelayEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	c.sandbox.Inject(Fault{Op: createProjectOp, Kind: Delay, DelayMS: 3_600_000})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+createProjectURL, strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+DefaultAdminKey)
	failed := make(chan error, 1)
	go func() {
		response, err := c.http.Do(r)
		if err == nil {
			response.Body.Close()
		}
		failed <- err
	}()
	for c.sandbox.Count(createProjectOp) == 0 {
		select {
		case err := <-failed:
			t.Fatalf("answered before the delay was over: %v", err)
		default:
			runtime.Gosched()
		}
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	// After a delay, the next fault still happens.
	c.sandbox.ClearFaults()
	c.sandbox.Inject(Fault{Op: listUsersOp, Kind: Delay, DelayMS: 1})
	c.sandbox.Inject(Fault{Op: listUsersOp, Kind: Created})
	c.call(http.StatusCreated, http.MethodGet, usersPath, "")
}

func TestFaultsAreCounted(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	c.sandbox.Inject(Fault{Op: listUsersOp, Kind: Refuse, Status: 500, After: 1, Times: 2})
	c.sandbox.Inject(Fault{Op: listUsersOp, Kind: Refuse, Status: 503, After: 1, Times: 1})
	var got []int
	for range 6 {
		r, err := c.try(http.MethodGet, usersPath, "")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.status)
		c.get("/organization/groups") // another operation is left alone
	}
	// The second fault does not see the calls on which the first happens.
	if diff := cmp.Diff([]int{200, 500, 500, 503, 200, 200}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStaleRead(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	old := ids(c.get("/organization/projects"))[0]
	c.sandbox.Inject(Fault{Op: getProjectOp, Kind: StaleRead, Times: 2})
	made := textAt(c.post("/organization/projects", `{"name":"x"}`), "id")
	c.get("/organization/projects/" + old)
	c.missing("/organization/projects/" + made)
	c.missing("/organization/projects/" + made)
	c.get("/organization/projects/" + made)
}

func TestEndlessLists(t *testing.T) {
	t.Parallel()
	for _, list := range []struct{ path, member, param string }{
		{"/organization/users?limit=2", "last_id", "after"},
		{"/organization/groups?limit=2", "next", "after"},
		{"/organization/costs?limit=2&start_time=1770000000", "next_page", "page"},
		{"/organization/external_keys?limit=2", "id", "after"},
	} {
		for variant, want := range map[string][]any{
			"":            {"cursor_same", "cursor_same", "cursor_same"},
			"same_cursor": {"cursor_same", "cursor_same", "cursor_same"},
			"cycle":       {"cursor_a", "cursor_b", "cursor_a"},
			"null_cursor": {nil, nil, nil},
			"empty_page":  nil,
			"new_cursor":  nil,
		} {
			t.Run(list.member+" "+variant, func(t *testing.T) {
				t.Parallel()
				c := dial(t, small())
				c.sandbox.Inject(Fault{Op: "*", Kind: Endless, Variant: variant})
				var got []any
				seen := make(map[any]bool)
				at := list.path
				for range 3 {
					page := c.get(at)
					if page["has_more"] != true {
						t.Fatal("the list ends")
					}
					if (len(items(page)) == 0) != (variant == "empty_page") {
						t.Errorf("%d items", len(items(page)))
					}
					next := page[list.member]
					if all := items(page); list.member == "id" && len(all) > 0 {
						next = all[len(all)-1]["id"]
					}
					got = append(got, next)
					seen[next] = true
					if cursor, ok := next.(string); ok {
						at = list.path + "&" + list.param + "=" + cursor
					}
				}
				if byID := list.member == "id" && variant == "empty_page"; want == nil && len(seen) != 3 && !byID {
					t.Errorf("cursors repeat: %v", got)
				}
				if want != nil {
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("cursors (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

func TestImpossibleFaults(t *testing.T) {
	t.Parallel()
	s := New(small())
	for _, f := range []Fault{
		{},
		{Op: "GET /nowhere", Kind: Refuse},
		{Op: "*", Kind: "nonsense"},
		{Op: "*", Kind: Drift, Variant: "nonsense"},
		{Op: "*", Kind: Refuse, Variant: "both"},
		{Op: "*", Kind: Redirect},
		{Op: "*", Kind: Huge, Size: 2 << 30},
		{Op: "*", Kind: Deep, Size: 1 << 30},
		{Op: "*", Kind: Refuse, Status: 42},
		{Op: "*", Kind: Refuse, Times: -1},
		{Op: createProjectOp, Kind: StaleRead},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was accepted", f)
				}
			}()
			s.Inject(f)
		}()
	}
}

func TestControls(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	control := func(status int, method, path, body string) reply {
		t.Helper()
		r, err := c.try(method, "/_sandbox/"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		if r.status != status {
			t.Fatalf("%s %s: %d %s, want %d", method, path, r.status, r.raw, status)
		}
		return r
	}
	made := control(201, "POST", "faults", `{"op":"GET /organization/users","kind":"refuse","status":418,"times":1}`)
	c.call(418, "GET", usersPath, "")
	c.get("/organization/users")
	var listed []map[string]any
	if err := json.Unmarshal(control(200, "GET", "faults", "").raw, &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 1 || listed[0]["fired"] != 1.0 || listed[0]["calls"] != 2.0 {
		t.Errorf("faults: %v", listed)
	}
	fault := fmt.Sprintf("faults/%d", number(t, made.body, "id"))
	control(204, "DELETE", fault, "")
	control(404, "DELETE", fault, "")
	for _, wrong := range []string{``, `[]`, `{"op":"*","kind":"nonsense"}`, `{"op":"*","kind":"refuse","colour":1}`, `{"op":"*","kind":"drop"}{}`} {
		control(400, "POST", "faults", wrong)
	}
	control(201, "POST", "faults", `{"op":"*","kind":"drop"}`)
	control(204, "DELETE", "faults", "")

	c.post("/organization/projects", `{"name":"logged"}`)
	if log := string(control(200, "GET", "requests", "").raw); !strings.Contains(log, `{\"name\":\"logged\"}`) || strings.Contains(log, DefaultAdminKey) {
		t.Errorf("requests: %s", log)
	}
	last := c.sandbox.Requests()
	if got := last[len(last)-1].Header.Get("Authorization"); got != "Bearer "+DefaultAdminKey {
		t.Errorf("Requests has Authorization %q", got)
	}
	counts := objectAt(t, control(200, "GET", "counts", "").body, "counts")
	if counts[listUsersOp] != json.Number("2") || counts[createProjectOp] != json.Number("1") {
		t.Errorf("counts: %v", counts)
	}
	if ops := control(200, "GET", "operations", "").raw; strings.Count(string(ops), " /") != 143 {
		t.Errorf("operations: %s", ops)
	}
	before := c.get("/organization/projects?limit=100")
	control(204, "POST", "reset", "")
	if after := c.get("/organization/projects?limit=100"); len(items(after)) != len(items(before))-1 || c.sandbox.Count(createProjectOp) != 0 {
		t.Error("reset left something behind")
	}
	control(404, "GET", "nothing", "")
}

func TestRequestLogIsBounded(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	for range maxRequests + 5 {
		c.get("/organization/data_retention")
	}
	c.post("/organization/projects", `{"name":"last","external_key_id":"`+strings.Repeat("x", maxLoggedBody)+`"}`)
	log := c.sandbox.Requests()
	if len(log) != maxRequests || log[len(log)-1].Op != createProjectOp || len(log[len(log)-1].Body) != maxLoggedBody {
		t.Errorf("%d requests, the last is %s with %d bytes", len(log), log[len(log)-1].Op, len(log[len(log)-1].Body))
	}
	if log[0].At.After(log[len(log)-1].At) {
		t.Error("the newest comes first")
	}
	if got, err := c.try("POST", createProjectURL, strings.Repeat(" ", maxBody+1)); err == nil && got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body too large: %d", got.status)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	clock := newClock(testNow)
	options := small()
	options.Budget = Budget{Requests: 3, Window: time.Minute, Now: clock.Now}
	c := dial(t, options)
	for range 3 {
		c.get("/organization/users")
		clock.Advance(10 * time.Second)
	}
	r, err := c.try(http.MethodGet, usersPath, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.status != 429 || r.header.Get("Retry-After") != "30" || textAt(r.body, "error", "code") != "rate_limit_exceeded" {
		t.Errorf("%d, Retry-After %q, %s", r.status, r.header.Get("Retry-After"), r.raw)
	}
	c.get("/organization/groups") // has a budget of its own
	clock.Advance(30 * time.Second)
	c.get("/organization/users")
	c.call(429, http.MethodGet, usersPath, "")
	if peak := c.sandbox.Peaks()[listUsersOp]; peak != 5 {
		t.Errorf("peak %d, want 5", peak)
	}

	options.Budget.InMessage = true
	options.Budget.Requests = 1
	c = dial(t, options)
	c.get("/organization/users")
	r, err = c.try(http.MethodGet, usersPath, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.header.Get("Retry-After") != "" || !strings.Contains(string(r.raw), "try again in 60.000s") {
		t.Errorf("Retry-After %q, %s", r.header.Get("Retry-After"), r.raw)
	}
}

// An operation has a limit of its own, tighter, wider or none.
func TestBudgetOfOneOperation(t *testing.T) {
	t.Parallel()
	clock := newClock(testNow)
	options := small()
	options.Budget = Budget{Requests: 2, Now: clock.Now, Operations: map[string]int{listUsersOp: 1, "GET /organization/groups": 3, "GET /organization/roles": 0}}
	c := dial(t, options)
	for path, admitted := range map[string]int{
		"/organization/users": 1, "/organization/groups": 3, "/organization/projects": 2,
	} {
		for range admitted {
			c.get(path)
		}
		c.call(http.StatusTooManyRequests, http.MethodGet, "/v1"+path, "")
	}
	for range 9 {
		c.get("/organization/roles")
	}
	clock.Advance(time.Minute)
	c.get("/organization/users")
}
