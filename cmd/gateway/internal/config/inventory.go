package config

import "time"

// Inventory bounds the streams that are made of many reads.
type Inventory struct {
	// Concurrency is how many reads of one stream are under way at a time.
	Concurrency int `yaml:"concurrency"`
	// LongestStream ends a stream, with a token to go on from.
	LongestStream time.Duration `yaml:"longest_stream"`
	// OutermostItems is how many items of its outermost list a stream goes through.
	OutermostItems int `yaml:"outermost_items"`
}

func defaultInventory(d Defaults) Inventory {
	return Inventory{
		Concurrency: d.InventoryConcurrency, LongestStream: d.LongestStream, OutermostItems: d.OutermostItems,
	}
}

func (i *Inventory) settings() []setting {
	return []setting{
		{"inventory.concurrency", &i.Concurrency},
		{"inventory.longest_stream", &i.LongestStream},
		{"inventory.outermost_items", &i.OutermostItems},
	}
}

// check holds every value to its bounds.
func (i *Inventory) check(fault func(key, format string, args ...any)) {
	within(fault, "inventory.concurrency", i.Concurrency, 1, 64)
	// The gRPC door's longest grace is a day.
	within(fault, "inventory.longest_stream", i.LongestStream, time.Minute, 12*time.Hour)
	// A page has a hundred, and a stream holds the names of all.
	within(fault, "inventory.outermost_items", i.OutermostItems, 100, 1_000_000)
}
