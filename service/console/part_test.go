package console_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/console"
)

// TestOrnamentsComeInTheSecondTurn: a part whose first turn was over before it had looked
// for its ornaments is not done with it.
func TestOrnamentsComeInTheSecondTurn(t *testing.T) {
	t.Parallel()
	var turns atomic.Int32
	page := &console.Page{Path: "/", Title: "Slow", Parts: []console.Part{{
		ID: "slow", Title: "Slow", Template: "slow",
		Gather: func(ctx context.Context, _ *console.Visit) (any, error) {
			if turns.Add(1) == 1 {
				<-ctx.Done()
				return "plain", nil
			}
			return "with names", nil
		},
	}}}
	b := consoletest.Open(t, gatewaytest.New(t), func(o *console.Options) {
		o.Pages = []*console.Page{page}
		o.Templates = fstest.MapFS{"slow.html": {Data: []byte(`{{define "slow"}}<p>{{.Data}}</p>{{end}}`)}}
	}).As(t, "root")
	turns.Store(0) // The login may have shown the page.
	if part := b.Get("/").Parts()["slow"]; !strings.Contains(part, "with names") || !strings.Contains(part, " done\"") || turns.Load() != 2 {
		t.Errorf("after %d turns: %s", turns.Load(), part)
	}
}
