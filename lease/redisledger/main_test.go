package redisledger

import (
	"bytes"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testOrg    = "org_1"
	testEvents = 8
	patience   = 10 * time.Second
)

func testSealer(tb testing.TB, n byte) *seal.Sealer {
	tb.Helper()
	sealer, err := seal.New([][]byte{bytes.Repeat([]byte{n}, seal.KeyBytes)})
	if err != nil {
		tb.Fatal(err)
	}
	return &sealer
}

func testOptions(tb testing.TB) Options {
	tb.Helper()
	return Options{Organization: testOrg, Sealer: testSealer(tb, 1), Events: testEvents, CallTimeout: patience}
}

// newClient returns a client that waits for longer than Redis may take: the machine
// that tests run on may stand still.
func newClient(tb testing.TB, addr string) redis.UniversalClient {
	tb.Helper()
	client, err := redisclient.New(redisclient.Config{URL: "redis://" + addr, Patience: patience})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func open(tb testing.TB, client redis.UniversalClient, o Options) *Ledger {
	tb.Helper()
	l, err := Open(tb.Context(), client, o)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// lapse ends all claims and the term.
const lapse = `
for _, key in ipairs(redis.call('KEYS', '*:lease:heads')) do
	local heads = redis.call('HGETALL', key)
	for i = 1, #heads, 2 do
		local head = cjson.decode(heads[i + 1])
		head.u = '0'
		redis.call('HSET', key, heads[i], cjson.encode(head))
	end -- of it
end
for _, key in ipairs(redis.call('KEYS', '*:lease:meta')) do redis.call('HSET', key, 'until', '0') end
return 1
`

// subjects returns a maker of ledgers without leases on one server.
func subjects(tb testing.TB) func(testing.TB) ledgertest.Subject {
	tb.Helper()
	server := redistest.Start(tb)
	client := newClient(tb, server)
	return func(tb testing.TB) ledgertest.Subject {
		tb.Helper()
		if err := client.FlushAll(tb.Context()).Err(); err != nil {
			tb.Fatal(err)
		}
		return ledgertest.Subject{
			Replica: func(tb testing.TB) lease.Ledger { tb.Helper(); return open(tb, client, testOptions(tb)) },
			Lapse: func(tb testing.TB) {
				tb.Helper()
				if err := client.Eval(tb.Context(), lapse, nil).Err(); err != nil {
					tb.Fatal(err)
				}
			},
			Events: testEvents,
		}
	}
}

func TestRedisRandom(t *testing.T) {
	t.Parallel()
	ledgertest.Random(t, subjects(t))
}

func TestRedisContract(t *testing.T) {
	t.Parallel()
	ledgertest.Contract(t, subjects(t))
}
