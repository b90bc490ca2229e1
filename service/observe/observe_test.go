package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const word = "canary-77e0"

// lines are the lines of a log.
func lines(t *testing.T, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for text := range strings.Lines(log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

// call serves a call of a caller through an interceptor.
func call(t *testing.T, procedure, caller string, failure error, interceptors ...connect.ServerInterceptor) error {
	t.Helper()
	_, err := rpctest.Call{
		Procedure: procedure, Interceptors: append([]connect.ServerInterceptor{accounting.WithCall}, interceptors...),
		Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			accounting.From(ctx).Admission.Identity.Caller = caller
			if failure != nil {
				return failure
			}
			return rpctest.Answer(ctx, spec, stream)
		},
	}.Do(t.Context())
	return err
}

// TestALineACall: the line has the code and the cause, and its level says whether an
// operator has to look.
func TestALineACall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure      error
		code, level  string
		cause, reply string
	}{
		"answered":        {nil, "ok", "INFO", "", ""},
		"refused":         {connect.NewError(connect.CodeNotFound, "no such thing"), "not_found", "INFO", "", "no such thing"},
		"internal":        {connect.NewError(connect.CodeInternal, "internal error").WithCause(errors.New("a map is nil")), "internal", "ERROR", "a map is nil", "internal error"},
		"of the gateway":  {&rpcerror.Error{Code: connect.CodeUnavailable, Message: "not now", Cause: errors.New("disk full")}, "unavailable", "INFO", "disk full", "not now"},
		"without a cause": {&rpcerror.Error{Code: connect.CodeUnavailable, Message: "not now"}, "unavailable", "INFO", "", "not now"},
	} {
		out := new(bytes.Buffer)
		// The codes of a caller are those of rpcerror.ToCaller.
		mapped := func(next connect.ServerFunc) connect.ServerFunc {
			return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
				err := next(ctx, spec, stream)
				if _, ok := errors.AsType[*rpcerror.Error](err); ok {
					return rpcerror.ToCaller(err)
				}
				return err
			}
		}
		_ = call(t, "", "ann", test.failure, observe.WithLog(slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})), observe.Lines{Calls: observe.AllCalls}), mapped)
		all := lines(t, out)
		if len(all) != 1 {
			t.Fatalf("%s: %s", name, out)
		}
		cause, _ := all[0]["cause"].(string)
		if all[0]["msg"] != "call" || all[0]["code"] != test.code || all[0]["level"] != test.level || all[0]["caller"] != "ann" || all[0]["method"] != "test.v1.Service/Method" || cause != test.cause {
			t.Errorf("%s: %s", name, out)
		}
		if _, ok := all[0]["duration"]; !ok {
			t.Errorf("%s: no duration: %s", name, out)
		}
	}
}

// TestWhichCallsHaveALine: by default those that failed on this side and those that
// were slow, whatever the caller did wrong.
func TestWhichCallsHaveALine(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	at := func(code connect.Code) error { return connect.NewError(code, "no") }
	for name, test := range map[string]struct {
		lines   observe.Lines
		failure error
		want    int
	}{
		"answered":             {observe.Lines{}, nil, 0},
		"answered soon enough": {observe.Lines{Slow: day}, nil, 0},
		"slow":                 {observe.Lines{Slow: 1}, nil, 1},
		"slow, and refused":    {observe.Lines{Slow: 1}, at(connect.CodeNotFound), 1},
		"unknown":              {observe.Lines{}, at(connect.CodeUnknown), 1},
		"too late":             {observe.Lines{}, at(connect.CodeDeadlineExceeded), 1},
		"internal":             {observe.Lines{}, at(connect.CodeInternal), 1},
		"unavailable":          {observe.Lines{}, at(connect.CodeUnavailable), 1},
		"data loss":            {observe.Lines{}, at(connect.CodeDataLoss), 1},
		"not a code":           {observe.Lines{}, errors.New("no"), 1},
		"canceled":             {observe.Lines{Slow: day}, at(connect.CodeCanceled), 0},
		"invalid":              {observe.Lines{Slow: day}, at(connect.CodeInvalidArgument), 0},
		"not found":            {observe.Lines{Slow: day}, at(connect.CodeNotFound), 0},
		"not allowed":          {observe.Lines{Slow: day}, at(connect.CodePermissionDenied), 0},
		"not known":            {observe.Lines{Slow: day}, at(connect.CodeUnauthenticated), 0},
		"too much":             {observe.Lines{Slow: day}, at(connect.CodeResourceExhausted), 0},
		"no such method":       {observe.Lines{Slow: day}, at(connect.CodeUnimplemented), 0},
		"all, answered":        {observe.Lines{Calls: observe.AllCalls}, nil, 1},
		"none, slow":           {observe.Lines{Calls: observe.NoCalls, Slow: 1}, nil, 0},
		"none, internal":       {observe.Lines{Calls: observe.NoCalls}, at(connect.CodeInternal), 0},
	} {
		out := new(bytes.Buffer)
		_ = call(t, "", "ann", test.failure, observe.WithLog(slog.New(slog.NewJSONHandler(out, nil)), test.lines))
		if n := len(lines(t, out)); n != test.want {
			t.Errorf("%s: %d lines, want %d: %s", name, n, test.want, out)
		}
	}
}

