package service_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	callersTrace       = "0af7651916cd43dd8448eb211c80319c"
	callersSpan        = "b7ad6b7169203331"
	callersTraceparent = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// tracedCall is one call of a caller that traces, with more than it should send.
func tracedCall(t *testing.T, client *connect.Client, traceparent string, call func(ctx context.Context, c *connect.Client) error) error {
	t.Helper()
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Traceparent", traceparent)
	info.RequestHeader().Set("Tracestate", "vendor="+secretWord)
	info.RequestHeader().Set("Baggage", "word="+secretWord)
	return call(ctx, client)
}

func listProjects(ctx context.Context, c *connect.Client) error {
	_, err := adminv1connect.NewProjectServiceClient(c).ListProjects(ctx, &adminv1.ListProjectsRequest{})
	return err
}

// newTracedGateway is a gateway with spans that lists projects, from memory the
// second time.
func newTracedGateway(t *testing.T) *gatewaytest.Gateway {
	t.Helper()
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"object": "list", "data": []}`)}, nil
	})
	return gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache(), gatewaytest.WithTelemetry())
}

// byName are the spans of one name.
func byName(spans tracetest.SpanStubs, name string) tracetest.SpanStub {
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	return tracetest.SpanStub{}
}

// A call is a child of its caller's span, and the stages are children of the
// call's: first with a flight, then without.
func TestSpansOfACall(t *testing.T) {
	t.Parallel()
	g := newTracedGateway(t)
	spans, door, kept := g.Spans, g.InProcess(), g.Records
	for _, outcome := range []string{"miss", "hit"} {
		spans.Reset()
		if err := tracedCall(t, gatewaytest.As("root", door), callersTraceparent, listProjects); err != nil {
			t.Fatal(err)
		}
		all := spans.GetSpans()
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
			if s.SpanContext.TraceID().String() != callersTrace || s.SpanContext.TraceState().Len() > 0 {
				t.Errorf("%s is in the trace %s with the state %q", s.Name, s.SpanContext.TraceID(), s.SpanContext.TraceState())
			}
		}
		slices.Sort(names)
		want := []string{"admingateway.admin.v1.ProjectService/ListProjects", "audit", "authenticate", "authorize", "cache", "flight"}
		if outcome == "hit" {
			want = slices.DeleteFunc(want, func(name string) bool { return name == "flight" })
		}
		if !slices.Equal(names, want) {
			t.Fatalf("%s: spans %v, want %v", outcome, names, want)
		}
		call, look := byName(all, "admingateway.admin.v1.ProjectService/ListProjects"), byName(all, "cache")
		if call.Parent.SpanID().String() != callersSpan || !call.Parent.IsRemote() || call.SpanKind != trace.SpanKindServer {
			t.Errorf("the parent of the call is %s", call.Parent.SpanID())
		}
		if outcome == "miss" && byName(all, "flight").Parent.SpanID() != look.SpanContext.SpanID() {
			t.Error("the flight is not a child of the look for an answer")
		}
		if look.Parent.SpanID() != call.SpanContext.SpanID() || attributeOf(look, "gateway.cache.outcome") != outcome {
			t.Errorf("%s has %v", outcome, look.Attributes)
		}
		if attributeOf(call, "rpc.response.status_code") != "ok" || attributeOf(call, "gateway.door") != "inprocess" {
			t.Errorf("the call has %v", call.Attributes)
		}
	}
	for _, r := range kept.All() {
		if r.TraceID != callersTrace {
			t.Errorf("the record has the trace %q", r.TraceID)
		}
	}
}

func attributeOf(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

// What a caller says about its trace is believed when it can be, and a call
// without one begins its own, which log and record know.
func TestTraceOfCaller(t *testing.T) {
	t.Parallel()
	g := newTracedGateway(t)
	spans, door, kept := g.Spans, g.InProcess(), g.Records
	for name, test := range map[string]struct {
		traceparent string
		spans       bool
		taken       bool
	}{
		"none":        {"", true, false},
		"not sampled": {"00-" + callersTrace + "-" + callersSpan + "-00", false, true},
		"nonsense":    {"00-" + secretWord, true, false},
		"zero":        {"00-" + strings.Repeat("0", 32) + "-" + callersSpan + "-01", true, false},
		"too long":    {callersTraceparent + strings.Repeat("0", 1000), true, false},
		"whole":       {callersTraceparent, true, true},
	} {
		spans.Reset()
		if err := tracedCall(t, gatewaytest.As("root", door), test.traceparent, listProjects); err != nil {
			t.Fatal(err)
		}
		all, record := spans.GetSpans(), kept.Last()
		if (len(all) > 0) != test.spans {
			t.Errorf("%s: %d spans", name, len(all))
		}
		if len(record.TraceID) != 32 || (record.TraceID == callersTrace) != test.taken {
			t.Errorf("%s: the record has the trace %q", name, record.TraceID)
		}
		for _, s := range all {
			if s.SpanContext.TraceID().String() != record.TraceID {
				t.Errorf("%s: the span has the trace %s, the record %s", name, s.SpanContext.TraceID(), record.TraceID)
			}
		}
	}
}

// An error of a caller is not an error of the gateway.
func TestSpansOfFailures(t *testing.T) {
	t.Parallel()
	g := newTracedGateway(t)
	spans, door := g.Spans, g.InProcess()
	for name, test := range map[string]struct {
		caller string
		call   func(ctx context.Context, c *connect.Client) error
		span   string
		code   string
		reason string
		status codes.Code
	}{
		"unknown": {"unknown", listProjects, "admingateway.admin.v1.ProjectService/ListProjects", "unauthenticated", "unknown_token", codes.Unset},
		"no such method": {"root", func(ctx context.Context, c *connect.Client) error {
			return c.CallUnary(ctx, connect.Spec{Procedure: "/" + secretWord + "/proj_1"}, &adminv1.GetProjectRequest{}, &adminv1.GetProjectResponse{})
		}, "unknown", "unimplemented", "", codes.Error},
		"bad request": {"root", func(ctx context.Context, c *connect.Client) error {
			_, err := adminv1connect.NewProjectServiceClient(c).GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "/" + secretWord})
			return err
		}, "admingateway.admin.v1.ProjectService/GetProject", "invalid_argument", "", codes.Unset},
	} {
		spans.Reset()
		if err := tracedCall(t, gatewaytest.As(test.caller, door), "", test.call); err == nil {
			t.Errorf("%s: no error", name)
		}
		s := byName(spans.GetSpans(), test.span)
		if attributeOf(s, "rpc.response.status_code") != test.code || attributeOf(s, "gateway.reason") != test.reason || s.Status.Code != test.status {
			t.Errorf("%s: span %q, %v, %v", name, s.Name, s.Attributes, s.Status)
		}
	}
}

// Whatever is asked, and whatever comes of it, spans say nothing but words that
// are known beforehand.
func TestSpansHoldNoValues(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	gw.tour(t, doors[0])
	remove := gw.Sandbox.Inject(sandbox.Fault{Kind: sandbox.Refuse, Op: "*", Status: http.StatusInternalServerError, Message: secretWord})
	defer remove()
	w := validTourValues(t)
	for _, s := range readTour(t, gw.Catalog) {
		for _, caller := range []string{"root", "unknown"} {
			_ = gatewaytest.As(caller, gw.Transport(doors[2])).CallUnary(t.Context(), s.method.Spec(), s.message(t, w), s.method.Response.New().Interface())
		}
	}
	names := []string{"authenticate", "authorize", "cache", "flight", "audit"}
	values := map[string][]string{
		"gateway.door": {"connect", "grpc", "grpcweb", "rest", "vault", "inprocess"}, "gateway.cache.outcome": {"miss", "hit", "bypass", "error"},
		"gateway.reason": {"unknown_token"}, "http.request.method": {"GET", "POST", "DELETE"}, "http.response.status_code": {"200", "500"},
		"rpc.response.status_code": {"ok", "unauthenticated", "unavailable", "unknown", "not_found", "invalid_argument"}, "error.type": {"UNAVAILABLE", "OUTCOME_UNKNOWN"},
	}
	for _, method := range gw.Catalog.Mirrored() {
		names = append(names, method.Name(), method.Endpoint.String())
		values["rpc.method"] = append(values["rpc.method"], method.Name())
		values["url.template"] = append(values["url.template"], method.Endpoint.Template())
	}
	all := gw.Spans.GetSpans()
	if len(all) < 5*len(gw.Catalog.Mirrored()) {
		t.Fatalf("only %d spans", len(all))
	}
	for _, s := range all {
		if !slices.Contains(names, s.Name) || len(s.Events) > 0 || len(s.Links) > 0 || s.Status.Description != "" || s.SpanContext.TraceState().Len() > 0 {
			t.Fatalf("span %q says %v %v %q", s.Name, s.Events, s.Links, s.Status.Description)
		}
		for _, a := range s.Attributes {
			if !slices.Contains(values[string(a.Key)], a.Value.String()) {
				t.Fatalf("span %s has %s=%q", s.Name, a.Key, a.Value.String())
			}
		}
	}
}
