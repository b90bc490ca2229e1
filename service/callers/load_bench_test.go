package callers

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/policytest"
)

// BenchmarkLoadPolicy is the time from a text to a policy, by one goroutine.
func BenchmarkLoadPolicy(b *testing.B) {
	r := rules(b)
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		text := policytest.YAML(n)
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var set *Set
			for b.Loop() {
				var err error
				if set, err = Parse("policy.yaml", text, r); err != nil {
					b.Fatal(err)
				}
			}
			runtime.KeepAlive(set)
		})
	}
}

// BenchmarkCallersLookup is what a call asks the policy for: the limiter of its caller, and
// whether that may call. Callers take turns, so that nothing of the one before
// helps.
func BenchmarkCallersLookup(b *testing.B) {
	r := rules(b)
	handle, _ := r.Methods.Lookup(listUsers)
	for _, n := range []int{10, 1000, 100_000} {
		set, err := Parse("policy.yaml", policytest.YAML(n), r)
		if err != nil {
			b.Fatal(err)
		}
		names := set.Callers()
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				if set.Limiter(names[i]) == nil || !set.Policy.MayCall(names[i], handle).Allowed {
					b.Fatal(names[i])
				}
			}
		})
	}
}
