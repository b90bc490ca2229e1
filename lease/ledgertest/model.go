package ledgertest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Model is a ledger as simple as can be: one map, and loops over it. It has no limit
// of time, and claims end when Lapse is called.
type Model struct {
	rows   map[string]*modelRow
	events []lease.Event
	seq    uint64
	most   int
	term   uint64
	leader string
}

type modelRow struct {
	record lease.Record
	fence  uint64
	owner  string
	secret lease.Secret
}

// NewModel returns a model that keeps this many events.
func NewModel(events int) *Model { return &Model{rows: map[string]*modelRow{}, most: events} }

// Lapse ends all claims and the term.
func (m *Model) Lapse() {
	for _, r := range m.rows {
		r.owner = ""
	}
	m.leader = ""
}

func (m *Model) all(matches func(*lease.Record) bool) []lease.Record {
	var records []lease.Record
	for _, r := range m.rows {
		if matches(&r.record) {
			records = append(records, r.record)
		}
	}
	slices.SortFunc(records, func(a, b lease.Record) int { return cmp.Compare(a.ID, b.ID) })
	return records
}

func (m *Model) event(kind lease.EventKind, r lease.Record) {
	m.seq++
	r.Fence = 0
	m.events = append(m.events, lease.Event{Sequence: m.seq, Kind: kind, Record: r})
	if len(m.events) > m.most {
		m.events = m.events[1:]
	}
}

// Create is that of [lease.Ledger].
func (m *Model) Create(d lease.Draft) (lease.Created, error) {
	r := d.Record.Normal()
	r.Version = 1
	if !r.State.Initial() {
		return lease.Created{}, lease.ErrTransition
	}
	same := m.all(func(o *lease.Record) bool {
		return o.Caller == r.Caller && o.Role == r.Role && o.RequestID == r.RequestID
	})
	if len(same) > 0 {
		return lease.Created{Record: same[0], Repeated: same[0].ID != r.ID}, nil
	}
	if m.rows[r.ID] != nil {
		return lease.Created{}, lease.ErrConflict
	}
	for i := range d.With {
		if err := m.refused(&d.With[i]); err != nil {
			return lease.Created{}, err
		}
	}
	if err := m.limited(&d, r); err != nil {
		return lease.Created{}, err
	}
	row := &modelRow{record: r}
	if d.Owner != "" {
		row.fence, row.owner = 1, d.Owner
	}
	m.rows[r.ID] = row
	m.event(lease.EventCreated, r)
	r.Fence = row.fence
	created := lease.Created{Record: r}
	for _, c := range d.With {
		created.With = append(created.With, m.change(c))
	}
	return created, nil
}

func (m *Model) limited(d *lease.Draft, r lease.Record) error {
	live := func(o *lease.Record) bool { return !o.State.Final() }
	inRole := m.all(func(o *lease.Record) bool { return live(o) && o.Role == r.Role && o.Credential == o.ID })
	if r.Credential == r.ID && len(inRole) >= d.Limits.RoleLive {
		return &lease.LimitError{Limit: lease.RoleLive, Max: d.Limits.RoleLive}
	}
	if r.Caller == "" {
		return nil
	}
	if n := len(m.all(func(o *lease.Record) bool { return live(o) && o.Caller == r.Caller })); n >= d.Limits.CallerLive {
		return &lease.LimitError{Limit: lease.CallerLive, Max: d.Limits.CallerLive}
	}
	window, most := d.Limits.MintWindow, d.Limits.CallerMints
	made := m.all(func(o *lease.Record) bool {
		at, _ := lease.IDTime(o.ID)
		return o.Caller == r.Caller && at.After(r.Created.Add(-window))
	})
	if len(made) >= most {
		e := &lease.LimitError{Limit: lease.CallerMints, Max: most}
		if most > 0 {
			at, _ := lease.IDTime(made[len(made)-most].ID)
			e.RetryAt = at.Add(window)
		}
		return e
	}
	return nil
}

func (m *Model) refused(c *lease.Change) error {
	r := m.rows[c.Record.ID]
	switch {
	case r == nil:
		return lease.ErrNotFound
	case c.Term > 0 && c.Term < m.term, c.Record.Fence > 0 && c.Record.Fence != r.fence:
		return lease.ErrFenced
	case c.Record.Fence == 0 && r.owner != "":
		return lease.ErrClaimed
	case c.Record.Version != r.record.Version:
		return lease.ErrConflict
	case !r.record.State.May(c.Record.State):
		return lease.ErrTransition
	case c.Record.Caller != r.record.Caller || c.Record.Holder != r.record.Holder || c.Record.Role != r.record.Role || c.Record.RequestID != r.record.RequestID:
		return lease.ErrImmutable
	case !c.Record.SecretUntil.IsZero() && c.Secret.IsZero() && r.secret.IsZero():
		return lease.ErrNoSecret
	}
	return nil
}

