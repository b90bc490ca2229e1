package outcome

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

const shareOwners = 4 // As many as there are shares.

// sharing is a store that owners share, and for each owner a store as large as a
// share.
type sharing struct {
	tb     testing.TB
	clock  *timetest.Clock
	shared *Memory
	alone  [shareOwners]*Memory
	claims []sharedClaim
	taken  map[string]bool // keys of claims
}

// sharedClaim is the same operation in both.
type sharedClaim struct {
	name          string
	shared, alone Claim
}

func newSharing(tb testing.TB, count int) *sharing {
	tb.Helper()
	s := &sharing{tb: tb, clock: timetest.NewClock(), taken: map[string]bool{}}
	open := func(o MemoryOptions) *Memory {
		o.Life, o.Now = testLife, s.clock.Now
		m, err := NewMemory(o)
		if err != nil {
			tb.Fatal(err)
		}
		return m
	}
	s.shared = open(MemoryOptions{MaxBytes: shareOwners * MinMemory, MaxCount: shareOwners * count})
	for i := range s.alone {
		s.alone[i] = open(MemoryOptions{MaxBytes: MinMemory, MaxCount: count, Share: 1})
	}
	return s
}

// begin begins some keys of an owner that are not claimed.
func (s *sharing) begin(t *rapid.T) {
	s.forget()
	owner := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "owner")
	first, many := rapid.IntRange(0, 40).Draw(t, "key"), rapid.IntRange(1, 10).Draw(t, "keys")
	for number := range many {
		if name := fmt.Sprint(owner, " ", first+number); !s.taken[name] {
			s.beginOne(t, owner, name)
		}
	}
}

func (s *sharing) beginOne(t *rapid.T, owner int, name string) {
	key := Key{Key: cache.Key{Org: "org_1", Canonical: name}, Owner: fmt.Sprint("owner ", owner)}
	shared, err := s.shared.Begin(s.tb.Context(), key, fingerprint(1), testLease)
	alone, aloneErr := s.alone[owner].Begin(s.tb.Context(), key, fingerprint(1), testLease)
	switch {
	case (errors.Is(err, ErrOwnerFull) || errors.Is(err, ErrFull)) && errors.Is(aloneErr, ErrFull):
		// If all shares are used, the store is full.
	case err != nil || aloneErr != nil:
		t.Fatalf("%v, and alone %v", err, aloneErr)
	case shared.State != alone.State || string(shared.Body) != string(alone.Body):
		t.Fatalf("got state %d, and alone %d", shared.State, alone.State)
	case shared.State == Claimed:
		s.claims = append(s.claims, sharedClaim{name, shared.Claim, alone.Claim})
		s.taken[name] = true
	}
}

// forget removes expired records of all stores. Begin does so too, but not at the same
// moment in all of them.
func (s *sharing) forget() {
	for _, m := range append(s.alone[:], s.shared) {
		m.mu.Lock()
		m.forget(s.clock.Now())
		m.mu.Unlock()
	}
}

// claim draws a claim to end.
func (s *sharing) claim(t *rapid.T) sharedClaim {
	if len(s.claims) == 0 {
		t.Skip("there is no claim")
	}
	i := rapid.IntRange(0, len(s.claims)-1).Draw(t, "claim")
	c := s.claims[i]
	s.claims = slices.Delete(s.claims, i, i+1)
	delete(s.taken, c.name)
	return c
}

func (s *sharing) finish(t *rapid.T) {
	c := s.claim(t)
	body := []byte(strings.Repeat("x", rapid.SampledFrom([]int{0, 500, MaxBodyBytes}).Draw(t, "bytes")))
	if err, alone := c.shared.Finish(s.tb.Context(), body), c.alone.Finish(s.tb.Context(), body); !errors.Is(err, alone) {
		t.Fatalf("Finish: %v, and alone %v", err, alone)
	}
}

func (s *sharing) abandon(t *rapid.T) {
	c := s.claim(t)
	if err := errors.Join(c.shared.Abandon(s.tb.Context()), c.alone.Abandon(s.tb.Context())); err != nil {
		t.Fatal(err)
	}
}

func (s *sharing) wait(t *rapid.T) {
	s.clock.Advance(time.Duration(rapid.IntRange(1, int(testLife/time.Second)/3).Draw(t, "seconds")) * time.Second)
}

// check verifies the accounts, and that no owner uses more than a share.
func (s *sharing) check(t *rapid.T) {
	m := s.shared
	m.mu.Lock()
	defer m.mu.Unlock()
	bytes, count := map[*ownerUsage]int64{}, map[*ownerUsage]int{}
	all := int64(0)
	for _, o := range m.named {
		bytes[o.owner] += o.weight
		count[o.owner]++
		all += o.weight
	}
	if all != m.bytes || len(m.owners) != len(bytes) || all > m.options.MaxBytes {
		t.Fatalf("%d bytes of %d owners are said to be %d of %d", all, len(bytes), m.bytes, len(m.owners))
	}
	for name, owner := range m.owners {
		if owner.name != name || owner.bytes != bytes[owner] || owner.count != count[owner] ||
			owner.bytes > m.options.MaxBytes/shareOwners || owner.count > m.options.MaxCount/shareOwners {
			t.Fatalf("an owner of %d with %d bytes is said to have %d with %d", count[owner], bytes[owner], owner.count, owner.bytes)
		}
	}
}

// TestOutcomesShares: while all shares fit into the store, an owner gets the results
// that it would get alone in a store of the size of its share.
func TestOutcomesShares(t *testing.T) {
	t.Parallel()
	for name, count := range map[string]int{"bytes": 1000, "count": 6} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				s := newSharing(t, count)
				rt.Repeat(map[string]func(*rapid.T){
					"begin": s.begin, "begin too": s.begin, "begin again": s.begin, "finish": s.finish, "abandon": s.abandon, "wait": s.wait, "": s.check,
				})
			})
		})
	}
}

// TestOutcomesOfManyOwners: if the shares do not all fit, a full store refuses every
// owner, and the first outcome of an owner needs no share.
func TestOutcomesOfManyOwners(t *testing.T) {
	t.Parallel()
	m, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Share: 1e-9})
	if err != nil {
		t.Fatal(err)
	}
	begin := func(owner, name string) error {
		_, err := m.Begin(t.Context(), Key{Key: cache.Key{Org: "org_1", Canonical: owner + name}, Owner: owner}, fingerprint(1), testLease)
		return err
	}
	owners := int(MinMemory / reserved)
	for i := range owners {
		owner := fmt.Sprint(i)
		if err := begin(owner, "first"); err != nil {
			t.Fatal(err)
		}
		want := ErrOwnerFull
		if i == owners-1 {
			want = ErrFull
		}
		if err := begin(owner, "second"); !errors.Is(err, want) {
			t.Errorf("the second of owner %d: %v", i, err)
		}
	}
	if err := begin("one too many", "first"); !errors.Is(err, ErrFull) {
		t.Errorf("beyond the room: %v", err)
	}
}
