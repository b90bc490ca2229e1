package main

type catalogCommand struct {
	Format string `enum:"table,tsv,json" default:"table" help:"table, tsv or json."`
}

// Run prints the inventory.
func (c *catalogCommand) Run(std streams) error {
	catalog, err := LoadCatalog()
	if err != nil {
		return err
	}
	return catalog.WriteInventory(std.out, c.Format)
}
