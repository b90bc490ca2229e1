package fleet

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testHeartbeat = 200 * time.Millisecond

// running is a fleet whose Run goes on until it is stopped.
type running struct {
	*Fleet

	stop func()
}

// start runs a replica at a Redis. Its life as a member is two seconds.
func start(tb testing.TB, addr string, o Options) *running {
	tb.Helper()
	client, err := redisclient.New(redisclient.Config{URL: "redis://" + addr, Patience: CallTimeout})
	if err != nil {
		tb.Fatal(err)
	}
	o.Redis, o.Heartbeat = client, testHeartbeat
	if o.Scope == "" {
		o.Scope = "test"
	}
	f, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	r := &running{Fleet: f}
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = f.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-ended
	}
	tb.Cleanup(func() {
		r.stop()
		_ = client.Close()
	})
	return r
}

// echo answers with the name of the replica and the question.
func (r *running) echo(tb testing.TB) *running {
	tb.Helper()
	if err := r.Handle("echo", func(_ context.Context, payload []byte) ([]byte, error) {
		return []byte(r.Replica() + ": " + string(payload)), nil
	}); err != nil {
		tb.Fatal(err)
	}
	return r
}

// see waits until a replica knows of so many members.
func (r *running) see(tb testing.TB, n int) {
	tb.Helper()
	timetest.Eventually(tb, "the members are known", func() bool { return r.Members() == n })
}

func (r *running) ask(tb testing.TB, kind, question string) Answers {
	tb.Helper()
	all, err := r.Ask(tb.Context(), kind, []byte(question))
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func texts(all Answers) []string {
	var said []string
	for _, a := range all.ByReplica {
		said = append(said, string(a.Payload))
	}
	return said
}

func sealer(tb testing.TB, first byte) *seal.Sealer {
	tb.Helper()
	key := make([]byte, seal.KeyBytes)
	key[0] = first
	s, err := seal.New([][]byte{key})
	if err != nil {
		tb.Fatal(err)
	}
	return &s
}
