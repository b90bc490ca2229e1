package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/admin-gateway/admin-gateway/client"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// read, write, lease and renew are calls of four sorts.
func read(ctx context.Context, c *connect.Client) error {
	_, err := adminv1connect.NewProjectServiceClient(c).ListProjects(ctx, &adminv1.ListProjectsRequest{})
	return err
}

func write(ctx context.Context, c *connect.Client) error {
	_, err := adminv1connect.NewProjectServiceClient(c).CreateProject(ctx, &adminv1.CreateProjectRequest{Name: "n"})
	return err
}

func lease(ctx context.Context, c *connect.Client) error {
	_, err := leasev1connect.NewLeaseServiceClient(c).CreateLease(ctx, &leasev1.CreateLeaseRequest{Role: "r", RequestId: "1"})
	return err
}

func renew(ctx context.Context, c *connect.Client) error {
	_, err := leasev1connect.NewLeaseServiceClient(c).RenewLease(ctx, &leasev1.RenewLeaseRequest{LeaseId: "1"})
	return err
}

func stream(ctx context.Context, c *connect.Client) error {
	s, err := inventoryv1connect.NewInventoryServiceClient(c).ListApiKeys(ctx, &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	_, err = s.Receive()
	return err
}

// TestWhatIsRepeated: a call is made again where that is safe and can help, and not else.
func TestWhatIsRepeated(t *testing.T) {
	t.Parallel()
	unavailable := refusal(connect.CodeUnavailable, "UPSTREAM_UNAVAILABLE")
	own := client.WithIdempotencyKey(t.Context(), "k")
	none := client.WithoutIdempotencyKey(t.Context())
	for name, test := range map[string]struct {
		call    func(context.Context, *connect.Client) error
		ctx     context.Context
		opts    []client.Option
		refused int
		err     *connect.Error
		calls   int
		kind    client.Kind
	}{
		"a read":                              {call: read, refused: 2, err: unavailable, calls: 3},
		"a read, over Connect":                {call: read, refused: 2, err: unavailable, calls: 3, opts: []client.Option{client.UseConnect()}},
		"a write, with a key by itself":       {call: write, refused: 1, err: unavailable, calls: 2},
		"a write, with a given key":           {call: write, ctx: own, refused: 1, err: unavailable, calls: 2},
		"a write, without a key":              {call: write, ctx: none, refused: 1, err: unavailable, calls: 1, kind: client.Unavailable},
		"a write, on a connection without":    {call: write, opts: []client.Option{client.NoIdempotencyKeys()}, refused: 1, err: unavailable, calls: 1, kind: client.Unavailable},
		"a write, without all the same":       {call: write, ctx: own, opts: []client.Option{client.NoIdempotencyKeys()}, refused: 1, err: unavailable, calls: 2},
		"a request with an id":                {call: lease, refused: 1, err: unavailable, calls: 2},
		"a request without one":               {call: renew, refused: 1, err: unavailable, calls: 1, kind: client.Unavailable},
		"a stream":                            {call: stream, refused: 1, err: unavailable, calls: 1, kind: client.Unavailable},
		"as often as is allowed":              {call: read, refused: 9, err: unavailable, opts: []client.Option{client.Attempts(3)}, calls: 3, kind: client.Unavailable},
		"never":                               {call: read, refused: 1, err: unavailable, opts: []client.Option{client.Attempts(1)}, calls: 1, kind: client.Unavailable},
		"exhausted, and for how long":         {call: read, refused: 1, err: refusal(connect.CodeResourceExhausted, "NO_BUDGET", wait(0)), calls: 2},
		"exhausted":                           {call: read, refused: 1, err: refusal(connect.CodeResourceExhausted, "LEASE_LIMIT"), calls: 1, kind: client.ResourceExhausted},
		"an answer that does not get better":  {call: read, refused: 1, err: refusal(connect.CodeUnavailable, "UPSTREAM_BAD_RESPONSE"), calls: 1, kind: client.Unavailable},
		"a redirect":                          {call: read, refused: 1, err: refusal(connect.CodeUnavailable, "UPSTREAM_REDIRECTED"), calls: 1, kind: client.Unavailable},
		"a refusal":                           {call: read, refused: 1, err: refusal(connect.CodePermissionDenied, "PERMISSION_DENIED"), calls: 1, kind: client.PermissionDenied},
		"an unknown outcome, with a key":      {call: write, refused: 1, err: refusal(connect.CodeUnknown, "OUTCOME_UNKNOWN"), calls: 1, kind: client.OutcomeUnknown},
		"an unknown outcome":                  {call: write, ctx: none, refused: 1, err: refusal(connect.CodeUnknown, "OUTCOME_UNKNOWN"), calls: 1, kind: client.OutcomeUnknown},
		"another error without a known cause": {call: read, refused: 1, err: refusal(connect.CodeUnknown, "WRITE_NOT_RECORDED"), calls: 1, kind: client.Unknown},
		"our key at a gateway without":        {call: write, refused: 1, err: refusal(connect.CodeFailedPrecondition, "IDEMPOTENCY_NOT_CONFIGURED"), calls: 2},
		"a given key at a gateway without":    {call: write, ctx: own, refused: 1, err: refusal(connect.CodeFailedPrecondition, "IDEMPOTENCY_NOT_CONFIGURED"), calls: 1, kind: client.FailedPrecondition},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, first(test.refused, test.err))
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			err := test.call(ctx, f.connect(t, client.Token("t1"), test.opts...).Client())
			if client.KindOf(err) != test.kind || (err == nil) != (test.kind == "") {
				t.Errorf("error %v, want %q", err, test.kind)
			}
			calls := f.got()
			if len(calls) != test.calls {
				t.Fatalf("%d calls, want %d", len(calls), test.calls)
			}
			for i, call := range calls[1:] {
				if call.key != calls[0].key && test.err.Code() != connect.CodeFailedPrecondition {
					t.Errorf("attempt %d has another key: %q, %q", i+2, call.key, calls[0].key)
				}
			}
		})
	}
}

