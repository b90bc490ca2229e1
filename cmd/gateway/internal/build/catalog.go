package build

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // the RPCs of the catalog
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/inventory"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// Catalog holds every RPC of this build.
type Catalog struct {
	*catalog.Catalog

	// drift counts members of answers that the schema lacks.
	drift *adminjson.Drift
}

// LoadCatalog compiles the declarations. Its error names every faulty RPC. The buckets
// of a config put methods into one budget; none leaves each its own.
func LoadCatalog(buckets ...config.Bucket) (*Catalog, error) {
	drift := new(adminjson.Drift)
	budgets := make([]catalog.Budget, len(buckets))
	for i, b := range buckets {
		budgets[i] = catalog.Budget{Name: b.Name, Methods: b.Methods}
	}
	methods, err := catalog.New(catalog.Files(), drift, catalog.WithBudgets(budgets))
	if wrong, ok := errors.AsType[*catalog.BudgetError](err); ok {
		return nil, fmt.Errorf("config key upstream.budget.buckets[%d].methods[%d]: %w", wrong.Budget, wrong.Method, wrong.Err)
	}
	if err != nil {
		return nil, err
	}
	_, err = inventory.Compile(methods)
	return &Catalog{methods, drift}, errors.Join(err, methods.CheckInvalidations())
}

func (c *Catalog) collectors() []prometheus.Collector {
	return []prometheus.Collector{newDriftCollector(c.drift)}
}
