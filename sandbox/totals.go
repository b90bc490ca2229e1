package sandbox

import (
	"fmt"
	"math/big"
	"time"
)

// UsageQuery selects usage for [Sandbox.UsageTotals] and [Sandbox.CostTotal].
// Nil lists select everything. Usage is known by the minute: a minute counts
// when it begins in [Start, End) and is over.
type UsageQuery struct {
	Start, End time.Time
	ProjectIDs []string
	UserIDs    []string
	APIKeyIDs  []string
	Models     []string
	Batch      *bool
}

func (q UsageQuery) internal(kind string) usageQuery {
	out := usageQuery{kind: kind, start: q.Start.Unix(), end: q.End.Unix()}
	out.filters[byProject], out.filters[byUser] = q.ProjectIDs, q.UserIDs
	out.filters[byKey], out.filters[byModel] = q.APIKeyIDs, q.Models
	if q.Batch != nil {
		out.filters[byBatch] = []string{fmt.Sprint(*q.Batch)}
	}
	return out
}

// UsageTotals adds up usage of one kind (the last segment of the endpoint's
// path, for example "completions") over a time range, by metric name. It does
// not go through buckets, pages or JSON, so tests can hold answers against it.
// It fails for an unknown kind.
func (s *Sandbox) UsageTotals(kind string, q UsageQuery) (map[string]int64, error) {
	for _, k := range usageKinds() {
		if k.name == kind {
			s.mu.RLock()
			defer s.mu.RUnlock()
			return k.totals(s.org.ledger.usage(q.internal(kind), s.options.Now().Unix())), nil
		}
	}
	return nil, fmt.Errorf("sandbox: no usage of kind %q", kind)
}

// CostTotal is the exact cost in dollars of all usage that the query selects.
func (s *Sandbox) CostTotal(q UsageQuery) *big.Rat {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.org.ledger.cost(q.internal(""), s.options.Now().Unix())
}
