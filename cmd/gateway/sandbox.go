package main

import (
	"context"
	"fmt"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

type sandboxCommand struct {
	Listen         string `default:"127.0.0.1:9999" help:"Address to serve on; a loopback one."`
	Seed           uint64 `default:"1" help:"Which organization: the same seed makes the same one."`
	Users          int    `default:"300" help:"Users in the organization."`
	Projects       int    `default:"40" help:"Projects in the organization."`
	Groups         int    `default:"12" help:"Groups in the organization."`
	CostsAsNumbers bool   `help:"Send amounts as JSON numbers, as documented, and not as strings."`
}

// Run serves the fake upstream until a signal.
func (c *sandboxCommand) Run(ctx context.Context, std streams) error {
	if err := config.CheckLoopback(c.Listen); err != nil {
		return fmt.Errorf("flag --listen: %w", err)
	}
	fake := sandbox.New(sandbox.Options{
		Seed: c.Seed, Users: c.Users, Projects: c.Projects, Groups: c.Groups, CostsAsNumbers: c.CostsAsNumbers,
	})
	l, err := build.Listen(ctx, c.Listen, fake, httpdoor.Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := fmt.Fprintf(std.out, "The fake Admin API is on %s/v1, its controls on %s/_sandbox. Its admin key is %s. Try:\n\n  curl -sS -H 'Authorization: Bearer %s' '%s/v1/organization/users?limit=2'\n",
		l.URL(), l.URL(), sandbox.DefaultAdminKey, sandbox.DefaultAdminKey, l.URL()); err != nil {
		return err
	}
	return l.Run(ctx)
}