// TestAnonymousLinesAreLimited: callers that are not authenticated do not fill the
// log, and hold back no line of others.
func TestAnonymousLinesAreLimited(t *testing.T) {
	t.Parallel()
	const calls = 2000
	out := new(bytes.Buffer)
	log := observe.WithLog(slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})), observe.Lines{Calls: observe.AllCalls})
	refusal := connect.NewError(connect.CodeUnauthenticated, "who is it")
	for range calls {
		_ = call(t, "", "", refusal, log)
	}
	before := len(lines(t, out))
	if before < 500 || before >= calls {
		t.Errorf("%d lines of %d anonymous calls", before, calls)
	}
	_ = call(t, "", "ann", nil, log)
	all := lines(t, out)
	last := all[len(all)-1]
	sum := float64(0)
	for _, line := range all {
		n, _ := line["left_out"].(float64)
		sum += n
	}
	if len(all) != before+1 || last["caller"] != "ann" || int(sum) != calls-before {
		t.Errorf("the next line is %v; %v of %d are said to be left out", last, sum, calls-before)
	}
}

// TestRecovery: a panic is the error of one call, whose value only its type names,
// and the log has the stack.
func TestRecovery(t *testing.T) {
	t.Parallel()
	out := new(bytes.Buffer)
	_, err := rpctest.Call{
		Interceptors: []connect.ServerInterceptor{accounting.WithCall, observe.WithRecovery(slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})))},
		Handler:      func(context.Context, connect.Spec, connect.ServerStream) error { panic(word) },
	}.Do(t.Context())
	if err == nil || err.Error() != "panic: string" {
		t.Errorf("%v", err)
	}
	all := lines(t, out)
	if len(all) != 1 || all[0]["level"] != "ERROR" || all[0]["method"] != "test.v1.Service/Method" || strings.Contains(out.String(), word) {
		t.Fatalf("%s", out)
	}
	if stack, _ := all[0]["stack"].(string); !strings.Contains(stack, "observe_test.go") {
		t.Errorf("the stack does not say where: %s", stack)
	}
}

// TestMetricsHaveNoNamesOfCallers: a procedure that does not exist is "unknown", and
// a registerer that has the metrics already is an error.
func TestMetricsHaveNoNamesOfCallers(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	metrics, err := observe.NewMetrics(registry, catalogtest.Gateway(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	known := catalogtest.Method(t, "ProjectService/GetProject")
	for range 2 {
		_ = call(t, "/"+word+"/"+word, "ann", nil, metrics.WithMetrics)
		_ = call(t, known.Procedure, "ann", connect.NewError(connect.CodeNotFound, word), metrics.WithMetrics)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]uint64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, label := range m.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			if h := m.GetHistogram(); h != nil {
				counts[strings.Join(labels, " ")] = h.GetSampleCount()
			} else if m.GetGauge().GetValue() != 0 {
				t.Errorf("%s is %v after the calls", family.GetName(), m.GetGauge().GetValue())
			}
		}
	}
	if len(counts) != 2 || counts["code=ok door=inprocess rpc=unknown"] != 2 || counts["code=not_found door=inprocess rpc="+known.Name()] != 2 {
		t.Errorf("%v", counts)
	}
	if _, err := observe.NewMetrics(registry, nil, nil); err == nil {
		t.Error("the metrics were registered twice")
	}
}

// TestSpans: a call and its stages have spans with the code, and without a tracer
// there is nothing.
func TestSpans(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	known := catalogtest.Method(t, "ProjectService/GetProject")
	for _, tracer := range []*observe.Tracer{observe.NewTracer(provider.Tracer("test"), nil, catalogtest.Gateway(t)), observe.NewTracer(nil, nil, nil)} {
		_ = call(t, known.Procedure, "ann", nil, tracer.WithSpan, func(next connect.ServerFunc) connect.ServerFunc {
			return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
				_, span := tracer.Stage(ctx, observe.StageAuthorize)
				span.End(nil)
				return next(ctx, spec, stream)
			}
		})
	}
	spans := exporter.GetSpans()
	if len(spans) != 2 || spans[0].Name != observe.StageAuthorize.String() || spans[1].Name != known.Name() || spans[0].Parent.SpanID() != spans[1].SpanContext.SpanID() {
		t.Errorf("%+v", spans)
	}
}

// TestMethodIsShort: a procedure that a caller chose fits in a line.
func TestMethodIsShort(t *testing.T) {
	t.Parallel()
	if got := observe.Method("/a.B/C"); got != "a.B/C" {
		t.Errorf("%q", got)
	}
	if got := observe.Method("/" + strings.Repeat("x", 10_000)); len(got) > 1000 {
		t.Errorf("%d bytes", len(got))
	}
}
