package inventory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Options configure the fan-outs. The zero value is usable.
type Options struct {
	// Concurrency is how many reads of one stream are under way at a time; 0
	// means [DefaultConcurrency].
	Concurrency int
	// Longest bounds a stream; 0 means [DefaultLongestStream]. Shortly before it is
	// over, the stream ends with a resume token.
	Longest time.Duration
	// ProgressEvery is how often a stream says how far it is; 0 means
	// [DefaultProgressEvery].
	ProgressEvery time.Duration
	// MaxPages bounds each list; 0 means pages.DefaultMaxPages.
	MaxPages int
	// MaxOutermost bounds the items of the outermost list, such as projects, that
	// one stream goes through, because it holds their names: it ends with a resume
	// token after the page on which there are so many. 0 means
	// [DefaultMaxOutermost].
	MaxOutermost int
	// MaxGathered bounds what a stream remembers of a list that it reads ahead of
	// the others, such as API keys of which the audit log says something: what is
	// beyond is not judged, and the stream says so. 0 means [DefaultMaxGathered].
	MaxGathered int
	// Ending is called at the start of a stream and returns a channel. When that
	// is closed, as when the gateway stops, the stream ends with a resume token.
	// Nil: never.
	Ending func() <-chan struct{}
	// TokenKeys are the keys of resume tokens, of 32 bytes: the first makes them, and any
	// is accepted. It is called once for each stream. All replicas have the same ones.
	// Nil: a key of this Engine's own.
	TokenKeys func(context.Context) ([][]byte, error)
	// Now is the clock for ages, such as that of a key; nil: time.Now.
	Now func() time.Time
}

const (
	// DefaultConcurrency is how many reads of one stream are under way at a time.
	DefaultConcurrency = 8
	// DefaultLongestStream bounds a stream.
	DefaultLongestStream = 6 * time.Hour
	// DefaultProgressEvery is how often a stream says how far it is.
	DefaultProgressEvery = time.Second
	// DefaultMaxOutermost is how many items of the outermost list one stream goes
	// through.
	DefaultMaxOutermost = 100_000
	// DefaultMaxGathered is how many things a stream remembers of a list that it
	// reads ahead of the others: some 10 MB of API keys.
	DefaultMaxGathered = 100_000
)

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Longest <= 0 {
		o.Longest = DefaultLongestStream
	}
	if o.ProgressEvery <= 0 {
		o.ProgressEvery = DefaultProgressEvery
	}
	if o.MaxPages <= 0 {
		o.MaxPages = pages.DefaultMaxPages
	}
	if o.MaxOutermost <= 0 {
		o.MaxOutermost = DefaultMaxOutermost
	}
	if o.MaxGathered <= 0 {
		o.MaxGathered = DefaultMaxGathered
	}
	if o.Ending == nil {
		o.Ending = func() <-chan struct{} { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TokenKeys == nil {
		key := make([]byte, sha256.Size)
		_, _ = rand.Read(key) // It never fails.
		o.TokenKeys = func(context.Context) ([][]byte, error) { return [][]byte{key}, nil }
	}
	return o
}

// Budget knows how the upstream's budget is spent. A *pace.Pacer is one.
type Budget interface {
	// Snapshot is the state of all buckets, the organization's first.
	Snapshot(ctx context.Context) []pace.BucketState
	// Estimate is how long a call that flow made now would wait.
	Estimate(bucket string, flow pace.Flow) time.Duration
}

// Dependencies are the dependencies of an [Engine]. All but Budget are
// required.
type Dependencies struct {
	// Plans are the compiled declarations.
	Plans Plans
	// Admission decides on every read.
	Admission *admission.Controller
	// Invoker makes the reads.
	Invoker pipeline.Invoker
	// Budget estimates how long the remaining reads take; nil: no estimate.
	Budget Budget
	// Logger gets the stack of a panic; nil discards it.
	Logger *slog.Logger
}

// Engine answers the RPCs of a set of plans. It is safe for concurrent use.
type Engine struct {
	Dependencies
	options Options
}

// New makes an Engine.
func New(d Dependencies, o Options) (*Engine, error) {
	if d.Plans == nil || d.Admission == nil || d.Invoker == nil {
		return nil, errors.New("inventory: Dependencies.Plans, Admission and Invoker are required")
	}
	d.Logger = accounting.Logger(d.Logger)
	return &Engine{d, o.WithDefaults()}, nil
}

// Handlers answer the RPCs of the plans.
func (e *Engine) Handlers() pipeline.Handlers {
	handlers := make(pipeline.Handlers, len(e.Plans))
	for m, p := range e.Plans {
		handlers[m.Procedure] = func(ctx context.Context, permit admission.Permit, to pipeline.Sender) error {
			return e.serve(ctx, p, permit, to)
		}
	}
	return handlers
}

// serve answers one call.
func (e *Engine) serve(ctx context.Context, p *plan, permit admission.Permit, to pipeline.Sender) error {
	q, todo, err := e.newQuery(ctx, p, permit)
	if err != nil {
		return err
	}
	s := newScheduler(q)
	if err := s.start(ctx, todo); err != nil {
		return err
	}
	return s.run(ctx, to)
}
