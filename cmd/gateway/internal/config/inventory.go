package config

import "time"

// Inventory bounds streams that are made of many reads.
type Inventory struct {
	// Concurrency is the number of concurrent reads of one stream.
	Concurrency int `yaml:"concurrency"`
	// LongestStream is when a stream ends with a token for resuming it.
	LongestStream time.Duration `yaml:"longest_stream"`
	// OutermostItems bounds the items of a stream's outermost list.
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

// check reports values beyond their bounds.
func (i *Inventory) check(fault func(key, format string, args ...any)) {
	within(fault, "inventory.concurrency", i.Concurrency, 1, 64)
	// The gRPC listener gives an old connection a day at most.
	within(fault, "inventory.longest_stream", i.LongestStream, time.Minute, 12*time.Hour)
	// A page has a hundred items, and a stream holds all their names in memory.
	within(fault, "inventory.outermost_items", i.OutermostItems, 100, 1_000_000)
}
