package redisledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

const (
	// DefaultCallTimeout bounds one call to Redis: a lease is worth waiting for
	// longer than a cached answer.
	DefaultCallTimeout = 500 * time.Millisecond
	// DefaultEvents is how many events are kept.
	DefaultEvents = 10_000
	// writeTries is how often a change is sent whose answer was lost. It is made
	// once, because its token stays the same.
	writeTries = 2
)

// Options are the settings of a [Ledger].
type Options struct {
	// Prefix begins the name of every key. [redisclient.DefaultPrefix] if empty.
	Prefix string
	// Organization is whose leases these are. It is required.
	Organization string
	// Sealer encrypts secrets. Without it none is kept.
	Sealer *seal.Sealer
	// Events is how many events are kept. [DefaultEvents] if not positive.
	Events int
	// CallTimeout and BreakerPause are those of [redisclient.GuardOptions];
	// [DefaultCallTimeout] if not positive.
	CallTimeout  time.Duration
	BreakerPause time.Duration

	// form replaces the form of this build in tests of migrations.
	form form
}

// Ledger is the [lease.Ledger] that replicas share. What it promises ends where Redis
// loses data: [Ledger.Findings] says how likely that is.
type Ledger struct {
	client  redis.UniversalClient
	guard   *redisclient.Guard
	o       Options
	keys    []string
	scripts scripts
	epoch   string
}

var _ lease.Ledger = (*Ledger)(nil)

// Open opens the ledger of an organization, and begins one where there is none. It
// brings one of an older form to the form of this build; replicas of older builds are
// refused from then on. It fails with [lease.ErrSchema] if the form is of a newer one.
//
// client should be made by [redisclient.New], with Patience, and stays the caller's to
// close. Open starts no goroutine.
func Open(ctx context.Context, client redis.UniversalClient, o Options) (*Ledger, error) {
	if o.Organization == "" {
		return nil, errors.New("redisledger: an organization is required")
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = DefaultCallTimeout
	}
	if o.Events <= 0 {
		o.Events = DefaultEvents
	}
	if o.form.schema == 0 {
		o.form = thisForm()
	}
	prefix := keyPrefix(o)
	l := &Ledger{
		client: client,
		guard: redisclient.NewGuard(redisclient.GuardOptions{
			CallTimeout: o.CallTimeout, BreakerPause: o.BreakerPause, SlowCall: redisclient.NeverSlow,
		}),
		o:       o,
		scripts: newScripts(),
	}
	for _, name := range []string{"meta", "rows", "heads", "secrets", "index", "counts", "events", "accounts", "documents"} {
		l.keys = append(l.keys, prefix+name)
	}
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// The places of the keys in Ledger.keys.
const (
	metaKey = iota
	rowsKey
	headsKey
	secretsKey
	indexKey
	countsKey
	eventsKey
	accountsKey
	documentsKey
)

func (l *Ledger) key(i int) string { return l.keys[i] }

// Close implements [lease.Ledger]. The client is the caller's.
func (l *Ledger) Close() error { return nil }

// Available tells whether Redis has answered lately.
func (l *Ledger) Available() bool { return l.guard.Available() }

// Info implements [lease.Ledger].
func (l *Ledger) Info(ctx context.Context) (lease.Info, error) {
	var seq *redis.StringCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) { seq = p.HGet(ctx, l.key(metaKey), "seq") })
	if err != nil {
		return lease.Info{}, err
	}
	return lease.Info{
		Kind: "redis", Schema: l.o.form.schema, Epoch: l.epoch,
		Sequence: number(seq.Val()), KeepsSecrets: l.o.Sealer != nil,
	}, nil
}

// call makes a call to Redis. Its error wraps lease.ErrUnavailable.
func (l *Ledger) call(ctx context.Context, f func(context.Context) error) error {
	if err := l.guard.Call(ctx, f); err != nil {
		return fmt.Errorf("%w: %w", lease.ErrUnavailable, err)
	}
	return nil
}

// read reads in one moment, and checks that this is still the same ledger.
func (l *Ledger) read(ctx context.Context, add func(context.Context, redis.Pipeliner)) error {
	var meta *redis.SliceCmd
	err := l.call(ctx, func(ctx context.Context) error {
		_, err := l.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			meta = p.HMGet(ctx, l.key(metaKey), "schema", "epoch")
			add(ctx, p)
			return nil
		})
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	schema, _ := meta.Val()[0].(string)
	epoch, _ := meta.Val()[1].(string)
	switch {
	case schema == "":
		return lease.ErrLost
	case schema != strconv.Itoa(l.o.form.schema):
		return &lease.SchemaError{Found: schema, Want: l.o.form.schema}
	case epoch != l.epoch:
		return lease.ErrLost
	}
	return nil
}

// run runs a script, and again with the same arguments if the answer was lost.
func (l *Ledger) run(ctx context.Context, script *redis.Script, args ...any) ([]any, error) {
	args = append([]any{l.o.form.schema, l.epoch}, args...)
	var reply []any
	var err error
	for range writeTries {
		err = l.call(ctx, func(ctx context.Context) (err error) {
			reply, err = script.Run(ctx, l.client, l.keys, args...).Slice()
			return err
		})
		if err == nil || ctx.Err() != nil || errors.Is(err, redisclient.ErrOpen) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, fmt.Errorf("%w: empty reply", lease.ErrUnavailable)
	}
	return reply, l.refusal(reply)
}

// refusal is the error that a reply of a script means.
func (l *Ledger) refusal(reply []any) error {
	switch code := text(reply, 0); code {
	case "OK", "REPEATED", "LIMIT", "TRANSITION":
		return nil
	case "LOST":
		return lease.ErrLost
	case "SCHEMA":
		return &lease.SchemaError{Found: text(reply, 1), Want: l.o.form.schema}
	case "NOTFOUND":
		return lease.ErrNotFound
	case "CONFLICT":
		return lease.ErrConflict
	case "CLAIMED":
		return lease.ErrClaimed
	case "FENCED":
		return lease.ErrFenced
	case "IMMUTABLE":
		return lease.ErrImmutable
	case "NOSECRET":
		return lease.ErrNoSecret
	default:
		return fmt.Errorf("%w: a script answered %.20q", lease.ErrUnavailable, code)
	}
}

// text is a member of a reply; empty if there is none.
func text(reply []any, i int) string {
	if i >= len(reply) {
		return ""
	}
	switch v := reply[i].(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

// letterState is the state with this letter in a head.
func letterState(letter string) lease.State {
	for _, s := range lease.States() {
		if layout.Letter(s) == letter {
			return s
		}
	}
	return 0
}

func newToken() string { return rand.Text() }
