package ledgertest

import (
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// The leases of a benchmark.
const (
	benchLeases  = 100_000
	benchCallers = 1_000
)

// Bench measures a ledger with 100,000 live leases of 1,000 callers: a page of a
// caller's, a walk over all that is due, a transition, a create.
func Bench(b *testing.B, l lease.Ledger) {
	b.Helper()
	fill(b, l)
	b.Run("list by owner", func(b *testing.B) {
		took := make([]time.Duration, 0, 1024)
		for i := 0; b.Loop(); i++ {
			began := time.Now()
			page, err := l.List(b.Context(), lease.Query{
				Caller: "team-" + strconv.Itoa(i%benchCallers), States: []lease.State{lease.Active}, PageSize: 100,
			})
			if err != nil || len(page.Records) != benchLeases/benchCallers {
				b.Fatalf("%d, %v", len(page.Records), err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	})
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(float64(sweep(b, l))/1024, "peak-KiB")
		}
	})
	b.Run("transition", func(b *testing.B) {
		r := Advance(b, l, Create(b, l, NewDraft("transition"+lease.NewID(time.Now()))), lease.Issued, lease.Active)
		for b.Loop() {
			records, err := l.Update(b.Context(), lease.Change{Record: r, Kind: "renewed"})
			if err != nil {
				b.Fatal(err)
			}
			r = records[0]
		}
	})
	b.Run("transitions at once", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(p *testing.PB) {
			r := Advance(b, l, Create(b, l, NewDraft("parallel"+lease.NewID(time.Now()))), lease.Issued, lease.Active)
			for p.Next() {
				records, err := l.Update(b.Context(), lease.Change{Record: r, Kind: "renewed"})
				if err != nil {
					b.Error(err)
					return
				}
				r = records[0]
			}
		})
	})
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			Create(b, l, NewDraft(lease.NewID(time.Now())))
		}
	})
}

func fill(b *testing.B, l lease.Ledger) {
	b.Helper()
	batch := make([]lease.Record, 0, lease.MaxBatch)
	for i := range benchLeases {
		r := NewRecord(strconv.Itoa(i))
		r.Caller, r.State, r.Version = "team-"+strconv.Itoa(i%benchCallers), lease.Active, 1
		r.Holder = "pod-" + strconv.Itoa(i)
		if batch = append(batch, r); len(batch) == lease.MaxBatch {
			if err := l.Import(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// sweep walks over all leases that are due, in batches of 100, and returns how many
// bytes the heap has at most beyond what it had before.
func sweep(b *testing.B, l lease.Ledger) uint64 {
	b.Helper()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, peak, n := heap(), uint64(0), 0
	q := lease.DueQuery{Kind: lease.DueExpiry, Now: Begin().Add(24 * time.Hour), PageSize: 100}
	for {
		page, err := l.Due(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		if n += len(page.Records); n%10_000 == 0 {
			if now := heap(); now > before {
				peak = max(peak, now-before)
			}
		}
		if q.After = page.After; q.After == "" {
			break
		}
	}
	if n < benchLeases {
		b.Fatalf("%d are due", n)
	}
	return peak
}
