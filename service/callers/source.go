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

// pollInterval is how often the file is looked at. A file takes effect when it
// has been the same for two looks, so that one that is being written is left
// alone: half a policy may well be valid, and lack its last denial.
const pollInterval = time.Second

// Source holds the policy that is in force. It is safe for concurrent use.
type Source struct {
	path   string
	rules  Rules
	logger *slog.Logger

	current  atomic.Pointer[Set]
	reloads  atomic.Uint64
	failures atomic.Uint64

	// Of Run alone.
	loaded  []byte // what is in force
	seen    []byte // what the last look found
	trouble string // what was logged last
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

// Current is the policy in force. A call asks once and goes by the answer to its
// end.
func (s *Source) Current() *Set { return s.current.Load() }

// Reloads counts the policies that replaced another.
func (s *Source) Reloads() uint64 { return s.reloads.Load() }

// Failures counts the looks that found a policy that cannot be used. The last
// good one stays in force.
func (s *Source) Failures() uint64 { return s.failures.Load() }

// Run looks at the file until ctx ends, and puts what changed into force: all of
// it or, on a fault, nothing. A replaced symlink, as Kubernetes makes, is a
// change like any other, because it is the content that is compared.
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
			s.current.Store(set)
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
