package rows

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/admin-gateway/admin-gateway/tools/bench/floor"
	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/peer"
)

// gateway starts a gateway on the server's processor.
func (g *stage) gateway(ctx context.Context, o gateway.Options) (*gateway.Gateway, error) {
	folder, err := g.subfolder("gateway")
	if err != nil {
		return nil, err
	}
	o.Binary, o.Folder, o.Token, o.Processes, o.On = g.Gateway, folder, g.token, 1, g.cores.Server
	started, err := gateway.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	g.owns(started.Process)
	return started, nil
}

// sandbox starts a fake Admin API beside the load.
func (g *stage) sandbox(ctx context.Context, projects int) (*gateway.Sandbox, error) {
	folder, err := g.subfolder("sandbox")
	if err != nil {
		return nil, err
	}
	started, err := gateway.StartSandbox(ctx, g.Gateway, folder, projects)
	if err != nil {
		return nil, err
	}
	g.owns(started.Process)
	return started, nil
}

var floorServing = regexp.MustCompile(`serves on (127\.0\.0\.1:\d+)`)

// floorServer is a floor that serves.
type floorServer struct {
	*machine.Process
	address string
	record  string // The file of its records, if it is a fair one.
}

// floor starts a floor that answers with the bytes of a file, on the server's processor.
func (g *stage) floor(ctx context.Context, kind, answer string) (floorServer, error) {
	return g.floorOn(ctx, g.cores.Server, kind, floor.Options{Answer: answer})
}

// upstream starts a server beside the load that answers everything with the bytes of a
// file.
func (g *stage) upstream(ctx context.Context, answer string) (floorServer, error) {
	return g.floorOn(ctx, "", "upstream", floor.Options{Answer: answer})
}

func (g *stage) floorOn(ctx context.Context, on, kind string, o floor.Options) (floorServer, error) {
	folder, err := g.subfolder(kind)
	if err != nil {
		return floorServer{}, err
	}
	record := filepath.Join(folder, "record.jsonl")
	args := []string{"-floor", kind, "-answer", o.Answer, "-token-hash", g.token.Hash, "-record", record, "-redis", o.Redis}
	p, err := machine.Start(ctx, machine.Command{
		Path: g.Self, Args: args, Env: []string{"GOMAXPROCS=1"}, On: on, Output: filepath.Join(folder, "floor.log"), Ready: floorServing,
	})
	if err != nil {
		return floorServer{}, fmt.Errorf("floor %s: %w", kind, err)
	}
	g.owns(p)
	return floorServer{Process: p, address: p.Match[1], record: record}, nil
}

// nginx starts an nginx on the server's processor.
func (g *stage) nginx(ctx context.Context, n peer.Nginx) (*peer.Server, error) {
	folder, err := g.subfolder("nginx")
	if err != nil {
		return nil, err
	}
	n.AdminKey, n.On = gateway.AdminKey, g.cores.Server
	started, err := n.Start(ctx, folder)
	if err != nil {
		return nil, err
	}
	g.owns(started.Process)
	return started, nil
}

// varnish starts a Varnish on the server's processor.
func (g *stage) varnish(ctx context.Context, upstream string) (*peer.Server, error) {
	folder, err := g.subfolder("varnish")
	if err != nil {
		return nil, err
	}
	started, err := peer.Varnish{Upstream: upstream, AdminKey: gateway.AdminKey, On: g.cores.Server}.Start(ctx, folder)
	if err != nil {
		return nil, err
	}
	g.owns(started.Process)
	return started, nil
}
