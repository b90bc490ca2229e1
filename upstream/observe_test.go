package upstream_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// tracer returns a tracer whose ended spans are recorded, and the context of a call that has a
// span, a state and baggage of others.
func tracer(tb testing.TB) (*tracetest.InMemoryExporter, trace.Tracer, context.Context) {
	tb.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	tb.Cleanup(func() { _ = provider.Shutdown(context.Background()) }) // Nothing is on its way.
	state, err := trace.ParseTraceState("vendor=word")
	if err != nil {
		tb.Fatal(err)
	}
	word, err := baggage.NewMember("word", "said")
	if err != nil {
		tb.Fatal(err)
	}
	all, err := baggage.New(word)
	if err != nil {
		tb.Fatal(err)
	}
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
	return spans, provider.Tracer("test"), trace.ContextWithSpanContext(baggage.ContextWithBaggage(tb.Context(), all), parent)
}

// attempted records the calls of an [upstream.AttemptMetrics].
type attempted struct {
	mu       sync.Mutex
	underWay int
	ended    []string
	masked   map[upstream.Masked]int
}

func (a *attempted) Masked(kind upstream.Masked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.masked == nil {
		a.masked = make(map[upstream.Masked]int)
	}
	a.masked[kind]++
}

func (a *attempted) Began() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.underWay++
}

func (a *attempted) Ended(e *upstream.Endpoint, status int, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.underWay--
	if took > 0 {
		a.ended = append(a.ended, fmt.Sprintf("%s %d", e, status))
	}
}

// An attempt is a child span of the call's, with the route and the result, and it is
// counted with both.
func TestAttemptIsObserved(t *testing.T) {
	t.Parallel()
	const route = "GET /organization/projects/{project_id}"
	for name, test := range map[string]struct {
		turn   happening
		status int
		kind   string
		fails  bool
	}{
		"answered": {status(http.StatusOK, `{"id": "proj_1"}`), 200, "", false},
		"refused":  {status(http.StatusNotFound, `{"error": {"message": "`+canary+`"}}`), 404, "NOT_FOUND", true},
		"ill":      {status(http.StatusInternalServerError, canary), 500, "UNAVAILABLE", true},
		"cut":      {cut, 0, "UNAVAILABLE", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans, tracer, ctx := tracer(t)
			counted := new(attempted)
			base, _ := play(t, test.turn)
			client := newClient(t, base, func(c *upstream.Config) { c.Tracer, c.Attempts = tracer, counted })
			if _, err := getProject(t).do(ctx, client); (err != nil) != test.fails {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%s %d", route, test.status); counted.underWay != 0 || len(counted.ended) != 1 || counted.ended[0] != want {
				t.Errorf("counted %v, %d under way; want %s", counted.ended, counted.underWay, want)
			}
			all := spans.GetSpans()
			if len(all) != 1 {
				t.Fatalf("%d spans", len(all))
			}
			said := map[string]string{}
			for _, a := range all[0].Attributes {
				said[string(a.Key)] = a.Value.String()
			}
			want := map[string]string{"http.request.method": "GET", "url.template": "/organization/projects/{project_id}"}
			if test.status > 0 {
				want["http.response.status_code"] = fmt.Sprint(test.status)
			}
			if test.kind != "" {
				want["error.type"] = test.kind
			}
			if s := all[0]; s.Name != route || s.SpanKind != trace.SpanKindClient || s.Parent.TraceID() != (trace.TraceID{1}) || fmt.Sprint(said) != fmt.Sprint(want) {
				t.Errorf("span %s below %s says %v, want %v", s.Name, s.Parent.TraceID(), said, want)
			}
			if text := fmt.Sprintf("%+v", all); strings.Contains(text, canary) || strings.Contains(text, "proj_1") {
				t.Errorf("the span has a value: %s", text)
			}
		})
	}
}

// The upstream is a third party: it gets nothing of a trace or, where the operator
// wants it, the two ids.
func TestTraceparentOnlyWhereConfigured(t *testing.T) {
	t.Parallel()
	for _, send := range []bool{false, true} {
		t.Run(fmt.Sprint(send), func(t *testing.T) {
			t.Parallel()
			spans, tracer, ctx := tracer(t)
			got := make(chan http.Header, 1)
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got <- r.Header
				status(http.StatusOK, `{"id": "proj_1"}`)(w, r)
			})
			client := newClient(t, base, func(c *upstream.Config) { c.Tracer, c.SendTraceparent = tracer, send })
			if _, err := getProject(t).do(ctx, client); err != nil {
				t.Fatal(err)
			}
			header := <-got
			want := ""
			if send {
				s := spans.GetSpans()[0].SpanContext
				want = "00-" + s.TraceID().String() + "-" + s.SpanID().String() + "-01"
			}
			if header.Get("Traceparent") != want || header.Get("Tracestate") != "" || header.Get("Baggage") != "" {
				t.Errorf("the upstream got %v, want the traceparent %q", header, want)
			}
		})
	}
	t.Run("without a trace", func(t *testing.T) {
		t.Parallel()
		got := make(chan http.Header, 1)
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got <- r.Header
			status(http.StatusOK, `{"id": "proj_1"}`)(w, r)
		})
		if _, err := getProject(t).do(t.Context(), newClient(t, base, func(c *upstream.Config) { c.SendTraceparent = true })); err != nil {
			t.Fatal(err)
		}
		if header := <-got; header.Get("Traceparent") != "" {
			t.Errorf("the upstream got headers of a trace: %v", header)
		}
	})
}

// The wait for the budget is a span of its own, and says when there was none.
func TestWaitIsObserved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pacer *scriptedPacer
		kind  string
	}{
		"granted": {new(scriptedPacer), ""},
		"refused": {&scriptedPacer{fails: budgetError(time.Second)}, "RATE_LIMITED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans, tracer, ctx := tracer(t)
			base, _ := play(t, status(http.StatusOK, `{"id": "proj_1"}`))
			sender := coldSender(t, newClient(t, base), withPacer(test.pacer), func(o *upstream.SenderOptions) { o.Tracer = tracer })
			_, err := getProject(t).send(ctx, sender)
			if (err != nil) != (test.kind != "") {
				t.Fatal(err)
			}
			all := spans.GetSpans()
			if len(all) != 1 || all[0].Name != "pace" || all[0].Parent.TraceID() != (trace.TraceID{1}) {
				t.Fatalf("spans %v", all)
			}
			if said := fmt.Sprint(all[0].Attributes); strings.Contains(said, "RATE_LIMITED") != (test.kind != "") {
				t.Errorf("the span says %s", said)
			}
		})
	}
}
