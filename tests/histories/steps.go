//go:build unix

package histories

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// isHit returns whether a Cache-Status says that the answer was stored.
func isHit(note string) bool { return strings.HasPrefix(note, "admin-gateway; hit") }

// writes matches the arrival of the write of a value.
func writes(value string) func(Call) bool {
	return func(c Call) bool { return c.Write() && c.Value == value }
}

// reads matches the arrival of a read of a register.
func reads(register string) func(Call) bool {
	return func(c Call) bool { return c.Method == http.MethodGet && c.Register == register }
}

// mustGet reads a register, and fails the test if there is no answer.
func (c *Cluster) mustGet(ctx context.Context, r *Replica, register string) (value string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callLimit)
	defer cancel()
	value, _, err = c.Get(ctx, r, register)
	if err != nil {
		return "", fmt.Errorf("%s does not answer a read: %w", r.Name(), err)
	}
	return value, nil
}

// mustWrite writes a register, and fails the test unless it was made.
func (c *Cluster) mustWrite(ctx context.Context, r *Replica, register, value string) error {
	if outcome := c.Write(ctx, r, register, value); outcome != Done {
		return fmt.Errorf("the write of %q through %s: %s", value, r.Name(), outcome)
	}
	return nil
}

// stored reads a register through replicas until each serves it from its cache.
func (c *Cluster) stored(ctx context.Context, register string, replicas ...*Replica) error {
	for _, r := range replicas {
		if err := processtest.Until(ctx, processtest.Patience, func(ctx context.Context) error {
			_, note, err := c.Get(ctx, r, register)
			if err == nil && !isHit(note) {
				err = fmt.Errorf("%s does not store %s: %s", r.Name(), register, note)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// watch reads a register through replicas, a few times a second, for a time. A read
// without an answer is not part of the history.
func (c *Cluster) watch(ctx context.Context, d time.Duration, register string, replicas ...*Replica) error {
	for end := c.Clock.Now() + d; c.Clock.Now() < end; {
		for _, r := range replicas {
			limited, cancel := context.WithTimeout(ctx, callLimit)
			_, _, _ = c.Get(limited, r, register)
			cancel()
		}
		if err := processtest.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