func (m *Model) change(c lease.Change) lease.Record {
	r := m.rows[c.Record.ID]
	after := c.Record.Normal()
	after.Version++
	fence := after.Fence
	after.Fence = 0
	r.record = after
	if c.Release {
		r.owner, fence = "", 0
	}
	if !c.Secret.IsZero() {
		r.secret = c.Secret
	}
	if after.SecretUntil.IsZero() {
		r.secret = lease.Secret{}
	}
	m.event(c.Kind, after)
	after.Fence = fence
	return after
}

// Update is that of [lease.Ledger].
func (m *Model) Update(changes ...lease.Change) ([]lease.Record, error) {
	for i := range changes {
		if err := m.refused(&changes[i]); err != nil {
			return nil, err
		}
	}
	var records []lease.Record
	for _, c := range changes {
		records = append(records, m.change(c))
	}
	return records, nil
}

// Claim is that of [lease.Ledger].
func (m *Model) Claim(id, owner string) (lease.Record, error) {
	r := m.rows[id]
	switch {
	case r == nil:
		return lease.Record{}, lease.ErrNotFound
	case r.owner != "" && r.owner != owner:
		return lease.Record{}, lease.ErrClaimed
	case r.owner == "":
		r.fence++
	}
	r.owner = owner
	record := r.record
	record.Fence = r.fence
	return record, nil
}

// Release is that of [lease.Ledger].
func (m *Model) Release(id string, fence uint64) {
	if r := m.rows[id]; r != nil && r.fence == fence {
		r.owner = ""
	}
}

// Forget is that of [lease.Ledger].
func (m *Model) Forget(id string, version uint64) error {
	r := m.rows[id]
	switch {
	case r == nil:
		return nil
	case r.owner != "":
		return lease.ErrClaimed
	case r.record.Version != version:
		return lease.ErrConflict
	case !r.record.State.Final():
		return lease.ErrTransition
	}
	delete(m.rows, id)
	return nil
}

// Secret is that of [lease.Ledger].
func (m *Model) Secret(id string) (lease.Secret, error) {
	r := m.rows[id]
	switch {
	case r == nil:
		return lease.Secret{}, lease.ErrNotFound
	case r.secret.IsZero():
		return lease.Secret{}, lease.ErrNoSecret
	}
	return r.secret, nil
}

// Lead is that of [lease.Ledger], and returns the number of the term.
func (m *Model) Lead(replica string) (uint64, error) {
	switch {
	case m.leader != "" && m.leader != replica:
		return 0, lease.ErrClaimed
	case m.leader == "":
		m.term++
	}
	m.leader = replica
	return m.term, nil
}

// List returns all that a query selects.
func (m *Model) List(q lease.Query) []lease.Record {
	return m.all(func(r *lease.Record) bool {
		return (q.Role == "" || q.Role == r.Role) && (q.Caller == "" || q.Caller == r.Caller) &&
			(q.Holder == "" || q.Holder == r.Holder) && q.Rows.Have(r.IsCredential()) &&
			(q.APIKeyID == "" || q.APIKeyID == r.APIKeyID && r.IsCredential() && r.State.Live()) &&
			(q.ServiceAccountID == "" || q.ServiceAccountID == r.ServiceAccountID && r.IsCredential() && r.State.Live()) &&
			(len(q.States) == 0 || slices.Contains(q.States, r.State))
	})
}

// Due returns the ids of all that is due, with when, and when something is due next.
func (m *Model) Due(kind lease.DueKind, now time.Time) (due []string, next time.Time) {
	for id, r := range m.rows {
		for _, d := range r.record.Dues() {
			switch {
			case d.Kind != kind:
			case !d.At.After(now):
				due = append(due, fmt.Sprintf("%015d %s", d.At.UnixMilli(), id))
			case next.IsZero() || d.At.Before(next):
				next = d.At
			}
		}
	}
	slices.Sort(due)
	for i := range due {
		due[i] = due[i][len(due[i])-lease.IDLength:]
	}
	return due, next
}

// Counts is that of [lease.Ledger].
func (m *Model) Counts() []lease.Count {
	var counts []lease.Count
	for _, r := range m.all(func(*lease.Record) bool { return true }) {
		i := slices.IndexFunc(counts, func(c lease.Count) bool {
			return c.Role == r.Role && c.State == r.State && c.Credentials == r.IsCredential()
		})
		if i < 0 {
			i, counts = len(counts), append(counts, lease.Count{Role: r.Role, State: r.State, Credentials: r.IsCredential()})
		}
		counts[i].N++
	}
	slices.SortFunc(counts, lease.Count.Compare)
	return counts
}
