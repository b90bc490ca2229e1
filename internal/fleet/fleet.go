package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

const (
	// DefaultWait is how long answers are waited for.
	DefaultWait = 1500 * time.Millisecond
	// CallTimeout bounds a call to Redis. A client for a fleet has to wait as long.
	CallTimeout = 500 * time.Millisecond

	defaultHeartbeat = time.Second
	// workers is how many questions of others are answered at the same time, and
	// maxQueued how many wait for that.
	workers, maxQueued = 4, 32
	// questionsPerSecond and questionsBurst bound the questions of others.
	questionsPerSecond, questionsBurst = 50, 100
	// maxPending is how many questions of this replica wait for answers.
	maxPending = 64
)

// Options are the settings of a [Fleet]. Replica is required.
type Options struct {
	// Redis is the client, which stays the caller's to close after Run has returned. Nil
	// means that the fleet is this process.
	Redis redis.UniversalClient
	// Prefix begins the name of every key and of the channel. "gw" if empty.
	Prefix string
	// Scope names the gateway whose replicas these are, among those that share a Redis;
	// required with Redis, and without braces.
	Scope string
	// Replica is the name of this one, for people. Characters that a host name does not
	// have become dashes.
	Replica string
	// Seal encrypts questions and answers; nil does not.
	Seal *seal.Sealer
	// Wait is how long answers are waited for. [DefaultWait] if not positive.
	Wait time.Duration
	// Heartbeat is the time between two announcements. After ten without any, a replica
	// is no member. 1 s if not positive.
	Heartbeat time.Duration
	// Logger is told when Redis refuses the channel. It discards if nil.
	Logger *slog.Logger
}

// Fleet asks all replicas, and answers for this one. It may be used from any goroutine.
type Fleet struct {
	options    Options
	instance   string
	keys       keys
	envelopes  envelopes
	guard      *redisclient.Guard
	announcing *redis.Script
	limit      *rate.Limiter

	mu        sync.Mutex
	answerers map[string]Answerer
	pending   map[string]chan<- string // by question: the instances that have answered

	// members are those of the last announcement; nil before it.
	members atomic.Pointer[[]member]
	// listened is closed after the first attempt to subscribe.
	listened   chan struct{}
	onceListen sync.Once
	refused    atomic.Bool // the channel, which was logged
	questions  chan string

	answered, dropped atomic.Uint64
}

// keys are the names in Redis. They share a slot of a cluster.
type keys struct{ members, channel, question, answer string }

// New returns a Fleet, which hears questions of others while [Fleet.Run] runs.
func New(o Options) (*Fleet, error) {
	if o.Redis != nil && (o.Scope == "" || strings.ContainsAny(o.Scope, "{}")) {
		return nil, errors.New("fleet: Scope is empty or has a brace")
	}
	if o.Replica = asName(o.Replica); o.Replica == "" {
		return nil, errors.New("fleet: Replica is required")
	}
	if o.Prefix == "" {
		o.Prefix = redisclient.DefaultPrefix
	}
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = defaultHeartbeat
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base := redisclient.KeyPrefix(o.Prefix, o.Scope) + "fleet"
	return &Fleet{
		options:  o,
		instance: rand.Text(),
		keys:     keys{members: base + ":m", channel: base, question: base + ":q:", answer: base + ":a:"},
		guard: redisclient.NewGuard(redisclient.GuardOptions{
			CallTimeout: CallTimeout, SlowCall: redisclient.NeverSlow, // An operator waits for it, and not a call.
		}),
		envelopes:  envelopes{o.Seal},
		announcing: newAnnouncing(),
		limit:      rate.NewLimiter(questionsPerSecond, questionsBurst),
		answerers:  make(map[string]Answerer),
		pending:    make(map[string]chan<- string),
		listened:   make(chan struct{}),
		questions:  make(chan string, maxQueued),
	}, nil
}

// asName makes a name of a text.
func asName(text string) string {
	text = strings.Map(func(r rune) rune {
		if isName(string(r)) {
			return r
		}
		return '-'
	}, text)
	return text[:min(len(text), maxName)]
}

// Handle answers questions of a kind by a function. It fails if something else does.
func (f *Fleet) Handle(kind string, answer Answerer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind == "" || answer == nil || f.answerers[kind] != nil {
		return fmt.Errorf("fleet: questions of kind %q cannot be answered, or are already", kind)
	}
	f.answerers[kind] = answer
	return nil
}

// Replica is the name of this one.
func (f *Fleet) Replica() string { return f.options.Replica }

// Members is the number of replicas as of the last announcement; 0 if it is not known.
func (f *Fleet) Members() int {
	if f.options.Redis == nil {
		return 1
	}
	known := f.members.Load()
	if known == nil || !f.guard.Available() {
		return 0
	}
	return len(*known)
}

// Answered counts the questions of others that were answered.
func (f *Fleet) Answered() uint64 { return f.answered.Load() }

// Dropped counts the questions of others that were not answered, because too many came.
func (f *Fleet) Dropped() uint64 { return f.dropped.Load() }

// Run announces this replica and answers the others until ctx ends. It returns nil, after
// all that it has begun has ended, and runs once.
func (f *Fleet) Run(ctx context.Context) error {
	if f.options.Redis == nil {
		<-ctx.Done()
		return nil
	}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() { f.work(ctx) })
	}
	all.Go(func() { f.announcer(ctx) })
	f.listen(ctx)
	all.Wait()
	return nil
}
