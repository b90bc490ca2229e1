package ledgertest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Random compares ledgers with a [Model] over operations in an order that rapid draws:
// they must give the same results and the same errors, and have the same leases.
func Random(t *testing.T, newSubject func(tb testing.TB) Subject) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		s := newSubject(t)
		r := &random{tb: t, subject: s, replicas: []lease.Ledger{s.Replica(t), s.Replica(t)}, model: NewModel(s.Events)}
		rt.Repeat(map[string]func(*rapid.T){
			"create": r.create, "create more": r.create, "step": r.step, "step more": r.step, "two at once": r.two,
			"edit": r.edit, "claim": r.claim, "release": r.release, "forget": r.forget, "lapse": r.lapse, "lead": r.lead,
			"": r.compare,
		})
		for _, l := range r.replicas {
			report, err := l.Check(t.Context())
			if err != nil || report.Found > 0 || report.Records != len(r.model.rows) {
				rt.Fatalf("check: %+v, %v, with %d leases", report, err, len(r.model.rows))
			}
		}
	})
}

type random struct {
	tb       testing.TB
	subject  Subject
	replicas []lease.Ledger
	model    *Model
	ids      []string
	terms    []uint64
}

func (r *random) any(t *rapid.T) lease.Ledger {
	return rapid.SampledFrom(r.replicas).Draw(t, "replica")
}

// record draws a lease that is there, or one that is not.
func (r *random) record(t *rapid.T) lease.Record {
	if len(r.ids) == 0 {
		t.Skip("there is no lease")
	}
	id := rapid.SampledFrom(r.ids).Draw(t, "lease")
	if row := r.model.rows[id]; row != nil {
		return row.record
	}
	gone := NewRecord("gone")
	gone.ID, gone.Credential, gone.Version = id, id, 1
	return gone
}

func (r *random) create(t *rapid.T) {
	d := NewDraft(rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}).Draw(t, "request"))
	at := Begin().Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "minute")) * time.Minute)
	d.Record.ID, d.Record.Created = lease.NewID(at), at
	d.Record.Credential = d.Record.ID
	d.Record.Caller = rapid.SampledFrom([]string{Caller, "team-search-2", ""}).Draw(t, "caller")
	d.Record.Role = rapid.SampledFrom([]string{Role, "a"}).Draw(t, "role")
	d.Record.Holder = rapid.SampledFrom([]string{"", "pod-1", "pod-10"}).Draw(t, "holder")
	if rapid.IntRange(0, 4).Draw(t, "kind of draft") == 0 {
		d.Record.State = lease.Orphan
	}
	limit := rapid.SampledFrom([]int{lease.Unlimited, lease.Unlimited, 3, 1, 0})
	d.Limits = lease.Limits{
		RoleLive: limit.Draw(t, "role live"), CallerLive: limit.Draw(t, "caller live"),
		CallerMints: limit.Draw(t, "caller mints"), MintWindow: 3 * time.Minute,
	}
	if rapid.Bool().Draw(t, "claimed") {
		d.Owner, d.ClaimLife = "creator", lease.MaxClaim
	}
	if rapid.IntRange(0, 3).Draw(t, "with") == 0 && len(r.ids) > 0 {
		d.With = []lease.Change{r.change(t)}
	}
	got, err := r.any(t).Create(r.tb.Context(), d)
	want, wantErr := r.model.Create(d)
	same(t, "create", got, want, err, wantErr)
	if err == nil && !got.Repeated {
		r.ids = append(r.ids, got.Record.ID)
	}
}

