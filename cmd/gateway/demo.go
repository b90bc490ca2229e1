package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// demoTimeout bounds the sample calls together.
const demoTimeout = time.Minute

// defaultConsoleListen is where the pages of a demo are.
const defaultConsoleListen = "127.0.0.1:8082"

type demoCommand struct {
	Listen        string   `default:"127.0.0.1:8080" help:"Address to serve on; a loopback one."`
	ConsoleListen string   `default:"127.0.0.1:8082" help:"Address of the pages for people; a loopback one. Empty: none. With port 0 in --listen, any port."`
	Once          bool     `help:"Exit after the sample calls; 0 when all went as they should."`
	TLS           string   `name:"tls" placeholder:"DIR" help:"Serve over TLS, and write the certificate of the authority to DIR/ca.pem."`
	AllowOrigin   []string `placeholder:"ORIGIN" help:"Let pages of a web origin call, such as http://localhost:3000; may be repeated."`
}

// errSamples makes the exit code 1 when a sample call had an unexpected result.
var errSamples = errors.New("a sample call had an unexpected result")

// demoKey is the admin key of the fake upstream. It is public.
type demoKey struct{}

func (demoKey) Key(context.Context) (upstream.Secret, error) {
	return upstream.NewSecret(sandbox.DefaultAdminKey), nil
}

// demoConfig returns the config of a gateway in front of the fake upstream, which keeps
// its leases in a file.
func demoConfig(listen, fake, leases string) config.Config {
	conf := config.New(build.Defaults())
	conf.Listen, conf.OpsListen, conf.VaultListen = listen, "", "127.0.0.1:0"
	conf.Upstream.BaseURL = fake + "/v1"
	// The fake admits every call. The calls of the inventory are slowed down so that
	// its progress is visible.
	conf.Upstream.Budget = config.Budget{
		Organization: config.Limit{CallsPerMinute: 6000, Burst: 100}, Default: config.Limit{CallsPerMinute: 3000, Burst: 50},
		Buckets: []config.Bucket{{Name: "list_project_api_keys", CallsPerMinute: 900, Burst: 1}},
	}
	conf.Audit.Path = os.DevNull
	conf.Leases.Path = leases
	conf.Reflection = true
	conf.Shutdown = config.Shutdown{Delay: 0, Timeout: 20 * time.Second}
	return conf
}

// Run starts the fake upstream and a gateway in front of it, makes the sample
// calls, and serves on until a signal.
func (c *demoCommand) Run(ctx context.Context, std streams) (err error) {
	if err := config.CheckLoopback(c.Listen); err != nil {
		return fmt.Errorf("flag --listen: %w", err)
	}
	if err := config.CheckLoopback(c.ConsoleListen); err != nil && c.ConsoleListen != "" {
		return fmt.Errorf("flag --console-listen: %w", err)
	}
	for _, origin := range c.AllowOrigin {
		if err := config.CheckOrigin(origin); err != nil {
			return fmt.Errorf("flag --allow-origin: %w", err)
		}
	}
	folder, err := os.MkdirTemp("", "gateway-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	box := sandbox.New(sandbox.Options{Seed: 1})
	fake, err := build.Listen(ctx, "127.0.0.1:0", httpdoor.Open(box), httpdoor.Options{})
	if err != nil {
		return err
	}
	defer fake.Close()
	keys, err := box.ProjectKeys("")
	if err != nil {
		return err
	}
	who, err := newDemoCallers(keys[0].ProjectID)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(slog.LevelError)
	conf := demoConfig(c.Listen, fake.URL(), filepath.Join(folder, "leases.db"))
	conf.CORS.AllowedOrigins = c.AllowOrigin
	conf.ConsoleListen = c.ConsoleListen
	if _, port, _ := net.SplitHostPort(c.Listen); port == "0" && c.ConsoleListen == defaultConsoleListen {
		conf.ConsoleListen = c.Listen // Several demos may run.
	}
	var secure *demoTLS
	if c.TLS != "" {
		if secure, err = newDemoTLS(c.TLS, folder); err != nil {
			return fmt.Errorf("flag --tls: %w", err)
		}
		conf.TLS = secure.conf
	}
	g, err := build.New(ctx, build.Options{
		Config: conf, Version: version(), Stdout: std.out,
		Logger: slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: level})), Level: level,
		Stopping: ctx.Done(), AdminKey: demoKey{}, Policy: who.policy,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()

	serving, stop := context.WithCancel(ctx)
	defer stop()
	group, serving := errgroup.WithContext(serving)
	group.Go(func() error { return fake.Run(serving) })
	group.Go(func() error { return g.Run(serving) })
	err = runSamples(serving, std.out, g.URL(), fake.URL(), who, secure)
	if err != nil || c.Once {
		stop()
	} else if err = errors.Join(printConsoleHint(std.out, g.ConsoleURL(), who), printHints(std.out, g.URL(), who, secure), printLeaseHints(std.out, g.URL(), g.VaultURL(), fake.URL())); err != nil {
		stop()
	}
	return errors.Join(err, group.Wait())
}

