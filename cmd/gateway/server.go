package main

import "github.com/admin-gateway/admin-gateway/service"

// options are those of the streams, which are asked to end when ending is closed.
func (i *Inventory) options(ending <-chan struct{}) service.FanOutOptions {
	return service.FanOutOptions{
		Concurrency: i.Concurrency, Longest: i.LongestStream, MaxOutermost: i.OutermostItems,
		Ending: func() <-chan struct{} { return ending },
	}
}
