package build

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // the RPCs of the catalog
	"github.com/admin-gateway/admin-gateway/internal/textkind"
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

// LoadCatalog compiles the declarations. Its error names every faulty RPC. Of the config
// it takes the buckets that put methods into one budget, how answers are read, and the
// characters of ids; the zero value leaves each method its own budget, reads leniently,
// and has the upstream's own characters.
func LoadCatalog(conf config.Upstream) (*Catalog, error) {
	drift := new(adminjson.Drift)
	budgets := make([]catalog.Budget, len(conf.Budget.Buckets))
	for i, b := range conf.Budget.Buckets {
		budgets[i] = catalog.Budget{Name: b.Name, Methods: b.Methods}
	}
	options := []catalog.Option{catalog.WithBudgets(budgets)}
	if conf.Answers == config.AnswersStrict {
		options = append(options, catalog.WithExactAnswers())
	}
	if conf.IDCharacters != "" {
		options = append(options, catalog.WithIDCharacters(conf.IDCharacters))
	}
	methods, err := catalog.New(catalog.Files(), drift, options...)
	if wrong, ok := errors.AsType[*catalog.BudgetError](err); ok {
		return nil, config.AtKey(fmt.Sprintf("upstream.budget.buckets[%d].methods[%d]", wrong.Budget, wrong.Method), wrong.Err)
	}
	if wrong, ok := errors.AsType[*textkind.CharacterError](err); ok {
		return nil, config.AtKey("upstream.id_characters", wrong)
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
