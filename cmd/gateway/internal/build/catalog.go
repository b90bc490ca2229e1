package build

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

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

// LoadCatalog compiles the declarations. Its error names every faulty RPC.
func LoadCatalog() (*Catalog, error) {
	drift := new(adminjson.Drift)
	methods, err := catalog.New(catalog.Files(), drift)
	if err != nil {
		return nil, err
	}
	_, err = inventory.Compile(methods)
	return &Catalog{methods, drift}, errors.Join(err, methods.CheckInvalidations())
}

func (c *Catalog) collectors() []prometheus.Collector {
	return []prometheus.Collector{newDriftCollector(c.drift)}
}
