package main

import "github.com/admin-gateway/admin-gateway/service"

// defaults are those of the packages that apply the values.
func defaults() Defaults {
	return Defaults{
		LongestCall:          service.DefaultLongestCall,
		InventoryConcurrency: service.DefaultFanOutConcurrency,
		LongestStream:        service.DefaultLongestStream,
		OutermostItems:       service.DefaultMaxOutermost,
	}
}
