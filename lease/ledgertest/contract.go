package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Contract is what every ledger must do.
func Contract(t *testing.T, newSubject func(tb testing.TB) Subject) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"a life", contractLife},
		{"one lease a request", contractOneLease},
		{"limits hold for all at once", contractLimits},
		{"mints have a window", contractMints},
		{"one change a version", contractVersions},
		{"one claim at a time", contractClaims},
		{"an old fence writes nothing", contractFences},
		{"one leader at a time", contractLeader},
		{"a seat is taken with the lease, or not", contractSeats},
		{"a change of several leases is whole", contractWhole},
		{"secrets are for one lease", contractSecrets},
		{"events are in order, and late readers are told", contractEvents},
		{"an export comes back", contractExport},
		{"accounts are kept by name", contractAccounts},
		{"one change a version of a document", contractDocuments},
		{"what is refused", contractRefused},
		{"a context that has ended", contractContext},
		{"many at once", contractMany},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSubject(t)
			test.run(t, s)
			Sound(t, s.Replica(t))
		})
	}
}

// Sound fails the test if the ledger does not agree with itself, and returns how many
// leases it has.
func Sound(tb testing.TB, l lease.Ledger) int {
	tb.Helper()
	report, err := l.Check(tb.Context())
	if err != nil || report.Found > 0 {
		tb.Fatalf("check: %v, %d problems: %q", err, report.Found, report.Problems)
	}
	return report.Records
}

func want(tb testing.TB, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Fatalf("got %v, want %v", err, target)
	}
}

// Create creates a lease.
func Create(tb testing.TB, l lease.Ledger, d lease.Draft) lease.Record {
	tb.Helper()
	created, err := l.Create(tb.Context(), d)
	if err != nil || created.Repeated {
		tb.Fatalf("create: %v, repeated: %v", err, created.Repeated)
	}
	return created.Record
}

// Advance brings a lease through states.
func Advance(tb testing.TB, l lease.Ledger, r lease.Record, states ...lease.State) lease.Record {
	tb.Helper()
	for _, next := range states {
		records, err := l.Update(tb.Context(), Step(tb, r, next))
		if err != nil {
			tb.Fatalf("%v → %v: %v", r.State, next, err)
		}
		r = records[0]
	}
	return r
}

func contractLife(t *testing.T, s Subject) {
	l, other := s.Replica(t), s.Replica(t)
	r := Create(t, l, NewDraft("1"))
	for _, next := range []lease.State{lease.Issued, lease.Active, lease.Revoking, lease.Revoked} {
		r = Advance(t, l, r, next)
		got, err := other.Get(t.Context(), r.ID)
		if diff := cmp.Diff(r, got); err != nil || diff != "" || got.State != next {
			t.Fatalf("%v: %v, %s", next, err, diff)
		}
	}
	for _, next := range lease.States() { // An end stays.
		c := lease.Change{Record: r, Kind: "again"}
		if c.Record.State = next; !next.Final() {
			c.Record.Ended = time.Time{}
		}
		_, err := l.Update(t.Context(), c)
		want(t, err, lease.ErrTransition)
	}
	if err := l.Forget(t.Context(), r.ID, r.Version); err != nil {
		t.Fatal(err)
	}
	_, err := other.Get(t.Context(), r.ID)
	want(t, err, lease.ErrNotFound)
	Create(t, other, NewDraft("1")) // Its request is forgotten with it.
}