// TestKeys: a write of the mirror has a key, each another one, and nothing else has.
func TestKeys(t *testing.T) {
	t.Parallel()
	f := serve(t, first(0, nil))
	c := f.connect(t, client.Token("t1")).Client()
	given, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Idempotency-Key", "mine")
	calls := []struct {
		ctx  context.Context
		call func(context.Context, *connect.Client) error
		want string // "?" is one of ours
	}{
		{t.Context(), write, "?"},
		{t.Context(), write, "?"},
		{t.Context(), read, ""},
		{t.Context(), renew, ""},
		{given, write, "mine"},
		{client.WithIdempotencyKey(t.Context(), "k"), write, "k"},
		{client.WithIdempotencyKey(t.Context(), "k"), read, ""},
		{client.WithoutIdempotencyKey(t.Context()), write, ""},
	}
	for i, test := range calls {
		if err := test.call(test.ctx, c); err != nil {
			t.Fatal(err)
		}
		got := f.got()[i].key
		if test.want == "?" && (len(got) != 36 || i > 0 && got == f.got()[0].key) || test.want != "?" && got != test.want {
			t.Errorf("call %d has the key %q, want %q", i, got, test.want)
		}
	}
	// What a call adds does not stay in the caller's headers.
	reused, info := connect.NewClientContext(t.Context())
	if err := write(reused, c); err != nil || info.RequestHeader().Len() != 0 {
		t.Errorf("error %v, headers %v", err, info.RequestHeader())
	}
}

// TestWriteWithoutAKeyIsNotRepeated also where a gateway refused the key that it had.
func TestWriteWithoutAKeyIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := serve(t, func(_ context.Context, n int, call seen) error {
		if call.key != "" {
			return refusal(connect.CodeFailedPrecondition, "IDEMPOTENCY_NEEDS_ENCRYPTION")
		}
		return refusal(connect.CodeUnavailable, "UPSTREAM_UNAVAILABLE")
	})
	err := write(t.Context(), f.connect(t, client.Token("t1")).Client())
	if calls := f.got(); client.KindOf(err) != client.Unavailable || len(calls) != 2 || calls[1].key != "" {
		t.Errorf("error %v after %+v", err, calls)
	}
}

