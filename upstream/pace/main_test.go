package pace

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/racing"
)

func TestMain(m *testing.M) {
	if err := racing.Checks(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// roomy is a limit of an organization that no call waits for.
var roomy = Limit{Calls: 1e5, Burst: 1000}

func newPacer(tb testing.TB, options Options) *Pacer {
	tb.Helper()
	p, err := New(options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// as returns a context for calls of a flow.
func as(ctx context.Context, key string, class Class) context.Context {
	return WithFlow(ctx, Flow{Key: key, Class: class})
}

func waitingIn(p *Pacer) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

func termsOf(p *Pacer, bucket string) Terms {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bucket(bucket).terms
}

// remembered is the number of flows in the order of p. Its lock is held.
func remembered(p *Pacer) (n int) {
	for _, b := range p.ordered {
		n += len(b.queue.turns[prompt].flows) + len(b.queue.turns[patient].flows)
	}
	return n + len(p.order.turns[prompt].flows) + len(p.order.turns[patient].flows)
}
