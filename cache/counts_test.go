package cache

import (
	"context"
	"sync"
	"testing"
)

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// counts are Metrics that a test reads.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) Count(store string, event Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[store+" "+event.String()]++
}

func (c *counts) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[name]
}
