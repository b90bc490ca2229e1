package main

import (
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // the RPCs of the catalog
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

type catalogCommand struct {
	Format string `enum:"table,tsv,json" default:"table" help:"table, tsv or json."`
}

// Run prints the inventory.
func (c *catalogCommand) Run(std streams) error {
	catalog, err := loadCatalog(nil)
	if err != nil {
		return err
	}
	return catalog.WriteInventory(std.out, c.Format)
}

func loadCatalog(drift *adminjson.Drift) (*service.Catalog, error) {
	catalog, err := service.NewCatalog(service.Files(), drift)
	if err != nil {
		return nil, err
	}
	return catalog, catalog.CheckInvalidations()
}
