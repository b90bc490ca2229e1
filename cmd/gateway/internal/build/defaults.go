package build

import (
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
)

// Defaults returns the default values that belong to the packages which apply them.
func Defaults() config.Defaults {
	return config.Defaults{
		LongestCall:          service.DefaultLongestCall,
		InventoryConcurrency: service.DefaultFanOutConcurrency,
		LongestStream:        service.DefaultLongestStream,
		OutermostItems:       service.DefaultMaxOutermost,
	}
}
