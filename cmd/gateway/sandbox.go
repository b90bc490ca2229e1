package main

import (
	"context"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// sandboxCommand has a flag for each option that the sandbox has in Go.
type sandboxCommand struct {
	Listen string `default:"127.0.0.1:9999" help:"Address to serve on; a loopback one."`

	Seed        uint64 `default:"1" help:"Which organization: the same seed makes the same one." group:"Organization"`
	Users       int    `default:"300" help:"Users in the organization, at least 1." group:"Organization"`
	Projects    int    `default:"40" help:"Projects in the organization." group:"Organization"`
	Groups      int    `default:"12" help:"Groups in the organization." group:"Organization"`
	Invites     int    `default:"24" help:"Invites to the organization." group:"Organization"`
	AuditEvents int    `default:"1500" help:"Events in the audit log, at most 20000." group:"Organization"`
	AdminKey    string `default:"${sandbox_key}" help:"The admin key that callers need." group:"Organization"`

	CostsAsNumbers bool `help:"Send amounts as JSON numbers, as documented, and not as strings." group:"Organization"`

	Now         time.Time `placeholder:"TIME" help:"What the clock shows at the start, such as 2026-11-01T00:00:00Z; without it, the time." group:"Time"`
	ClockStands bool      `help:"Let the clock stand until a control moves it." group:"Time"`

	LongestKeyLife time.Duration `placeholder:"DURATION" help:"Enforce a longest life of project keys, such as 720h, at most 8760h." group:"Time"`
	ProjectKeyLife []string      `sep:"none" placeholder:"PROJECT=DURATION" help:"The same for one project, by its id; may be repeated." group:"Time"`

	IgnoreKeyLives bool `help:"Take the lives that requests give to keys, and let no key expire." group:"Time"`

	Budget          int           `placeholder:"N" help:"Requests of each operation that a window admits; without it, all." group:"Budget"`
	BudgetWindow    time.Duration `default:"1m" help:"Length of the window." group:"Budget"`
	BudgetInMessage bool          `help:"State the wait in the message of a 429 alone, without Retry-After." group:"Budget"`
	Limit           []string      `sep:"none" placeholder:"OPERATION=N" help:"Budget of one operation, such as 'POST /organization/projects=3'; 0 admits all; may be repeated." group:"Budget"`
}

// Run serves the fake upstream until a signal.
func (c *sandboxCommand) Run(ctx context.Context, std streams) error {
	if err := config.CheckLoopback(c.Listen); err != nil {
		return fmt.Errorf("flag --listen: %w", err)
	}
	fake, err := c.sandbox()
	if err != nil {
		return err
	}
	l, err := build.Listen(ctx, c.Listen, httpdoor.Open(fake), httpdoor.Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := fmt.Fprintf(std.out, "The fake Admin API is on %s/v1, its controls on %s/_sandbox. Its admin key is %s. Try:\n\n  curl -sS -H 'Authorization: Bearer %s' '%s/v1/organization/users?limit=2'\n",
		l.URL(), l.URL(), c.AdminKey, c.AdminKey, l.URL()); err != nil {
		return err
	}
	return l.Run(ctx)
}
