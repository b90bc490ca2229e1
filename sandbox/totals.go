package sandbox

import (
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// UsageQuery selects usage for [Sandbox.UsageTotals] and [Sandbox.CostTotal].
// Nil lists select everything. Usage is measured by the minute: a minute counts if
// it begins in [Start, End) and is over.
type UsageQuery struct {
	Start, End time.Time
	ProjectIDs []string
	UserIDs    []string
	APIKeyIDs  []string
	Models     []string
	Batch      *bool
}

func (q UsageQuery) span() data.Span { return data.Span{Start: q.Start.Unix(), End: q.End.Unix()} }

func (q UsageQuery) filter() data.Filter {
	filter := data.Filter{data.ByProject: q.ProjectIDs, data.ByUser: q.UserIDs, data.ByKey: q.APIKeyIDs, data.ByModel: q.Models}
	if q.Batch != nil {
		filter[data.ByBatch] = []string{strconv.FormatBool(*q.Batch)}
	}
	return filter
}

// UsageTotals adds up usage of one kind (the last segment of the endpoint's
// path, for example "completions") over a time range, by metric name. It does
// not use buckets, pages or JSON, so that tests can compare answers with it. It
// returns an error for an unknown kind.
func (s *Sandbox) UsageTotals(kind string, q UsageQuery) (map[string]int64, error) {
	for _, k := range data.UsageKinds() {
		if k.Name == kind {
			s.mu.RLock()
			defer s.mu.RUnlock()
			return s.org.Ledger.TotalUsage(k, q.filter(), q.span(), s.clock.now().Unix()), nil
		}
	}
	return nil, fmt.Errorf("sandbox: unknown kind of usage %q", kind)
}

// CostTotal returns the exact cost in dollars of the selected usage.
func (s *Sandbox) CostTotal(q UsageQuery) *big.Rat {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.org.Ledger.TotalCost(q.filter(), q.span(), s.clock.now().Unix())
}
