package service_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Whatever is logged on the way of a call says which call it was, once.
func TestLogLinesNameTheCall(t *testing.T) {
	t.Parallel()
	lines := new(gatewaytest.Logs)
	logger := slog.New(accounting.NewLogHandler(slog.NewJSONHandler(lines, nil)))
	up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		logger.With("part", "upstream").InfoContext(ctx, "deep inside")
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"object": "list", "data": []}`)}, nil
	})
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache(), gatewaytest.WithOptions(func(o *service.Options) { o.Logger, o.Lines.Calls = logger, observe.AllCalls }))
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Traceparent", callersTraceparent)
	if err := listProjects(ctx, gateway.Client("root")); err != nil {
		t.Fatal(err)
	}
	id := info.ResponseHeader().Get("X-Request-Id")
	for _, message := range []string{"deep inside", "call"} {
		found := lines.Of(t, message)
		if len(found) != 1 || id == "" || found[0]["request_id"] != id || found[0]["trace_id"] != callersTrace {
			t.Errorf("%q: %v, want the request %s", message, found, id)
		}
	}
	logger.WarnContext(t.Context(), "outside")
	if found := lines.Of(t, "outside"); len(found) != 1 || found[0]["request_id"] != nil {
		t.Errorf("what belongs to no call: %v", found)
	}
}
