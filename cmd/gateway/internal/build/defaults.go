package build

import (
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/ledger"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/inventory"
)

// Defaults returns the default values that belong to the packages which apply them.
func Defaults() config.Defaults {
	return config.Defaults{
		LongestCall:          service.DefaultLongestCall,
		InventoryConcurrency: inventory.DefaultConcurrency,
		LongestStream:        inventory.DefaultLongestStream,
		OutermostItems:       inventory.DefaultMaxOutermost,
		SweepInterval:        ledger.DefaultSweepInterval,
		KeepEnded:            ledger.DefaultKeepEnded,
		ConsoleSession:       console.DefaultLongest,
		ConsoleIdle:          console.DefaultIdle,
		IDCharacters:         textkind.DefaultIDCharacters,
	}
}