// TestPauses: a pause is as long as the gateway asks for, and none goes past the deadline.
func TestPauses(t *testing.T) {
	t.Parallel()
	f := serve(t, first(1, refusal(connect.CodeResourceExhausted, "CALLER_LIMIT", wait(300*time.Millisecond))))
	c := f.connect(t, client.Token("t1")).Client()
	if err := read(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if calls := f.got(); calls[1].at.Sub(calls[0].at) < 300*time.Millisecond {
		t.Error("the pause was shorter than the gateway asked for")
	}

	f = serve(t, first(9, refusal(connect.CodeResourceExhausted, "CALLER_LIMIT", wait(time.Hour))))
	began := time.Now()
	err := read(t.Context(), f.connect(t, client.Token("t1")).Client())
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Kind != client.ResourceExhausted || refused.RetryDelay != time.Hour || time.Since(began) > 5*time.Second {
		t.Errorf("error %v after %v, want the gateway's at once", err, time.Since(began))
	}
}

// TestDeadlines: a unary call has one, its own if there is one, and its attempts share it.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	f := serve(t, first(0, nil))
	c := f.connect(t, client.Token("t1"), client.Deadline(20*time.Second)).Client()
	own, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := errors.Join(read(t.Context(), c), read(own, c), stream(t.Context(), c), stream(own, c)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{20 * time.Second, time.Minute, 0, time.Minute} {
		if left := f.got()[i].left; left > want || left < want-10*time.Second {
			t.Errorf("call %d had %v, want %v", i, left, want)
		}
	}

	f = serve(t, func(ctx context.Context, n int, _ seen) error {
		if n > 2 {
			<-ctx.Done() // It hangs.
			return ctx.Err()
		}
		return refusal(connect.CodeUnavailable, "UPSTREAM_UNAVAILABLE")
	})
	err := read(t.Context(), f.connect(t, client.Token("t1"), client.Deadline(3*time.Second)).Client())
	if calls := f.got(); client.KindOf(err) != client.DeadlineExceeded || len(calls) != 3 || calls[2].left > 2900*time.Millisecond {
		t.Errorf("error %v after %+v", err, calls)
	}
}

// TestErrors: an error has what the gateway says, on unary calls and on streams.
func TestErrors(t *testing.T) {
	t.Parallel()
	denied := refusal(connect.CodePermissionDenied, "PERMISSION_DENIED",
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "name", Description: "is bad"}}}, wait(1500*time.Millisecond),
		&errdetails.ErrorInfo{Reason: "PERMISSION_DENIED", Metadata: map[string]string{"permission": "projects.create", "project": "proj_a", "upstream_request_id": "up_1", "other": "o"}})
	for _, call := range []func(context.Context, *connect.Client) error{read, stream} {
		for _, opts := range [][]client.Option{nil, {client.UseConnect()}} {
			f := serve(t, first(1, denied))
			f.headers = map[string]string{"X-Request-Id": "req_1"}
			err := call(t.Context(), f.connect(t, client.Token("t1"), opts...).Client())
			var e *client.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Kind != client.PermissionDenied || e.Code != connect.CodePermissionDenied || e.Reason != "PERMISSION_DENIED" || e.Message != "no" ||
				e.Permission != "projects.create" || e.Project != "proj_a" || e.UpstreamRequestID != "up_1" || e.RequestID != "req_1" ||
				e.RetryDelay != 1500*time.Millisecond || len(e.Violations) != 1 || e.Violations[0] != (client.Violation{Field: "name", Description: "is bad"}) || e.Metadata["other"] != "o" {
				t.Errorf("error %+v", e)
			}
			if want := "permission_denied: no (PERMISSION_DENIED, request req_1)"; e.Error() != want {
				t.Errorf("text %q, want %q", e, want)
			}
			if wire, ok := errors.AsType[*connect.Error](err); !ok || !wire.IsRemote() {
				t.Errorf("it does not unwrap to the library's error: %v", err)
			}
		}
	}
}

// TestCutConnection: a connection that is cut is UNAVAILABLE, whatever the library makes
// of it, and a read is made again.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]client.Option{nil, {client.UseConnect()}} {
		var f *fake
		cuts := 1
		f = serve(t, func(ctx context.Context, n int, _ seen) error {
			if n <= cuts {
				f.CloseClientConnections()
				<-ctx.Done()
			}
			return nil
		})
		if err := read(t.Context(), f.connect(t, client.Token("t1"), opts...).Client()); err != nil || len(f.got()) != 2 {
			t.Errorf("error %v after %d calls", err, len(f.got()))
		}
		cuts = 9
		if err := stream(t.Context(), f.connect(t, client.Token("t1"), opts...).Client()); client.KindOf(err) != client.Unavailable {
			t.Errorf("a stream that is cut: %v", err)
		}
	}
}

