package broker

import (
	"context"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Overdue is how long a revocation may wait before it is one that operators should know
// of.
const Overdue = 10 * time.Minute

// Stats are numbers for operators.
type Stats struct {
	// Counts are how many leases and credentials there are, by role and state.
	Counts []lease.Count
	// OldestRevocation and OldestDoubt are when the longest waiting began; zero: none.
	OldestRevocation, OldestDoubt time.Time
	// Overdue is how many revocations wait for longer than [Overdue], up to a bound.
	Overdue int
	// Leads tells whether this replica leads; LastSweep is when it last compared all
	// keys; zero: not yet.
	Leads     bool
	LastSweep time.Time
}

// Stats looks at the ledger. It does not look at each lease.
func (k *Keeper) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	k.mu.Lock()
	s.Leads, s.LastSweep = k.leads, k.swept
	k.mu.Unlock()
	var err error
	if s.Counts, err = k.b.o.Ledger.Counts(ctx); err != nil {
		return s, err
	}
	for state, oldest := range map[lease.State]*time.Time{lease.Revoking: &s.OldestRevocation, lease.Doubtful: &s.OldestDoubt} {
		page, err := k.b.o.Ledger.List(ctx, lease.Query{Rows: lease.CredentialRows, States: []lease.State{state}, PageSize: lease.MaxPage})
		if err != nil {
			return s, err
		}
		for i := range page.Records {
			row := &page.Records[i]
			if oldest.IsZero() || row.Since.Before(*oldest) {
				*oldest = row.Since
			}
			if state == lease.Revoking && time.Since(row.Since) > Overdue {
				s.Overdue++
			}
		}
	}
	return s, nil
}
