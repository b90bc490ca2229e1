package redisledger

import (
	"context"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// Findings looks at how safe the ledger is in this Redis. It fails only if Redis
// cannot be asked at all: what Redis refuses to tell is unknown.
func (l *Ledger) Findings(ctx context.Context) ([]redisclient.Finding, error) {
	return redisclient.Durability(ctx, l.client, l.call)
}
