package main

import (
	"time"

	"github.com/admin-gateway/admin-gateway/service"
)

// inventoryConfig bounds the streams that are made of many reads.
type inventoryConfig struct {
	// Concurrency is how many reads of one stream are under way at a time.
	Concurrency int `yaml:"concurrency"`
	// LongestStream ends a stream, with a token to go on from.
	LongestStream time.Duration `yaml:"longest_stream"`
	// OutermostItems is how many items of its outermost list a stream goes through.
	OutermostItems int `yaml:"outermost_items"`
}

func defaultInventory() inventoryConfig {
	return inventoryConfig{
		Concurrency: service.DefaultFanOutConcurrency, LongestStream: service.DefaultLongestStream, OutermostItems: service.DefaultMaxOutermost,
	}
}

func (i *inventoryConfig) settings() []setting {
	return []setting{
		{"inventory.concurrency", &i.Concurrency},
		{"inventory.longest_stream", &i.LongestStream},
		{"inventory.outermost_items", &i.OutermostItems},
	}
}

// check holds every value to its bounds.
func (i *inventoryConfig) check(fault func(key, format string, args ...any)) {
	within(fault, "inventory.concurrency", i.Concurrency, 1, 64)
	// The gRPC door's longest grace is a day.
	within(fault, "inventory.longest_stream", i.LongestStream, time.Minute, 12*time.Hour)
	// A page has a hundred, and a stream holds the names of all.
	within(fault, "inventory.outermost_items", i.OutermostItems, 100, 1_000_000)
}

// options are those of the streams, which are asked to end when ending is closed.
func (i *inventoryConfig) options(ending <-chan struct{}) service.FanOutOptions {
	return service.FanOutOptions{
		Concurrency: i.Concurrency, Longest: i.LongestStream, MaxOutermost: i.OutermostItems,
		Ending: func() <-chan struct{} { return ending },
	}
}
