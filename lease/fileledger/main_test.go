package fileledger

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

const testEvents = 8

func open(tb testing.TB, o Options) *Ledger {
	tb.Helper()
	l, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

func newSubject(tb testing.TB) ledgertest.Subject {
	tb.Helper()
	clock := timetest.NewClock()
	l := open(tb, Options{Path: filepath.Join(tb.TempDir(), "leases.db"), Events: testEvents, Now: clock.Now})
	return ledgertest.Subject{
		Replica: func(testing.TB) lease.Ledger { return l },
		Lapse:   func(testing.TB) { clock.Advance(lease.MaxClaim + time.Millisecond) },
		Events:  testEvents,
	}
}

func TestFileRandom(t *testing.T) {
	t.Parallel()
	ledgertest.Random(t, newSubject)
}

func TestFileContract(t *testing.T) {
	t.Parallel()
	ledgertest.Contract(t, newSubject)
}
