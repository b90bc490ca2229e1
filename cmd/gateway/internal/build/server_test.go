package build

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// TestInventoryOptions: each key reaches its option, and the gRPC listener does not
// cut a stream short.
func TestInventoryOptions(t *testing.T) {
	t.Parallel()
	ending := make(chan struct{})
	conf := config.Inventory{Concurrency: 3, LongestStream: patience, OutermostItems: 200}
	got := inventoryOptions(conf, ending)
	if got.Concurrency != 3 || got.Longest != patience || got.MaxOutermost != 200 || got.Ending() != (<-chan struct{})(ending) {
		t.Errorf("%+v", got)
	}
	if fast := grpcOptions(config.New(Defaults()).Limits, nil, 0, conf.LongestStream, nil); fast.MaxConnectionAgeGrace <= patience {
		t.Errorf("an old connection is closed %s after its last call", fast.MaxConnectionAgeGrace)
	}
}
