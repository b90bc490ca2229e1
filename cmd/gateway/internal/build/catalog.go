package build

import (
	"github.com/prometheus/client_golang/prometheus"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // the RPCs of the catalog
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// Catalog holds every RPC of this build.
type Catalog struct {
	*service.Catalog

	// drift counts members of answers that the schema lacks.
	drift *adminjson.Drift
}

// LoadCatalog compiles the declarations. Its error names every faulty RPC.
func LoadCatalog() (*Catalog, error) {
	drift := new(adminjson.Drift)
	catalog, err := service.NewCatalog(service.Files(), drift)
	if err != nil {
		return nil, err
	}
	return &Catalog{catalog, drift}, catalog.CheckInvalidations()
}

func (c *Catalog) collectors() []prometheus.Collector {
	return []prometheus.Collector{newDriftCollector(c.drift)}
}