// TestCanceled: a call that is cancelled ends, here and there.
func TestCanceled(t *testing.T) {
	t.Parallel()
	arrived, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	f := serve(t, func(ctx context.Context, _ int, _ seen) error {
		arrived <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	})
	for _, call := range []func(context.Context, *connect.Client) error{read, stream} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		if err := call(ctx, f.connect(t, client.Token("t1")).Client()); client.KindOf(err) != client.Canceled {
			t.Errorf("error %v", err)
		}
		<-ended
	}
}

// TestCanceledInAPause: the call has been cancelled, and the error says so.
func TestCanceledInAPause(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := serve(t, func(context.Context, int, seen) error {
		time.AfterFunc(50*time.Millisecond, cancel)
		return refusal(connect.CodeUnavailable, "UPSTREAM_BREAKER_OPEN", wait(20*time.Second))
	})
	began := time.Now()
	err := read(ctx, f.connect(t, client.Token("t1")).Client())
	if client.KindOf(err) != client.Canceled || len(f.got()) != 1 || time.Since(began) > 10*time.Second {
		t.Errorf("error %v after %v", err, time.Since(began))
	}
}

// TestClose: it ends what is under way, and nothing begins after it.
func TestClose(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	f := serve(t, func(ctx context.Context, _ int, _ seen) error {
		arrived <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	gateway := f.connect(t, client.Token("t1"))
	go func() { <-arrived; _ = gateway.Close() }()
	if err := stream(t.Context(), gateway.Client()); client.KindOf(err) != client.Canceled {
		t.Errorf("error %v", err)
	}
	if err := read(t.Context(), gateway.Client()); client.KindOf(err) != client.Canceled || len(f.got()) != 1 {
		t.Errorf("after Close: error %v, %d calls", err, len(f.got()))
	}
}

// TestHeaders: the caller gets the headers of the answer, and a long one.
func TestHeaders(t *testing.T) {
	t.Parallel()
	f := serve(t, first(1, refusal(connect.CodeUnavailable, "UPSTREAM_UNAVAILABLE")))
	f.headers = map[string]string{"Age": "7", "Cache-Status": "admin-gateway; fwd=stale; ttl=-12; detail=isolated", "X-Long": strings.Repeat("x", 64<<10)}
	ctx, info := connect.NewClientContext(t.Context())
	if err := read(ctx, f.connect(t, client.Token("t1"), client.UserAgent("app/1")).Client()); err != nil {
		t.Fatal(err)
	}
	want := client.Freshness{Age: 7 * time.Second, Known: true, Forward: "stale", TTL: -12 * time.Second, Detail: "isolated"}
	if got := client.FreshnessOf(info); got != want {
		t.Errorf("freshness %+v, want %+v", got, want)
	}
	if n := len(info.ResponseHeader().Get("X-Long")); n != 64<<10 {
		t.Errorf("a header of %d bytes", n)
	}
	if agent := f.got()[0].agent; agent != "app/1 admin-gateway-go/"+client.Version() {
		t.Errorf("user agent %q", agent)
	}
	if client.FreshnessOf(new(connect.CallInfo)) != (client.Freshness{}) {
		t.Error("an answer without headers has a freshness")
	}
}

// TestInterceptors see a call once, and the error that the caller gets.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	f := serve(t, first(9, refusal(connect.CodeUnavailable, "UPSTREAM_UNAVAILABLE")))
	calls := 0
	count := func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			calls++
			return next(ctx, spec)
		}
	}
	_, err := f.projects(t, client.Interceptors(count), client.Attempts(2)).ListProjects(t.Context(), &adminv1.ListProjectsRequest{})
	if calls != 1 || len(f.got()) != 2 || client.KindOf(err) != client.Unavailable {
		t.Errorf("%d and %d calls, error %v", calls, len(f.got()), err)
	}
}
