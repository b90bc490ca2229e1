//go:build unix

package leases

import (
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// Key is a key that was made, and what became of it.
type Key struct {
	sandbox.KeyState

	// Made is when it was first seen: after the call that made it.
	Made time.Time
	// Endless tells that it once had no end.
	Endless bool
	// Gone is when it was first missed; zero while it is there.
	Gone time.Time
}

// Role and Credential are the role and the id that the key's mark names; empty for a key
// without a mark.
func (k *Key) mark() (role, credential string) {
	parts := strings.Split(k.Name, ".")
	if len(parts) != 4 || parts[0] != "agw" {
		return "", ""
	}
	return parts[1], parts[2]
}

// End is when it ended or is going to end; false for never.
func (k *Key) End() (time.Time, bool) {
	switch {
	case k.ExpiresAt == nil:
		return k.Gone, !k.Gone.IsZero()
	case !k.Gone.IsZero() && k.Gone.Before(time.Unix(*k.ExpiresAt, 0)):
		return k.Gone, true
	default:
		return time.Unix(*k.ExpiresAt, 0), true
	}
}

// Journal has every key of a project that was ever made. It is looked at after each write,
// so that none comes and goes unseen.
type Journal struct {
	sandbox *sandbox.Sandbox
	project string

	mu   sync.Mutex
	keys map[string]*Key
}

// NewJournal begins with the keys that are there.
func NewJournal(s *sandbox.Sandbox, project string) *Journal {
	j := &Journal{sandbox: s, project: project, keys: make(map[string]*Key)}
	j.Look()
	return j
}

// Look notes what has changed.
func (j *Journal) Look() {
	j.mu.Lock()
	defer j.mu.Unlock()
	states, err := j.sandbox.ProjectKeys(j.project)
	if err != nil {
		panic(err) // The project is the test's own.
	}
	now := time.Now()
	there := make(map[string]bool, len(states))
	for _, state := range states {
		there[state.ID] = true
		k := j.keys[state.ID]
		if k == nil {
			k = &Key{Made: now}
			j.keys[state.ID] = k
		}
		k.KeyState = state
		k.Endless = k.Endless || state.ExpiresAt == nil
	}
	for id, k := range j.keys {
		if !there[id] && k.Gone.IsZero() {
			k.Gone, k.Alive = now, false
		}
	}
}

// All are the keys as they are now.
func (j *Journal) All() []Key {
	j.Look()
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]Key, 0, len(j.keys))
	for _, k := range j.keys {
		all = append(all, *k)
	}
	return all
}
