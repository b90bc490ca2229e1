package pace

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// RedisOptions are the settings of a [Redis].
type RedisOptions struct {
	// Prefix begins the name of every key. "gw" if empty.
	Prefix string
	// Organization names the organization whose budget it is; required. Every key
	// has it in braces, so that all are in one slot of a cluster.
	Organization string
	// Expire is how long Redis remembers the state of an unused bucket. 24 h if
	// not positive.
	Expire time.Duration
	// Grace is how long a token waits for the replica whose turn it is, and at
	// most a quarter of the interval between two tokens. 250 ms if not positive.
	Grace time.Duration
	// CallTimeout and BreakerPause are those of [redisclient.GuardOptions].
	CallTimeout  time.Duration
	BreakerPause time.Duration
}

// Redis is a [Shared] budget in Redis: each bucket is a GCRA, by Redis's clock. An
// operation is one script and takes at most CallTimeout. After several failures,
// operations fail at once for a while.
type Redis struct {
	client  redis.UniversalClient
	options RedisOptions
	scripts redisScripts
	guard   *redisclient.Guard
	// replica names this replica among those that wait.
	replica string
	base    string
	// encoded caches the rules of the last call, which rarely differ.
	encoded atomic.Pointer[encodedRules]
}

var _ Shared = (*Redis)(nil)

// redisRules are the rules as the scripts read them, times in microseconds.
type redisRules struct {
	Window int64   `json:"window"`
	Margin float64 `json:"margin"`
	Lower  float64 `json:"lower"`
	Step   float64 `json:"step"`
	Quiet  int64   `json:"quiet"`
	Memory int64   `json:"memory"`
	Grace  int64   `json:"grace"`
	Expire int64   `json:"expire"` // milliseconds
	// MintShare and UrgentRun are how classes share tokens.
	MintShare float64 `json:"mint_share"`
	UrgentRun int     `json:"urgent_run"`
}

type redisTerms struct {
	Calls float64 `json:"calls"`
	Burst int     `json:"burst"`
	Floor float64 `json:"floor"`
}

// redisDebt is a debt in microseconds.
type redisDebt struct {
	Unsettled int64 `json:"unsettled"`
	Own       int64 `json:"own"`
}

type encodedRules struct {
	rules Rules
	text  string
}

// NewRedis returns a budget on client, which should be made by [redisclient.New]
// and stays the caller's to close. It connects when it is used.
func NewRedis(client redis.UniversalClient, options RedisOptions) (*Redis, error) {
	if options.Organization == "" || strings.ContainsAny(options.Organization, "{}") {
		return nil, errors.New("pace: Organization is empty or has a brace")
	}
	if options.Prefix == "" {
		options.Prefix = redisclient.DefaultPrefix
	}
	if options.Expire <= 0 {
		options.Expire = 24 * time.Hour
	}
	if options.Grace <= 0 {
		options.Grace = 250 * time.Millisecond
	}
	return &Redis{
		client:  client,
		options: options,
		scripts: newRedisScripts(),
		guard: redisclient.NewGuard(redisclient.GuardOptions{
			CallTimeout: options.CallTimeout,
			// Calls wait for their turn anyway: a late reply costs them less than a
			// budget that each replica spends alone.
			SlowCall:     redisclient.NeverSlow,
			BreakerPause: options.BreakerPause,
		}),
		replica: rand.Text(),
		base:    redisclient.KeyPrefix(options.Prefix, options.Organization) + "p",
	}, nil
}

// Available reports whether Redis is being called. False is a reason to report
// the gateway as degraded, not as failed.
func (r *Redis) Available() bool { return r.guard.Available() }

