package peer

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
)

// varnishServing is what the manager says when its child has begun to serve.
var varnishServing = regexp.MustCompile(`said Child starts`)

// Varnish says what a Varnish does: it answers from its cache, over HTTP/1.1 and HTTP/2.
type Varnish struct {
	// Upstream is the address, host:port, of the server behind it.
	Upstream string
	// AdminKey is the credential that it sends to the upstream.
	AdminKey string
	// On has its processors.
	On string
}

// Start starts the Varnish, which has its files in the folder.
func (v Varnish) Start(ctx context.Context, folder string) (*Server, error) {
	program, err := exec.LookPath("varnishd")
	if err != nil {
		return nil, fmt.Errorf("varnish: %w", err)
	}
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(v.Upstream)
	if err != nil {
		return nil, err
	}
	// Without this Varnish caches nothing that was asked for with a credential.
	config := fmt.Sprintf(`vcl 4.1;
backend default {.host = %q; .port = %q;}
sub vcl_recv {unset req.http.Cookie; return (hash);}
sub vcl_backend_fetch {set bereq.http.Authorization = "Bearer %s";}
sub vcl_backend_response {set beresp.ttl = 1h;}
`, host, port, v.AdminKey)
	file := filepath.Join(folder, "default.vcl")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	process, err := machine.Start(ctx, machine.Command{
		Path: program, On: v.On, Output: filepath.Join(folder, "varnish.out"), Ready: varnishServing, Args: []string{
			"-F", "-n", filepath.Join(folder, "varnish"), "-f", file, "-a", ports[0], "-s", "malloc,256m", "-j", "none",
			"-p", "feature=+http2", "-p", "thread_pools=1",
		},
	})
	if err != nil {
		return nil, err
	}
	return &Server{Process: process, HTTP1: ports[0], HTTP2: ports[0]}, nil
}
