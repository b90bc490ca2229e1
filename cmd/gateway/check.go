package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/diagnose"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

type checkCommand struct {
	policyFlags
	Deep   bool          `help:"Open what the config names too: secrets, certificates, Redis, issuers, the collector; and list one project upstream, which costs one call of the budget."`
	Format output.Format `enum:"table,json,yaml" default:"table" help:"Form of what --deep finds: table, which is lines for people, json or yaml."`
}

// errUnfit is the error of a config with which a gateway would not work.
var errUnfit = errors.New("something that the config names is not as it has to be")

// Run reads config and policy as serve does, and reports their faults. A token that has
// expired is one here, and not for serve, which would not start one day although nobody
// has changed anything. A warning is about a policy that is good, and may not be meant so.
func (c *checkCommand) Run(ctx context.Context, std streams) error {
	conf, catalog, set, err := c.open(std) //nolint:contextcheck // What it makes is looked at, and asks nobody.
	if err != nil {
		return err
	}
	if c.Deep {
		return c.look(ctx, std, build.NewParts(conf.Config, catalog, set))
	}
	return c.summary(std, set)
}

// summary is the answer without a deeper look.
func (c *checkCommand) summary(std streams, set *callers.Set) error {
	for _, warning := range set.Warnings() {
		if _, err := fmt.Fprintf(std.err, "warning: %v\n", warning); err != nil {
			return err
		}
	}
	if expired := set.Expired(); len(expired) > 0 {
		return errors.Join(expired...)
	}
	_, err := fmt.Fprintf(std.out, "config and policy are good; callers: %d\n", len(set.Callers()))
	return err
}

// look opens what the config names, and shows what it finds.
func (c *checkCommand) look(ctx context.Context, std streams, parts *build.Parts) (err error) {
	defer func() { err = errors.Join(err, parts.Close()) }()
	var all []diagnose.Finding
	failed := false
	diagnose.Run(ctx, parts, func(f diagnose.Finding) {
		failed = failed || f.Level == diagnose.Failure
		all = append(all, f)
		if c.Format == output.Text && err == nil {
			_, err = fmt.Fprintf(std.out, "%-8s %-24s %s\n", f.Level, f.Key, output.Printable(f.Text))
		}
	})
	if c.Format != output.Text {
		err = output.Value(std.out, c.Format, all)
	}
	if err == nil && failed {
		err = errUnfit
	}
	return err
}
