package peer

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"text/template"

	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
)

// Nginx says what an nginx does.
type Nginx struct {
	// Upstream is the address, host:port, of the server behind it.
	Upstream string
	// AdminKey is the credential that it sends to the upstream.
	AdminKey string
	// Cache says that it answers from its cache; otherwise it passes each request on.
	Cache bool
	// Token is the bearer token that it asks for. With one it also sends the
	// three headers, and keeps an access log in a buffer. Empty: none of these.
	Token string
	// On has its processors.
	On string
}

// Server is a peer that serves.
type Server struct {
	*machine.Process
	// HTTP1 and HTTP2 are its addresses, host:port. HTTP2 is empty if it has none.
	HTTP1, HTTP2 string
}

// nginxServing is what nginx logs after it has opened its ports.
var nginxServing = regexp.MustCompile(`using the "epoll" event method`)

//go:embed nginx.conf.tmpl
var nginxConfig string

// Start starts the nginx, which has its files in the folder.
func (n Nginx) Start(ctx context.Context, folder string) (*Server, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	config, err := os.Create(filepath.Join(folder, "nginx.conf"))
	if err != nil {
		return nil, err
	}
	t, err := template.New("nginx").Parse(nginxConfig)
	if err != nil {
		return nil, errors.Join(err, config.Close())
	}
	err = t.Execute(config, struct {
		Nginx
		Folder, HTTP1, HTTP2 string
	}{n, folder, ports[0], ports[1]})
	if err = errors.Join(err, config.Close()); err != nil {
		return nil, err
	}
	process, err := machine.Start(ctx, machine.Command{
		Path: program, Args: []string{"-p", folder, "-c", config.Name()}, On: n.On,
		Output: filepath.Join(folder, "nginx.out"), Ready: nginxServing,
	})
	if err != nil {
		return nil, err
	}
	return &Server{Process: process, HTTP1: ports[0], HTTP2: ports[1]}, nil
}
