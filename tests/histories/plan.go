package histories

import (
	"context"
	"net/http"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// Call is a request that has arrived at the upstream.
type Call struct {
	Method string
	Path   string // without the version
	// Register is the project of a read or a write of one, and Value the name
	// that a write gives it.
	Register, Value string
}

// Write returns whether the call writes a register.
func (c Call) Write() bool { return c.Method == http.MethodPost && c.Register != "" }

// Gate holds something back. A nil Gate is open.
type Gate func(ctx context.Context) error

// After opens d after the call has come to it.
func After(d time.Duration) Gate {
	return func(ctx context.Context) error { return processtest.Pause(ctx, d) }
}

// Opened opens when the channel is closed.
func Opened(c <-chan struct{}) Gate {
	return func(ctx context.Context) error {
		select {
		case <-c:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Plan is what becomes of a call. The zero value does it and answers at once.
type Plan struct {
	// Effect holds back the look at the register, or its change. It does not end
	// with the caller's connection.
	Effect Gate
	// Answer holds back the answer, which never comes before the effect.
	Answer Gate
	// Lost cuts the connection in place of an answer. That may be before the effect.
	Lost bool
	// Dropped is a call that has no effect. It goes with Lost.
	Dropped bool
}