func runSamples(ctx context.Context, w io.Writer, gateway, fake string, who *demoCallers, secure *demoTLS) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	if _, err := fmt.Fprintf(w, "A fake Admin API is on %s/v1, the gateway in front of it on %s.\n\n", fake, gateway); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	failed := false
	if _, err := fmt.Fprintln(table, "CALL\tCALLER\tOVER\tTOOK\tANSWER"); err != nil {
		return err
	}
	for _, s := range samples(w, gateway, fake, who, secure) {
		start := time.Now()
		answer, err := s.call(ctx)
		if err != nil {
			failed = true
			answer = "FAILED: " + err.Error()
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.name, s.caller, s.over, time.Since(start).Round(100*time.Microsecond), answer); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if failed {
		return errSamples
	}
	return nil
}

// printConsoleHint says where the pages are, and how to log in.
func printConsoleHint(w io.Writer, console string, who *demoCallers) error {
	if console == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, `
The console is on %s: log in as operator with

  %s
`, console, who.operator)
	return err
}

func printHints(w io.Writer, gateway string, who *demoCallers, secure *demoTLS) error {
	_, err := fmt.Fprintf(w, `
Serving until Ctrl-C. Two callers: operator may do everything, auditor may only read. Try, in another terminal:

  OPERATOR=%[2]s
  AUDITOR=%[3]s
%[4]s
  curl -sS -H "Authorization: Bearer $AUDITOR" -H 'Content-Type: application/json' -d '{"limit": 2}' %[1]s/admingateway.admin.v1.ProjectService/ListProjects
  curl -sS -H "Authorization: Bearer $OPERATOR" -H 'Content-Type: application/json' -d '{"name": "ci"}' %[1]s/admingateway.admin.v1.ProjectService/CreateProject
  curl -sS -H "Authorization: Bearer $AUDITOR" -H 'Content-Type: application/json' -d '{"name": "ci"}' %[1]s/admingateway.admin.v1.ProjectService/CreateProject
  curl -sS -H "Authorization: Bearer $AUDITOR" '%[1]s/v1/organization/projects?limit=2'
  curl -sS -H "Authorization: Bearer $AUDITOR" -G %[1]s/admingateway.admin.v1.UserService/ListUsers --data-urlencode 'encoding=json' --data-urlencode 'message={"limit": 2}'
  buf curl -H "Authorization: Bearer $OPERATOR" --reflect-header '*' --protocol grpc --http2-prior-knowledge -d '{"limit": 2}' %[1]s/admingateway.admin.v1.UserService/ListUsers
  buf curl -H "Authorization: Bearer $OPERATOR" --reflect-header '*' --protocol grpc --http2-prior-knowledge --list-methods %[1]s

`, gateway, who.operator, who.auditor, secure.hint())
	return err
}
