//go:build unix

package leases

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// tenants is how many ask for leases at a time.
const tenants = 12

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("$%s: %v", name, err)
	}
	return n
}

// TestKills: gateways are killed wherever a seed says, and in the end no key outlives its
// lease. LEASES_KILLS has more of them killed than the few of an ordinary test, and what
// they have begun is waited for then.
func TestKills(t *testing.T) {
	t.Parallel()
	kills, calm := number(t, "LEASES_KILLS", 0), Settled
	if kills == 0 {
		kills, calm = 14, Revoked
	}
	seed := uint64(number(t, "LEASES_SEED", 0))
	if os.Getenv("LEASES_KILLS") == "" && seed == 0 {
		seed = 15
	}
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	for _, ledger := range []Ledger{File, Redis} {
		t.Run(string(ledger), func(t *testing.T) {
			t.Parallel()
			if ledger == Redis {
				needsRedis(t)
			}
			found, err := Play{
				House: HouseOptions{Programs: all, Folder: shortFolder(t), Ledger: ledger},
				Seed:  seed, Points: Points(seed, kills), Tenants: tenants, Calm: calm, Log: t.Logf,
			}.Run(t.Context())
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, v := range found {
				t.Errorf("seed %d: %s", seed, v)
			}
		})
	}
}

// TestNoExpiryNoSweep: where the upstream does not end keys, and nobody looks for those that
// were lost, the check finds both. Without this TestKills might not be able to fail.
func TestNoExpiryNoSweep(t *testing.T) {
	t.Parallel()
	var points []Point
	for range 5 {
		points = append(points, Point{Call: createKey, Phase: Done})
	}
	found, err := Play{
		House: HouseOptions{Programs: all, Folder: shortFolder(t), Ledger: File, Sandbox: sandbox.Options{IgnoreKeyLives: true}},
		Seed:  1, Points: points, Tenants: tenants, Calm: NoCalm, Log: t.Logf,
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []Kind{Unowned, Outlives} {
		if !slices.ContainsFunc(found, func(v Violation) bool { return v.Kind == kind }) {
			t.Errorf("nothing is %q: %v", kind, found)
		}
	}
}

// TestPoints: a seed draws the same points each time, and many draw every call in every
// phase.
func TestPoints(t *testing.T) {
	t.Parallel()
	if !slices.Equal(Points(7, 50), Points(7, 50)) || slices.Equal(Points(7, 50), Points(8, 50)) {
		t.Error("the points are not those of their seed")
	}
	drawn := make(map[[2]string]bool)
	for _, p := range Points(1, 5000) {
		drawn[[2]string{p.Call, string(p.Phase)}] = true
	}
	if want := len(upstreamCalls())*3 + len(tenantCalls())*2 + 1; len(drawn) != want {
		t.Errorf("%d kinds of points are drawn, want %d", len(drawn), want)
	}
}