// Take implements [Shared].
func (r *Redis) Take(ctx context.Context, ask Ask) (Answer, error) {
	var answer Answer
	err := r.run(ctx, r.scripts.take, []Terms{ask.Bucket, ask.Organization}, []any{
		r.rules(ask.Rules), ask.Bucket.encode(), ask.Organization.encode(), r.replica,
		ask.Class.number(), ask.BucketDebt.encode(), ask.OrganizationDebt.encode(), ask.BucketWaits.number(), ask.OrganizationWaits.number(),
	}, func(reply *reply) {
		answer.Granted = reply.text() == "1"
		answer.BucketWait, answer.OrganizationWait = reply.time(), reply.time()
		answer.Bucket, answer.Organization = reply.state(), reply.state()
		answer.Receipt = reply.text()
	})
	return answer, err
}

// Return implements [Shared].
func (r *Redis) Return(ctx context.Context, ask Ask, answer Answer) error {
	var args []any
	for part := range strings.SplitSeq(answer.Receipt, ":") {
		args = append(args, part)
	}
	if len(args) != 4 {
		return nil
	}
	return r.call(ctx, func(ctx context.Context) error {
		return r.scripts.giveBack.Run(ctx, r.client, r.keys([]Terms{ask.Bucket, ask.Organization}), args...).Err()
	})
}

// Refuse implements [Shared].
func (r *Redis) Refuse(ctx context.Context, refusal Refusal) (State, error) {
	var state State
	err := r.run(ctx, r.scripts.refuse, []Terms{refusal.Bucket}, []any{
		r.rules(refusal.Rules), refusal.Bucket.encode(), refusal.Closed.Microseconds(), refusal.Epoch, refusal.Rate, refusal.Unlearned,
	}, func(reply *reply) {
		lowered := reply.text() == "1"
		state = reply.state()
		state.Lowered = lowered
	})
	return state, err
}

// Look implements [Shared].
func (r *Redis) Look(ctx context.Context, rules Rules, buckets []Terms) ([]State, error) {
	args := []any{r.rules(rules), r.replica}
	for _, terms := range buckets {
		args = append(args, terms.encode())
	}
	states := make([]State, len(buckets))
	err := r.run(ctx, r.scripts.look, buckets, args, func(reply *reply) {
		for i := range states {
			states[i] = reply.state()
		}
	})
	return states, err
}

func (r *Redis) keys(buckets []Terms) []string {
	keys := make([]string, len(buckets))
	for i, terms := range buckets {
		keys[i] = r.base
		if terms.Bucket != "" {
			keys[i] += ":" + terms.Bucket
		}
	}
	return keys
}

func (r *Redis) rules(rules Rules) string {
	if e := r.encoded.Load(); e != nil && e.rules == rules {
		return e.text
	}
	l := rules.Learning
	text := encode(redisRules{
		Window: rules.Window.Microseconds(), Margin: rules.Margin, Lower: l.Lower, Step: l.Step,
		Quiet: l.Quiet.Microseconds(), Memory: l.Memory.Microseconds(),
		Grace: r.options.Grace.Microseconds(), Expire: r.options.Expire.Milliseconds(),
		MintShare: rules.MintShare, UrgentRun: urgentRun,
	})
	r.encoded.Store(&encodedRules{rules, text})
	return text
}

func (t Terms) encode() string {
	return encode(redisTerms{Calls: t.Limit.Calls, Burst: t.Limit.Burst, Floor: t.Floor})
}

func (d Debt) encode() string {
	return encode(redisDebt{Unsettled: d.Unsettled.Microseconds(), Own: d.Own.Microseconds()})
}

// encode returns plain numbers as JSON.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "{}" // An infinite number, which New refuses; the script fails.
	}
	return string(text)
}

// call makes a call to Redis. Its error wraps ErrUnavailable.
func (r *Redis) call(ctx context.Context, f func(context.Context) error) error {
	if err := r.guard.Call(ctx, f); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// run runs a script over buckets and calls read with its reply.
func (r *Redis) run(ctx context.Context, script *redis.Script, buckets []Terms, args []any, read func(*reply)) error {
	return r.call(ctx, func(ctx context.Context) error {
		values, err := script.Run(ctx, r.client, r.keys(buckets), args...).StringSlice()
		if err != nil {
			return fmt.Errorf("script: %w", err)
		}
		reply := &reply{values: values}
		read(reply)
		return reply.err
	})
}
