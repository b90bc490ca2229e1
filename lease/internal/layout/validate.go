package layout

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/admin-gateway/admin-gateway/lease"
)

func invalid(field, problem string) error { return &lease.InvalidError{Field: field, Problem: problem} }

// Draft returns a draft as it is kept, or why it cannot be. keeps tells whether the
// ledger keeps secrets.
func Draft(d lease.Draft, keeps bool) (lease.Draft, error) {
	d.Record = d.Record.Normal()
	d.Record.Version = 1
	switch r := &d.Record; {
	case !r.State.Initial():
		return d, &lease.TransitionError{To: r.State}
	case !r.SecretUntil.IsZero():
		return d, invalid("secret_until", "is set, and there is no secret yet")
	case d.Limits.CallerMints != lease.Unlimited && d.Limits.MintWindow <= 0:
		return d, invalid("mint window", "is missing")
	case d.Owner != "":
		if err := Claim(d.Owner, d.ClaimLife); err != nil {
			return d, err
		}
	}
	if err := d.Record.Validate(); err != nil {
		return d, err
	}
	if slices.ContainsFunc(d.With, func(c lease.Change) bool { return c.Record.ID == d.Record.ID }) {
		return d, invalid("changes", "are of one lease twice")
	}
	var err error
	d.With, err = Changes(d.With, keeps)
	return d, err
}

// Changes returns changes as they are made, or why they cannot be: with versions that
// have grown.
func Changes(changes []lease.Change, keeps bool) ([]lease.Change, error) {
	if len(changes) > lease.MaxBatch {
		return nil, invalid("changes", "are too many")
	}
	changes = slices.Clone(changes)
	seen := make(map[string]bool, len(changes))
	for i := range changes {
		c := &changes[i]
		c.Record = c.Record.Normal()
		c.Record.Version++
		switch {
		case seen[c.Record.ID]:
			return nil, invalid("changes", "are of one lease twice")
		case c.Record.Version == 1:
			return nil, invalid("version", "is missing")
		case c.Kind == "" || len(c.Kind) > lease.MaxNameBytes:
			return nil, invalid("kind", "is missing or too long")
		case len(c.Secret.Reveal()) > lease.MaxSecretBytes:
			return nil, invalid("secret", "is too long")
		case !c.Secret.IsZero() && c.Record.SecretUntil.IsZero():
			return nil, invalid("secret_until", "is missing: no secret is kept for ever")
		}
		if !keeps {
			c.Secret, c.Record.SecretUntil = lease.Secret{}, time.Time{}
		}
		if err := c.Record.Validate(); err != nil {
			return nil, err
		}
		seen[c.Record.ID] = true
	}
	return changes, nil
}

// Claim checks a claim or a term.
func Claim(owner string, life time.Duration) error {
	if owner == "" || len(owner) > lease.MaxNameBytes || !utf8.ValidString(owner) {
		return invalid("owner", "is missing, too long or not valid UTF-8")
	}
	if life < time.Millisecond || life > lease.MaxClaim {
		return invalid("life of a claim", "is out of range")
	}
	return nil
}

// PageSize checks the size of a page.
func PageSize(n int) error {
	if n < 1 || n > lease.MaxPage {
		return invalid("page_size", "is out of range")
	}
	return nil
}

// Query checks a query.
func Query(q *lease.Query) error {
	if _, ok := lease.IDTime(q.PageToken); q.PageToken != "" && !ok {
		return invalid("page_token", "is none")
	}
	for _, s := range q.States {
		if !s.Valid() {
			return invalid("state", "is none of the states")
		}
	}
	return PageSize(q.PageSize)
}

// DueQuery checks a query of what is due.
func DueQuery(q *lease.DueQuery) error {
	if !slices.Contains(lease.DueKinds(), q.Kind) {
		return invalid("kind", "is none of the kinds")
	}
	if len(q.After) != 0 && len(q.After) != timeDigits+lease.IDLength {
		return invalid("cursor", "is none")
	}
	return PageSize(q.PageSize)
}

// Imported checks records that are imported, and returns them as they are kept:
// without secrets, which are not exported.
func Imported(records []lease.Record) ([]lease.Record, error) {
	if len(records) > lease.MaxBatch {
		return nil, invalid("records", "are too many")
	}
	records = slices.Clone(records)
	seen := make(map[string]bool, 2*len(records))
	for i := range records {
		r := &records[i]
		*r = r.Normal()
		r.SecretUntil, r.Fence = time.Time{}, 0
		if err := r.Validate(); err != nil {
			return nil, err
		}
		if r.Version == 0 {
			return nil, invalid("version", "is missing")
		}
		request := RequestGroup(r)
		if seen[r.ID] || seen[request] {
			return nil, invalid("records", "have one lease or one request twice")
		}
		seen[r.ID], seen[request] = true, true
	}
	return records, nil
}
