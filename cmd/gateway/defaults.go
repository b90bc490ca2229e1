package main

import (
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
)

// defaults are those of the packages that apply the values.
func defaults() config.Defaults {
	return config.Defaults{
		LongestCall:          service.DefaultLongestCall,
		InventoryConcurrency: service.DefaultFanOutConcurrency,
		LongestStream:        service.DefaultLongestStream,
		OutermostItems:       service.DefaultMaxOutermost,
	}
}
