package callers

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/policytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// TestManyCallers: a long file means what its callers mean one by one, whoever reads it.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	r := rules(t)
	const n = 2000
	for _, workers := range []int{1, 4} {
		set, err := parse("policy.yaml", string(policytest.YAML(n)), r, strictyaml.Pace{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		set.begin(nil)
		if len(set.Callers()) != n {
			t.Fatalf("%d callers", len(set.Callers()))
		}
		for i, name := range set.Callers() {
			if name != policytest.Name(i) || !may(t, r, set, name, listUsers) || set.Limiter(name) == nil {
				t.Fatalf("caller %d is %s, or may not list", i, name)
			}
			want := defaultLimits
			if i%4 == 0 {
				want.RequestsPerSecond, want.Burst = 20, 40
			}
			if got := set.Limits(name); got != want {
				t.Fatalf("%s: %v", name, got)
			}
		}
	}
}

// TestFaultsOfManyCallers: a fault has its place, wherever in a long file it is, and
// there are a hundred of them at the most.
func TestFaultsOfManyCallers(t *testing.T) {
	t.Parallel()
	lines := strings.Split(string(policytest.YAML(2000)), "\n")
	wrong := func(text string, from, most int) (at []string) {
		for i := from; i < len(lines) && len(at) < most; i++ {
			if column := strings.Index(lines[i], text); column >= 0 {
				lines[i] = strings.Replace(lines[i], text, "users.reed", 1)
				at = append(at, fmt.Sprintf("policy.yaml:%d:%d: ", i+1, column+1))
			}
		}
		return at
	}
	at := append(wrong("users.read", 0, 1), append(wrong("users.read", 9000, 1), wrong("users.read", 15000, 1)...)...)
	_, err := Parse("policy.yaml", []byte(strings.Join(lines, "\n")), rules(t))
	for _, place := range at {
		if err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("no fault at %s: %v", place, err)
		}
	}
	if len(at) != 3 || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%d faults of %d", strings.Count(err.Error(), "\n")+1, len(at))
	}
	wrong("users.read", 0, 1000)
	if _, err := Parse("policy.yaml", []byte(strings.Join(lines, "\n")), rules(t)); err == nil || strings.Count(err.Error(), "\n")+1 != maxFaults {
		t.Errorf("%v", err)
	}
}

// TestAllocationsPerCaller: a caller of a long file costs a few dozen allocations, most of
// them for what it is and not for its text.
func TestAllocationsPerCaller(t *testing.T) {
	const few, many, most = 1000, 3000, 45
	r := rules(t)
	count := func(n int) float64 {
		text := string(policytest.YAML(n))
		return testing.AllocsPerRun(3, func() {
			set, err := parse("policy.yaml", text, r, strictyaml.Pace{})
			if err != nil {
				t.Fatal(err)
			}
			set.begin(nil)
			runtime.KeepAlive(set)
		})
	}
	if each := (count(many) - count(few)) / (many - few); each > most {
		t.Errorf("%.1f allocations for each caller, want at most %d", each, most)
	}
}

// TestCallersAreInFewBlocks: what the collector visits does not grow with the callers, but
// for those that have projects or conditions of their own.
func TestCallersAreInFewBlocks(t *testing.T) { //nolint:paralleltest // It counts what is in use.
	few, many := racing.Of(2000, 500), racing.Of(12_000, 3000)
	r := rules(t)
	objects := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC() // What the first one found has finalizers, and pools.
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapObjects)
	}
	live := func(n int) int64 {
		var text strings.Builder
		text.WriteString("callers:\n")
		for i := range n {
			fmt.Fprintf(&text, "  - name: caller-%06d\n    authenticate: [{token_sha256: %064x}]\n    grants: [{permissions: [users.read]}]\n", i, i)
		}
		before := objects()
		set, err := Parse("policy.yaml", []byte(text.String()), r)
		if err != nil {
			t.Fatal(err)
		}
		made := objects() - before
		runtime.KeepAlive(set)
		return made
	}
	if each := float64(live(many)-live(few)) / float64(many-few); each > 0.3 {
		t.Errorf("%.2f objects for each caller", each)
	}
}

// TestTooLargeFile: the error says what bounds the file.
func TestTooLargeFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, policytest.YAML(100), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(File{Path: path, MaxBytes: 4096, Bound: "the bound"}, rules(t), slog.New(slog.DiscardHandler))
	if want := "is larger than 4096 bytes, the value of the bound"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestRefusedOnce: a file that was refused is counted at each look, and not compiled
// again. It would be good by the rules that the test puts in place of the first ones.
func TestRefusedOnce(t *testing.T) {
	t.Parallel()
	w := watch(t, policyFileOf(t, "a"))
	w.put(policyOf("b") + "  - name: c\n    authenticate: [{jwt: {issuer: \"https://new.example\", subject: c}}]\n    grants: [{permissions: [users.read]}]\n")
	w.look(2)
	if w.Failures() != 1 {
		t.Errorf("%d failures", w.Failures())
	}
	w.rules.Issuers = append(w.rules.Issuers, "https://new.example")
	w.look(2)
	if w.Failures() != 3 || w.Reloads() != 0 {
		t.Errorf("%d failures, %d reloads", w.Failures(), w.Reloads())
	}
	w.put(policyOf("b"))
	w.look(2)
	w.want("once it is good", "b")
}
