package main

import (
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
)

// fanOutOptions are those of the streams, which are asked to end when ending is closed.
func fanOutOptions(i config.Inventory, ending <-chan struct{}) service.FanOutOptions {
	return service.FanOutOptions{
		Concurrency: i.Concurrency, Longest: i.LongestStream, MaxOutermost: i.OutermostItems,
		Ending: func() <-chan struct{} { return ending },
	}
}
