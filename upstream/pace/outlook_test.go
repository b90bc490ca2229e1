package pace

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutlookIsWhatComes: the revocations that wait have gone when the outlook says.
func TestOutlookIsWhatComes(t *testing.T) {
	for name, bucket := range map[string]string{"a bucket of their own": "create", "with mints": "delete"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s := newPacer(t, Options{Organization: roomy, Default: Limit{7, 1}, MintShare: 0.2}), newScript(t)
				grant := drain(t, p, "delete")
				p.Limited(t.Context(), grant, 90*time.Second) // The rate is 4.9 now.
				for i := range 30 {
					s.wait(as(t.Context(), fmt.Sprint("team", i), Mint), p, bucket, "M")
				}
				for i := range 20 {
					s.wait(as(t.Context(), fmt.Sprint("owner", i%4), []Class{Revocation, Urgent}[i%2]), p, "delete", "D")
				}
				before := p.Outlook("delete")
				want := 4.9 / 1.025
				if bucket == "delete" {
					want *= 0.8
				}
				if before.Waiting != 20 || math.Abs(before.PerMinute-want) > 0.01 {
					t.Errorf("%+v, want %g a minute", before, want)
				}
				for left := 20; left > 0; {
					if got := <-s.results; got.name == "D" {
						left--
					}
				}
				took, said := time.Since(before.ClearBy), time.Duration(20/want*float64(time.Minute))
				if took > said/10 || took < -said/5 {
					t.Errorf("they had gone %s after the outlook", took)
				}
				p.Close()
			})
		})
	}
}

// TestOutlookChangesNothing: a bucket that was never used has its configured rate, and is
// not made by the question; the organization's rate bounds it.
func TestOutlookChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: Limit{3, 1}, Default: Limit{7, 1}})
		if o := p.Outlook("delete"); o.Waiting != 0 || !o.ClearBy.Equal(time.Now()) || math.Abs(o.PerMinute-3/1.025) > 0.01 {
			t.Errorf("%+v", o)
		}
		if n := len(p.Snapshot(t.Context())); n != 1 {
			t.Errorf("%d buckets", n)
		}
	})
}
