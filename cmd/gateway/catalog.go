package main

import (
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

type catalogCommand struct {
	Format string `enum:"table,tsv,json" default:"table" help:"table, tsv or json."`
}

// Run prints the catalog.
func (c *catalogCommand) Run(std streams) error {
	catalog, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		return err
	}
	return catalog.WriteListing(std.out, c.Format)
}
