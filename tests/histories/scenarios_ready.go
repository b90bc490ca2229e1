//go:build unix

package histories

import (
	"context"
	"fmt"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// readyzTellsOfRedis kills Redis while nobody calls, and looks at what replicas tell
// their operators.
func readyzTellsOfRedis() Scenario {
	return Scenario{
		Name: "ReadyzTellsOfRedis", About: "/readyz says soon that Redis is lost, and that it is back, also where nobody calls",
		Options: ClusterOptions{Registers: 1}, Bound: Isolated,
		Run: func(ctx context.Context, c *Cluster) error {
			if err := c.Redis.Kill(); err != nil {
				return err
			}
			if err := c.degraded(ctx, true); err != nil {
				return err
			}
			if err := c.Redis.Start(ctx); err != nil {
				return err
			}
			return c.degraded(ctx, false)
		},
	}
}

// degraded waits until all replicas say so, or none.
func (c *Cluster) degraded(ctx context.Context, want bool) error {
	for _, r := range c.Replicas {
		if err := processtest.Until(ctx, Told, func(ctx context.Context) error {
			page, err := r.OpsPage(ctx, "/readyz")
			if err == nil && strings.Contains(page, "degraded") != want {
				err = fmt.Errorf("/readyz says %q", strings.TrimSpace(page))
			}
			return err
		}); err != nil {
			return violated("%s, %s after Redis was gone or back: %v", r.Name(), Told, err)
		}
	}
	return nil
}
