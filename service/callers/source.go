package callers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// pollInterval is how often the file is read. A change takes effect when two
// reads in a row are the same, so that a file that is being written is
// ignored: half a policy may well be valid, and lack its last deny.
const pollInterval = time.Second

// Source holds the policy that is in force. It is safe for concurrent use.
type Source struct {
	path   string
	rules  Rules
	logger *slog.Logger

	current  atomic.Pointer[Set]
	reloads  atomic.Uint64
	failures atomic.Uint64

	// Used by Run alone.
	loaded  []byte // the file that is in force
	seen    []byte // the file at the last look
	trouble string // the fault that was logged last
	tick    <-chan time.Time
	looked  func() // called after each look; for tests
}

// Open reads the policy, which has to be good: without one nothing is served.
func Open(path string, rules Rules, logger *slog.Logger) (*Source, error) {
	text, err := strictyaml.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	set, err := Parse(path, text, rules)
	if err != nil {
		return nil, err
	}
	s := &Source{path: path, rules: rules, logger: logger, loaded: text, seen: text}
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

func (s *Source) look(ctx context.Context) {
	text, err := strictyaml.ReadFile(s.path)
	if err == nil {
		settled := bytes.Equal(text, s.seen)
		s.seen = text
		if !settled || bytes.Equal(text, s.loaded) {
			if settled {
				s.trouble = ""
			}
			return
		}
		var set *Set
		if set, err = Parse(s.path, text, s.rules); err == nil {
			set.inherit(s.current.Load())
			s.current.Swap(set).Supersede()
			s.loaded, s.trouble = text, ""
			s.reloads.Add(1)
			s.logger.InfoContext(ctx, "policy reloaded", slog.String("path", s.path), slog.Int("callers", len(set.names)))
			return
		}
	}
	s.failures.Add(1)
	if trouble := err.Error(); trouble != s.trouble {
		s.trouble = trouble
		s.logger.ErrorContext(ctx, "the policy file cannot be used; the last good policy stays in force",
			slog.String("path", s.path), slog.String("error", trouble))
	}
}
