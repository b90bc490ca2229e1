package callers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// pollInterval is how often the file is read. A change takes effect when two
// reads in a row are the same, so that a file that is being written is
// ignored: half a policy may well be valid, and lack its last deny.
const pollInterval = time.Second

// File is a policy file.
type File struct {
	// Path is where it is.
	Path string
	// MaxBytes bounds it, and Bound is what an operator sets that bound by, for errors.
	MaxBytes int64
	Bound    string
}

func (f File) read(hasher *strictyaml.Hasher) (string, strictyaml.Sum, error) {
	text, sum, err := hasher.Read(f.Path, f.MaxBytes)
	return text, sum, f.explained(err)
}

// explained says in an error by what the file is bounded.
func (f File) explained(err error) error {
	if err == nil {
		return nil
	}
	if large, ok := errors.AsType[*strictyaml.TooLargeError](err); ok && f.Bound != "" {
		return fmt.Errorf("policy: %w, the value of %s", large, f.Bound)
	}
	return fmt.Errorf("policy: %w", err)
}

// beside is the pace of what is done beside calls, until a context ends. Without a rest,
// half of the calls on one processor take 5 ms longer during the reload of a large file,
// and with one none of those.
func beside(ctx context.Context) strictyaml.Pace {
	return strictyaml.Pace{Rest: 200 * time.Microsecond, Hurry: ctx.Done()}
}

// Source holds the policy that is in force. It is safe for concurrent use.
type Source struct {
	file   File
	rules  Rules
	logger *slog.Logger

	current  atomic.Pointer[Set]
	reloads  atomic.Uint64
	failures atomic.Uint64
	fault    atomic.Pointer[Fault] // nil: none

	// Used by Run alone.
	hasher  *strictyaml.Hasher
	loaded  strictyaml.Sum // of the file that is in force
	seen    strictyaml.Sum // of the file at the last look
	refused strictyaml.Sum // of the file that had the trouble
	trouble string         // the fault that was logged last
	tick    <-chan time.Time
	looked  func() // called after each look; for tests
}

// Open reads the policy, which has to be good: without one nothing is served.
func Open(file File, rules Rules, logger *slog.Logger) (*Source, error) {
	s := &Source{file: file, rules: rules, logger: logger, hasher: new(strictyaml.Hasher)}
	text, sum, err := file.read(s.hasher)
	if err != nil {
		return nil, err
	}
	// Nothing is served yet, so that all cores may read.
	set, err := parse(file.Path, text, rules, strictyaml.Pace{Workers: runtime.GOMAXPROCS(0)})
	if err != nil {
		return nil, err
	}
	set.begin(nil)
	s.loaded, s.seen = sum, sum
	s.current.Store(set)
	return s, nil
}

// Current is the policy in force. A call takes it once and uses it to its end.
func (s *Source) Current() *Set { return s.current.Load() }

// Reloads counts the policies that replaced another.
func (s *Source) Reloads() uint64 { return s.reloads.Load() }

// Failures counts the reads that found a policy that cannot be used. The last
// good one stays in force.
func (s *Source) Failures() uint64 { return s.failures.Load() }

// Fault is why a policy file cannot be used.
type Fault struct {
	// Reason names file, line and column. It has no secret.
	Reason string
	// Since is when it was found.
	Since time.Time
}

// Fault returns why the file, as it is now, cannot be used; false if it can.
func (s *Source) Fault() (Fault, bool) {
	if f := s.fault.Load(); f != nil {
		return *f, true
	}
	return Fault{}, false
}

// Run reads the file every few seconds until ctx ends, and puts a change into
// force: all of it or, on a fault, nothing. A replaced symlink, as Kubernetes
// makes, is a change like any other, because it is the content that is compared.
func (s *Source) Run(ctx context.Context) {
	tick := s.tick
	if tick == nil {
		ticker := time.NewTicker(pollInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			s.look(ctx)
			if s.looked != nil {
				s.looked()
			}
		}
	}
}

// look looks at the file, and puts it into force when it is another one, and the same as
// at the look before. Only then is its text held: a look by itself keeps a sum of it.
func (s *Source) look(ctx context.Context) {
	s.hasher.Pace = beside(ctx)
	sum, err := s.hasher.File(s.file.Path, s.file.MaxBytes)
	if err != nil {
		s.fail(ctx, s.file.explained(err))
		return
	}
	settled := sum == s.seen
	s.seen = sum
	if !settled {
		return
	}
	switch sum {
	case s.loaded:
		s.trouble, s.refused = "", strictyaml.Sum{} // Should the same fault come back, it is said again.
		s.fault.Store(nil)
	case s.refused: // What was wrong with it still is.
		s.failures.Add(1)
	default:
		if err := s.reload(ctx, sum); err != nil {
			s.fail(ctx, err)
		}
	}
}

// reload puts the file into force if it still is that of a sum. It runs beside calls: by
// one goroutine, which lets others run, and without a lock that a call takes.
func (s *Source) reload(ctx context.Context, sum strictyaml.Sum) error {
	text, now, err := s.file.read(s.hasher)
	if err != nil {
		return err
	}
	if s.seen = now; now != sum {
		return nil // It is being written.
	}
	set, err := parse(s.file.Path, text, s.rules, beside(ctx))
	if err != nil {
		s.refused = sum
		return err
	}
	set.begin(s.current.Load())
	s.current.Swap(set).Supersede()
	s.loaded, s.trouble = sum, ""
	s.fault.Store(nil)
	s.reloads.Add(1)
	s.logger.InfoContext(ctx, "policy reloaded", slog.String("path", s.file.Path), slog.Int("callers", len(set.names)), slog.String("sha256", set.sum))
	return nil
}

func (s *Source) fail(ctx context.Context, err error) {
	s.failures.Add(1)
	if trouble := err.Error(); trouble != s.trouble {
		s.trouble = trouble
		s.fault.Store(&Fault{trouble, time.Now()})
		s.logger.ErrorContext(ctx, "the policy file cannot be used; the last good policy stays in force",
			slog.String("path", s.file.Path), slog.String("error", trouble))
	}
}