func contractOneLease(t *testing.T, s Subject) {
	replicas := []lease.Ledger{s.Replica(t), s.Replica(t)}
	var all sync.WaitGroup
	var first atomic.Int32
	ids := make([]string, 16)
	for i := range ids {
		all.Go(func() {
			created, err := replicas[i%2].Create(t.Context(), NewDraft("1"))
			if err != nil {
				t.Error(err)
			}
			if !created.Repeated {
				first.Add(1)
			}
			ids[i] = created.Record.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] || first.Load() != 1 {
			t.Fatalf("%d were first, and the leases are %q", first.Load(), ids)
		}
	}
	for name, spoil := range map[string]func(*lease.Record){
		"request": func(r *lease.Record) { r.RequestID = "2" },
		"caller":  func(r *lease.Record) { r.Caller = "team-other" },
		"role":    func(r *lease.Record) { r.Role = "other" },
	} {
		d := NewDraft("1")
		spoil(&d.Record)
		if created, err := replicas[0].Create(t.Context(), d); err != nil || created.Repeated {
			t.Errorf("another %s: repeated %v, %v", name, created.Repeated, err)
		}
	}
}

func contractLimits(t *testing.T, s Subject) {
	l, most := s.Replica(t), 5
	for name, limits := range map[lease.Limit]lease.Limits{
		lease.RoleLive:   {RoleLive: most, CallerLive: lease.Unlimited, CallerMints: lease.Unlimited},
		lease.CallerLive: {RoleLive: lease.Unlimited, CallerLive: most, CallerMints: lease.Unlimited},
	} {
		var all sync.WaitGroup
		var made, refused atomic.Int32
		var one atomic.Pointer[lease.Record]
		for i := range 4 * most {
			all.Go(func() {
				d := NewDraft(string(name) + strconv.Itoa(i))
				d.Record.Role, d.Limits = string(name), limits
				d.Record.Caller = string(name)
				created, err := l.Create(t.Context(), d)
				limit, limited := errors.AsType[*lease.LimitError](err)
				switch {
				case err == nil:
					made.Add(1)
					one.Store(&created.Record)
				case limited && limit.Limit == name && limit.Max == most:
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != int32(most) || refused.Load() != int32(3*most) {
			t.Fatalf("%s: %d made and %d refused", name, made.Load(), refused.Load())
		}
		// An end makes room, and nothing before it does.
		d := NewDraft(string(name) + "next")
		d.Record.Role, d.Record.Caller, d.Limits = string(name), string(name), limits
		r := Advance(t, l, *one.Load(), lease.Doubtful, lease.Revoking)
		if _, err := l.Create(t.Context(), d); err == nil {
			t.Fatalf("%s: a lease that is being revoked makes room", name)
		}
		Advance(t, l, r, lease.Revoked)
		Create(t, l, d)
	}
}

func contractMints(t *testing.T, s Subject) {
	l := s.Replica(t)
	create := func(request string, after time.Duration) error {
		d := NewDraft(request)
		d.Record.Created = Begin().Add(after)
		d.Record.ID = lease.NewID(d.Record.Created)
		d.Record.Credential = d.Record.ID
		d.Limits.CallerMints, d.Limits.MintWindow = 2, time.Hour
		created, err := l.Create(t.Context(), d)
		if err == nil { // What has ended counts, too.
			Advance(t, l, created.Record, lease.Aborted)
		}
		return err
	}
	for i, after := range []time.Duration{0, 10 * time.Minute} {
		if err := create(strconv.Itoa(i), after); err != nil {
			t.Fatal(err)
		}
	}
	limit, ok := errors.AsType[*lease.LimitError](create("2", 20*time.Minute))
	if !ok || limit.Limit != lease.CallerMints || !limit.RetryAt.Equal(Begin().Add(time.Hour)) {
		t.Fatalf("%+v", limit)
	}
	// RetryAt is true: a millisecond before it is too early, and then it is not.
	if err := create("2", time.Hour-time.Millisecond); err == nil {
		t.Fatal("it could have been retried earlier")
	}
	if err := create("2", time.Hour); err != nil {
		t.Fatal(err)
	}
}

func contractVersions(t *testing.T, s Subject) {
	replicas := []lease.Ledger{s.Replica(t), s.Replica(t)}
	r := Advance(t, replicas[0], Create(t, replicas[0], NewDraft("1")), lease.Issued)
	for range 3 {
		var all sync.WaitGroup
		var won atomic.Int32
		for i := range 8 {
			all.Go(func() {
				c := lease.Change{Record: r, Kind: "renewed"}
				c.Record.Attempts = i
				switch _, err := replicas[i%2].Update(t.Context(), c); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, lease.ErrConflict):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d changes of one version", won.Load())
		}
		var err error
		if r, err = replicas[1].Get(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if r.Version != 5 {
		t.Errorf("version %d", r.Version)
	}
	if secret, err := replicas[1].Secret(t.Context(), r.ID); err != nil || !bytes.Equal(secret.Reveal(), SecretOf(r.ID).Reveal()) {
		t.Errorf("the secret did not stay: %v", err)
	}
}

func contractWhole(t *testing.T, s Subject) {
	l := s.Replica(t)
	a, b := Create(t, l, NewDraft("1")), Create(t, l, NewDraft("2"))
	stale := b
	b = Advance(t, l, b, lease.Issued)
	_, err := l.Update(t.Context(), Step(t, a, lease.Issued), Step(t, stale, lease.Doubtful))
	want(t, err, lease.ErrConflict)
	if got, err := l.Get(t.Context(), a.ID); err != nil || got.State != lease.Intent {
		t.Fatalf("half of it was made: %v, %v", got.State, err)
	}
	if _, err := l.Update(t.Context(), Step(t, a, lease.Issued), Step(t, b, lease.Active)); err != nil {
		t.Fatal(err)
	}
}

func contractSecrets(t *testing.T, s Subject) {
	l, other := s.Replica(t), s.Replica(t)
	r := Create(t, l, NewDraft("1"))
	_, err := l.Secret(t.Context(), r.ID)
	want(t, err, lease.ErrNoSecret)
	_, err = l.Secret(t.Context(), lease.NewID(Begin()))
	want(t, err, lease.ErrNotFound)
	r = Advance(t, l, r, lease.Issued)
	if secret, err := other.Secret(t.Context(), r.ID); err != nil || !bytes.Equal(secret.Reveal(), SecretOf(r.ID).Reveal()) {
		t.Fatalf("%q, %v", secret.Reveal(), err)
	}
	if ids, _ := AllDue(t, l, lease.DueQuery{Kind: lease.DueSecret, Now: r.SecretUntil, PageSize: 1}); len(ids) != 1 {
		t.Errorf("%d secrets are to be erased", len(ids))
	}
	Advance(t, l, r, lease.Active)
	_, err = other.Secret(t.Context(), r.ID)
	want(t, err, lease.ErrNoSecret)
	if ids, _ := AllDue(t, l, lease.DueQuery{Kind: lease.DueSecret, Now: r.SecretUntil, PageSize: 1}); len(ids) != 0 {
		t.Errorf("%d secrets are to be erased", len(ids))
	}
}

func contractEvents(t *testing.T, s Subject) {
	l := s.Replica(t)
	if page, err := l.Events(t.Context(), lease.EventQuery{PageSize: 1}); err != nil || len(page.Events) > 0 || page.Last != 0 {
		t.Fatalf("%+v, %v", page, err)
	}
	for i := range s.Events + 2 {
		d := NewDraft(strconv.Itoa(i))
		if i%2 == 1 {
			d.Record.Role = "odd"
		}
		Create(t, l, d)
	}
	for _, after := range []uint64{0, 1, uint64(s.Events) + 3} {
		_, err := l.Events(t.Context(), lease.EventQuery{After: after, PageSize: 10})
		late, ok := errors.AsType[*lease.LateError](err)
		if !ok || !errors.Is(err, lease.ErrLate) || late.First != 3 || late.Last != uint64(s.Events)+2 {
			t.Errorf("after %d: %v", after, err)
		}
	}
	seen := uint64(2)
	for seen < uint64(s.Events)+2 {
		page, err := l.Events(t.Context(), lease.EventQuery{After: seen, Role: "odd", PageSize: 3})
		if err != nil || page.Last <= seen {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, e := range page.Events {
			if e.Record.Role != "odd" || e.Sequence%2 != 0 || e.Sequence <= seen || e.Sequence > page.Last || e.Kind != lease.EventCreated || e.At.IsZero() {
				t.Errorf("after %d: %+v", seen, e)
			}
		}
		seen = page.Last
	}
	if info, err := l.Info(t.Context()); err != nil || info.Sequence != seen || info.Epoch == "" || info.Schema < 1 {
		t.Errorf("%+v, %v", info, err)
	}
}

func contractExport(t *testing.T, s Subject) {
	l := s.Replica(t)
	for i := range 7 {
		r := Create(t, l, NewDraft(strconv.Itoa(i)))
		if i%2 == 0 {
			Advance(t, l, r, lease.Issued, lease.Revoking)
		}
	}
	before := All(t, l, lease.Query{PageSize: lease.MaxPage})
	var out bytes.Buffer
	if n, err := lease.Export(t.Context(), l, &out); err != nil || n != 7 {
		t.Fatalf("%d, %v", n, err)
	}
	if bytes.Contains(out.Bytes(), []byte("sk-of-")) {
		t.Error("there is a secret in the export")
	}
	_, err := lease.Import(t.Context(), l, bytes.NewReader(out.Bytes()))
	want(t, err, lease.ErrConflict)
	for i, r := range before { // Empty it.
		ended := Advance(t, l, r, map[lease.State]lease.State{lease.Intent: lease.Aborted, lease.Revoking: lease.Revoked}[r.State])
		if err := l.Forget(t.Context(), ended.ID, ended.Version); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if n, err := lease.Import(t.Context(), l, bytes.NewReader(out.Bytes())); err != nil || n != 7 {
		t.Fatalf("%d, %v", n, err)
	}
	for i := range before {
		before[i].SecretUntil = time.Time{}
	}
	if diff := cmp.Diff(before, All(t, l, lease.Query{PageSize: 2})); diff != "" {
		t.Error(diff)
	}
}

func contractRefused(t *testing.T, s Subject) {
	l := s.Replica(t)
	r := Create(t, l, NewDraft("1"))
	active := NewDraft("2")
	active.Record.State = lease.Active
	_, err := l.Create(t.Context(), active)
	want(t, err, lease.ErrTransition)
	stolen := Step(t, r, lease.Issued)
	stolen.Record.Caller = "thief"
	_, err = l.Update(t.Context(), stolen)
	want(t, err, lease.ErrImmutable)
	for name, try := range map[string]func() error{
		"a record without a caller's request": func() error { _, err := l.Create(t.Context(), NewDraft("")); return err },
		"a window without a length": func() error {
			d := NewDraft("3")
			d.Limits.CallerMints = 1
			_, err := l.Create(t.Context(), d)
			return err
		},
		"a claim without an end": func() error { _, err := l.Claim(t.Context(), r.ID, "me", 2*lease.MaxClaim); return err },
		"a claim of nobody":      func() error { _, err := l.Claim(t.Context(), r.ID, "", time.Second); return err },
		"a page without a size":  func() error { _, err := l.List(t.Context(), lease.Query{}); return err },
		"a page too large":       func() error { _, err := l.List(t.Context(), lease.Query{PageSize: lease.MaxPage + 1}); return err },
		"a token of nothing":     func() error { _, err := l.List(t.Context(), lease.Query{PageSize: 1, PageToken: "x"}); return err },
		"a kind of nothing":      func() error { _, err := l.Due(t.Context(), lease.DueQuery{Kind: 'x', PageSize: 1}); return err },
		"one lease twice": func() error {
			_, err := l.Update(t.Context(), Step(t, r, lease.Issued), Step(t, r, lease.Issued))
			return err
		},
		"a secret for ever": func() error {
			c := Step(t, r, lease.Issued)
			c.Record.SecretUntil = time.Time{}
			_, err := l.Update(t.Context(), c)
			return err
		},
	} {
		if err := try(); !errors.Is(err, lease.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func contractContext(t *testing.T, s Subject) {
	l := s.Replica(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, createErr := l.Create(ctx, NewDraft("1"))
	_, getErr := l.Get(ctx, lease.NewID(Begin()))
	_, listErr := l.List(ctx, lease.Query{PageSize: 1})
	for _, err := range []error{createErr, getErr, listErr} {
		want(t, err, context.Canceled)
	}
	if n := Sound(t, l); n != 0 {
		t.Errorf("%d leases", n)
	}
}
