package cache

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// Not parallel: it looks at the heap of the process.
func TestMemoryWeighsWhatItHolds(t *testing.T) {
	const entries = 10_000
	for name, ask := range map[string][]Form{
		"origin": {Origin}, "converted": {Converted}, "rendered": {Rendered}, "all": {Converted, Rendered, Origin},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			m, err := NewMemory(MemoryOptions{MaxBytes: 256 << 20, Lease: testLease})
			if err != nil {
				t.Fatal(err)
			}
			s := subject{store: m, now: time.Now}
			forms := 0
			for i := range entries {
				tags := s.tags("/organization/projects", fmt.Sprintf("/organization/projects/%d", i), "project", "method", Everything)
				origin := append(make([]byte, 0, 2560), jsonOf(1500+i%1000)...)
				e := s.entry("")
				// Half as long as the JSON, as wire bytes are.
				e.Forms = NewConvertedForms(origin, bytes.Clone(origin[:len(origin)/2]), nil)
				key := s.key(fmt.Sprintf("admingateway.admin.v1.ProjectUserService/ListProjectUsers\nGET /organization/projects/proj_%d/users?limit=100", i))
				if err := m.Save(t.Context(), key, e, s.snapshot(t, tags)); err != nil {
					t.Fatal(err)
				}
				for _, form := range ask {
					got, err := m.Form(t.Context(), key.Digest(), e.Forms, form, upper(e.Forms))
					if err != nil {
						t.Fatal(err)
					}
					forms += len(got)
				}
				if _, asked := e.Forms.Asked(Origin); !asked {
					forms += len(e.Forms.packed)
				}
			}
			m.entries.CleanUp()
			grown, weight := heap()-before, int64(m.bytes())
			t.Logf("%d bytes of heap an entry, of which %d are forms; %d are weighed", grown/entries, forms/entries, weight/entries)
			if m.len() != entries {
				t.Fatalf("%d entries", m.len())
			}
			if grown > weight*11/10 || grown < weight*8/10 {
				t.Errorf("the heap grew by %d bytes, and %d are weighed", grown, weight)
			}
			if grown > int64(forms)*14/10 {
				t.Errorf("the heap grew by %d bytes, and the forms that are kept have %d", grown, forms)
			}
			runtime.KeepAlive(m)
		})
	}
}
