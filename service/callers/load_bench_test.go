package callers

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/policytest"
)

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
