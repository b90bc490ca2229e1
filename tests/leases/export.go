//go:build unix

package leases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Row is a row of the ledger, as an export has it.
type Row struct {
	ID              string    `json:"id"`
	RequestID       string    `json:"request_id"`
	Caller          string    `json:"caller"`
	Role            string    `json:"role"`
	Kind            string    `json:"kind"`
	State           string    `json:"state"`
	Cause           string    `json:"cause"`
	Credential      string    `json:"credential"`
	CredentialName  string    `json:"credential_name"`
	APIKeyID        string    `json:"api_key_id"`
	Previous        string    `json:"previous"`
	Seats           int       `json:"seats"`
	Seated          int       `json:"seated"`
	Created         time.Time `json:"created_at"`
	Expires         time.Time `json:"expires_at"`
	UpstreamExpires time.Time `json:"upstream_expires_at"`
	Ended           time.Time `json:"ended_at"`
}

// lease tells whether it is a lease, and not the key of one.
func (r *Row) lease() bool { return r.Caller != "" }

// open tells whether it has a key that works.
func (r *Row) open() bool { return r.State == "ISSUED" || r.State == "ACTIVE" }

// begun tells whether a key of it may be there that is not known yet.
func (r *Row) begun() bool { return r.State == "INTENT" || r.State == "DOUBTFUL" }

// over tells whether it has come to its end.
func (r *Row) over() bool {
	return r.State == "EXPIRED" || r.State == "REVOKED" || r.State == "ABORTED"
}

// seated tells whether a lease has a seat in its key.
func (r *Row) seated() bool { return r.open() || r.State == "INTENT" }

// export reads the ledger with the gateway's own tool.
func (h *House) export(ctx context.Context) (map[string]*Row, error) {
	text, err := h.tool(ctx, "lease", "ledger", "export")
	if err != nil {
		return nil, err
	}
	rows := make(map[string]*Row)
	whole := false
	for line := range strings.Lines(text) {
		var l struct {
			Record *Row `json:"record"`
			End    bool `json:"end"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("the export has %q: %w", line, err)
		}
		if l.Record != nil {
			rows[l.Record.ID] = l.Record
		}
		whole = whole || l.End
	}
	if !whole {
		return nil, errors.New("the export has no end")
	}
	return rows, nil
}
