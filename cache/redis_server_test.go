package cache

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// redisServer is the redis-server of a test.
type redisServer struct {
	addr string
	// client is for looking at it from outside, and waits as long as it takes.
	client redis.UniversalClient
}

// newRedisServer starts a redis-server with further arguments on a free port of
// the loopback interface, and ends it with the test.
func newRedisServer(tb testing.TB, args ...string) *redisServer {
	tb.Helper()
	addr := redistest.Start(tb, args...)
	return &redisServer{addr: addr, client: redistest.Client(tb, addr)}
}

// newReplica returns a store over the server at addr, as another replica of the
// gateway has one. It is patient.
func newReplica(tb testing.TB, addr string, options RedisOptions) *Redis {
	tb.Helper()
	return newPatient(tb, redisclient.Config{URL: "redis://" + addr}, options)
}

// newPatient returns a store that waits for longer than Redis may take: the
// machine that tests run on may stand still.
func newPatient(tb testing.TB, config redisclient.Config, options RedisOptions) *Redis {
	tb.Helper()
	const patience = 10 * time.Second
	config.Patience, options.CallTimeout = patience, patience
	return newRedis(tb, config, options)
}

// newHasty returns a store with the timeouts of production.
func newHasty(tb testing.TB, addr string, options RedisOptions) *Redis {
	tb.Helper()
	return newRedis(tb, redisclient.Config{URL: "redis://" + addr}, options)
}

// testLease is longer than any write of a test takes.
const testLease = 30 * time.Second

func newRedis(tb testing.TB, config redisclient.Config, options RedisOptions) *Redis {
	tb.Helper()
	options.Lease = cmp.Or(options.Lease, testLease)
	r, err := NewRedis(connectTo(config), options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Close)
	return r
}

// connectTo makes the client of a store.
func connectTo(config redisclient.Config) Connect {
	return func(onConnect func(context.Context, *redis.Conn) error) (redis.UniversalClient, error) {
		config.OnConnect = onConnect
		return redisclient.New(config)
	}
}

// expireLeases ends the leases of all writes, as time would.
func (s *redisServer) expireLeases(tb testing.TB, prefix, org string) {
	tb.Helper()
	s.eachState(tb, prefix, org, func(state string) string {
		words := strings.Fields(state)
		for i, word := range words[1:] {
			token, _, _ := strings.Cut(word, ":")
			words[1+i] = token + ":1"
		}
		return strings.Join(words, " ")
	})
}

// eachState changes the state of each slot in the hash.
func (s *redisServer) eachState(tb testing.TB, prefix, org string, change func(string) string) {
	tb.Helper()
	name := newRedisOrg(prefix, org).slotsKey
	fields, err := s.client.HGetAll(tb.Context(), name).Result()
	if err != nil {
		tb.Fatal(err)
	}
	for field, state := range fields {
		if _, err := strconv.Atoi(field); err != nil {
			continue
		}
		if err := s.client.HSet(tb.Context(), name, field, change(state)).Err(); err != nil {
			tb.Fatal(err)
		}
	}
}

// redisNumber is a number as Redis has it, for a comparison of the same length.
func redisNumber(n int64) string { return strconv.FormatInt(n, 10) }