// change draws a change, right or wrong.
func (r *random) change(t *rapid.T) lease.Change {
	record := r.record(t)
	next := rapid.SampledFrom(lease.States()).Draw(t, "next")
	if record.State.Valid() && rapid.IntRange(0, 4).Draw(t, "likely") > 0 {
		var follow []lease.State
		for _, s := range lease.States() {
			if record.State.May(s) {
				follow = append(follow, s)
			}
		}
		if len(follow) > 0 {
			next = rapid.SampledFrom(follow).Draw(t, "follows")
		}
	}
	c := lease.Change{Record: record, Kind: lease.EventKind(next.String())}
	c.Record.State = next
	c.Record.Ended, c.Record.ForgetAt = time.Time{}, time.Time{}
	if next.Final() {
		c.Record.Ended, c.Record.SecretUntil = Begin().Add(time.Hour), time.Time{}
		c.Record.ForgetAt = Begin().Add(time.Duration(rapid.IntRange(1, 48).Draw(t, "forget")) * time.Hour)
	} else {
		r.edited(t, &c)
	}
	if fence := r.fence(t, record.ID); fence > 0 {
		c.Record.Fence = fence
	}
	if len(r.terms) > 0 && rapid.IntRange(0, 3).Draw(t, "led") == 0 {
		c.Term = rapid.SampledFrom(r.terms).Draw(t, "term")
	}
	if rapid.IntRange(0, 9).Draw(t, "stale") == 0 && c.Record.Version > 1 {
		c.Record.Version--
	}
	if rapid.IntRange(0, 19).Draw(t, "stolen") == 0 {
		c.Record.Caller = "thief"
	}
	c.Release = rapid.Bool().Draw(t, "release")
	return c
}

// edited draws what else changes: times, attempts, the secret.
func (r *random) edited(t *rapid.T, c *lease.Change) {
	minutes := func(name string) time.Time {
		return Begin().Add(time.Duration(rapid.IntRange(1, 20).Draw(t, name)) * time.Minute)
	}
	switch rapid.IntRange(0, 6).Draw(t, "edit") {
	case 6:
		c.Record.APIKeyID, c.Record.ServiceAccountID = "key_"+c.Record.ID, rapid.SampledFrom([]string{"svc_search", "svc_other"}).Draw(t, "account")
	case 0:
		c.Record.SecretUntil, c.Secret = minutes("secret until"), SecretOf(c.Record.ID)
	case 1:
		c.Record.SecretUntil = minutes("secret until") // There may be none.
	case 2:
		c.Record.SecretUntil = time.Time{}
	case 3:
		c.Record.NextAttempt, c.Record.Attempts = minutes("next attempt"), c.Record.Attempts+1
	case 4:
		c.Record.Urgent = !c.Record.Urgent
	default:
		c.Record.Expires = minutes("expires")
	}
}

// fence draws the number of a claim of the lease: the right one, another one or none.
func (r *random) fence(t *rapid.T, id string) uint64 {
	row := r.model.rows[id]
	if row == nil || row.owner == "" && rapid.Bool().Draw(t, "unclaimed") {
		return 0
	}
	if rapid.IntRange(0, 4).Draw(t, "fence") > 0 {
		return row.fence
	}
	return uint64(rapid.IntRange(0, 5).Draw(t, "any fence"))
}

func (r *random) step(t *rapid.T) { r.update(t, r.change(t)) }

func (r *random) edit(t *rapid.T) {
	record := r.record(t)
	if record.State.Final() {
		t.Skip("it has ended")
	}
	c := lease.Change{Record: record, Kind: "edited"}
	r.edited(t, &c)
	c.Record.Fence = r.fence(t, record.ID)
	r.update(t, c)
}

func (r *random) two(t *rapid.T) {
	a, b := r.change(t), r.change(t)
	if a.Record.ID == b.Record.ID {
		t.Skip("they are the same")
	}
	r.update(t, a, b)
}

func (r *random) update(t *rapid.T, changes ...lease.Change) {
	got, err := r.any(t).Update(r.tb.Context(), changes...)
	want, wantErr := r.model.Update(changes...)
	same(t, "update", got, want, err, wantErr)
}

func (r *random) claim(t *rapid.T) {
	id := r.record(t).ID
	owner := rapid.SampledFrom([]string{"worker-1", "worker-2"}).Draw(t, "owner")
	got, err := r.any(t).Claim(r.tb.Context(), id, owner, lease.MaxClaim)
	want, wantErr := r.model.Claim(id, owner)
	same(t, "claim", got, want, err, wantErr)
}

func (r *random) release(t *rapid.T) {
	id := r.record(t).ID
	fence := r.fence(t, id)
	if err := r.any(t).Release(r.tb.Context(), id, fence); err != nil {
		t.Fatal(err)
	}
	r.model.Release(id, fence)
}

func (r *random) forget(t *rapid.T) {
	record := r.record(t)
	version := record.Version - uint64(rapid.IntRange(0, 9).Draw(t, "stale")/9)
	err := r.any(t).Forget(r.tb.Context(), record.ID, version)
	same(t, "forget", 0, 0, err, r.model.Forget(record.ID, version))
}

