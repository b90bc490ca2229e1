//go:build unix

package histories

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// Replicas is the number of gateways of a Cluster.
const Replicas = 3

// plenty is a budget that no scenario about coherence exhausts.
const plenty = `
  budget: {organization: {calls_per_minute: 1e6, burst: 100000}, default: {calls_per_minute: 1e6, burst: 100000}}`

// Programs are the paths of what a [Cluster] runs. Clusters that share them start one
// after the other, so that a start takes one processor and not all from those that run.
type Programs struct {
	Gateway, Redis string
	starting       sync.Mutex
}

// ClusterOptions are the settings of a [Cluster].
type ClusterOptions struct {
	Programs *Programs
	// Folder is for configs, logs and data. It is empty, and its path short: Redis
	// listens at a socket in it.
	Folder string
	// Registers is the number of projects whose names are registers.
	Registers int
	// DefaultBudget leaves the gateways the budget that they have without
	// configuration. Without it nothing waits for a budget.
	DefaultBudget bool
}

// Cluster is three gateways, their Redis and their upstream.
type Cluster struct {
	Clock    *Clock
	Redis    *processtest.Redis
	Upstream *Upstream
	Replicas []*Replica
	History  *History
	Faults   *Faults
	folder   string
	log      func(format string, args ...any)
}

// NewCluster starts all of it. Close it, also after an error.
func NewCluster(ctx context.Context, o ClusterOptions) (c *Cluster, err error) {
	o.Programs.starting.Lock()
	defer o.Programs.starting.Unlock()
	c = &Cluster{Clock: NewClock(), folder: o.Folder, Faults: new(Faults), History: NewHistory()}
	registers := make(map[string]string, o.Registers)
	for i := range o.Registers {
		registers[Register(i)] = Initial(Register(i))
		c.History.begin(Register(i))
	}
	if c.Upstream, err = NewUpstream(ctx, c.Clock, registers); err != nil {
		return c, err
	}
	c.Redis = &processtest.Redis{Program: o.Programs.Redis, Folder: o.Folder}
	if err := c.Redis.Start(ctx); err != nil {
		return c, err
	}
	token, policy, err := processtest.NewToken(ctx, o.Programs.Gateway)
	if err != nil {
		return c, err
	}
	for i := range Replicas {
		if err := c.addReplica(ctx, i+1, o, token, policy); err != nil {
			return c, err
		}
	}
	return c, c.hear(ctx)
}

// hear waits until all replicas hear each other.
func (c *Cluster) hear(ctx context.Context) error {
	return processtest.Until(ctx, processtest.Patience, func(ctx context.Context) error {
		n, err := c.Redis.Listeners(ctx)
		if err == nil && n < len(c.Replicas) {
			err = fmt.Errorf("%d of %d replicas have subscribed", n, len(c.Replicas))
		}
		return err
	})
}

func (c *Cluster) addReplica(ctx context.Context, number int, o ClusterOptions, token, policy string) error {
	proxy, err := NewProxy(ctx, c.Redis.Socket())
	if err != nil {
		return err
	}
	folder := filepath.Join(o.Folder, fmt.Sprintf("replica-%d", number))
	r := &Replica{
		Gateway: &processtest.Gateway{Number: number, Binary: o.Programs.Gateway, Config: filepath.Join(folder, "gateway.yaml")},
		token:   token, Proxy: proxy,
	}
	c.Replicas = append(c.Replicas, r)
	budget := plenty
	if o.DefaultBudget {
		budget = ""
	}
	files := map[string]string{
		"key": AdminKey,
		"policy.yaml": `callers:
  - name: tester
    authenticate: [` + policy + `]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 1000000, burst: 1000000, concurrent: 100000}
`,
		"gateway.yaml": fmt.Sprintf(`listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
policy: %[1]s/policy.yaml
audit: {path: %[1]s/audit.jsonl}
cache: {redis_url: redis://%[2]s/0}
shutdown: {delay: 0s, timeout: 20s}
upstream:
  base_url: %[3]s
  admin_key: {file: %[1]s/key}%[4]s
`, folder, proxy.Addr(), c.Upstream.url, budget),
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return r.Start(ctx)
}

// Close ends all processes, also those that are halted.
func (c *Cluster) Close() error {
	var errs []error
	for _, r := range c.Replicas {
		errs = append(errs, r.Kill(), r.Proxy.Close())
	}
	if c.Redis != nil {
		errs = append(errs, c.Redis.Kill())
	}
	if c.Upstream != nil {
		errs = append(errs, c.Upstream.Close())
	}
	return errors.Join(errs...)
}