func (r *random) lapse(*rapid.T) {
	r.subject.Lapse(r.tb)
	r.model.Lapse()
}

func (r *random) lead(t *rapid.T) {
	replica := rapid.SampledFrom([]string{"gw-1", "gw-2"}).Draw(t, "who")
	got, err := r.any(t).Lead(r.tb.Context(), replica, lease.MaxClaim)
	want, wantErr := r.model.Lead(replica)
	same(t, "lead", got.Fence, want, err, wantErr)
	if err == nil {
		r.terms = append(r.terms, want)
	}
}

func same[T any](t *rapid.T, what string, got, want T, err, wantErr error) {
	if Kind(err) != Kind(wantErr) {
		t.Fatalf("%s: %q, want %q", what, Kind(err), Kind(wantErr))
	}
	if diff := cmp.Diff(want, got); wantErr == nil && diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// compare compares all that can be read.
func (r *random) compare(t *rapid.T) {
	ctx, l := r.tb.Context(), r.any(t)
	q := lease.Query{
		Role: rapid.SampledFrom([]string{"", Role, "a"}).Draw(t, "list role"), Caller: rapid.SampledFrom([]string{"", Caller}).Draw(t, "list caller"),
		Holder: rapid.SampledFrom([]string{"", "pod-1"}).Draw(t, "list holder"), PageSize: rapid.IntRange(1, 4).Draw(t, "page size"),
		States: slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom(lease.States()), 0, 3).Draw(t, "states")))),
		Rows:   rapid.SampledFrom([]lease.Rows{lease.AnyRows, lease.LeaseRows, lease.CredentialRows}).Draw(t, "rows"),
	}
	if rapid.IntRange(0, 3).Draw(t, "by id") == 0 && len(r.ids) > 0 {
		q.APIKeyID = "key_" + rapid.SampledFrom(r.ids).Draw(t, "key")
		q.ServiceAccountID = rapid.SampledFrom([]string{"", "svc_search"}).Draw(t, "account")
	}
	want := r.model.List(q)
	same(t, "list", All(r.tb, l, q), want, nil, nil)
	kind := rapid.SampledFrom(lease.DueKinds()).Draw(t, "due kind")
	now := Begin().Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "now")) * time.Minute)
	due, next := AllDue(r.tb, l, lease.DueQuery{Kind: kind, Now: now, PageSize: q.PageSize})
	wantDue, wantNext := r.model.Due(kind, now)
	same(t, "due", due, wantDue, nil, nil)
	same(t, "due next", next, wantNext, nil, nil)
	counts, err := l.Counts(ctx)
	same(t, "counts", counts, r.model.Counts(), err, nil)
	for _, id := range r.ids {
		got, err := l.Secret(ctx, id)
		want, wantErr := r.model.Secret(id)
		same(t, "secret", got.Reveal(), want.Reveal(), err, wantErr)
	}
	r.compareEvents(t, l)
}

func (r *random) compareEvents(t *rapid.T, l lease.Ledger) {
	after := r.model.seq - uint64(min(int(r.model.seq), rapid.IntRange(0, 12).Draw(t, "events")))
	page, err := l.Events(r.tb.Context(), lease.EventQuery{After: after, PageSize: lease.MaxPage})
	var want []lease.Event
	for _, e := range r.model.events {
		if e.Sequence > after {
			want = append(want, e)
		}
	}
	var wantErr error
	if uint64(len(want)) != r.model.seq-after {
		wantErr = &lease.LateError{First: r.model.events[0].Sequence, Last: r.model.seq}
	}
	for i := range page.Events {
		page.Events[i].At = time.Time{}
	}
	same(t, "events", page.Events, want, err, wantErr)
}

// All walks a list to its end.
func All(tb testing.TB, l lease.Ledger, q lease.Query) []lease.Record {
	tb.Helper()
	var all []lease.Record
	for {
		page, err := l.List(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page.Records) > q.PageSize {
			tb.Fatalf("a page of %d has %d leases", q.PageSize, len(page.Records))
		}
		all = append(all, page.Records...)
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return all
		}
	}
}

// AllDue walks what is due to its end, and returns ids and when there is more.
func AllDue(tb testing.TB, l lease.Ledger, q lease.DueQuery) (ids []string, next time.Time) {
	tb.Helper()
	for {
		page, err := l.Due(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
		if q.After = page.After; q.After == "" {
			return ids, page.Next
		}
	}
}
