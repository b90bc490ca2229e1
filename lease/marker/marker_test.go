package marker_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/marker"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, marker.KeyBytes) }

func newMarker(t interface{ Fatal(args ...any) }, organization string, keys ...[]byte) *marker.Marker {
	m, err := marker.New(organization, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestNamesAreOurs: a name comes back, and no change of it passes, nor one of another
// organization or key.
func TestNamesAreOurs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMarker(t, "org_1", key(1))
		role := rapid.StringMatching(`[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]`).Draw(t, "role")
		id := lease.NewID(time.UnixMilli(rapid.Int64Range(0, 1<<41).Draw(t, "at")))
		name := m.Name(role, id)
		if gotRole, gotID, ok := m.Parse(name); !ok || gotRole != role || gotID != id || len(name) > 128 {
			t.Fatalf("%q: %q, %q, %v", name, gotRole, gotID, ok)
		}
		for what, other := range map[string]*marker.Marker{"organization": newMarker(t, "org_2", key(1)), "key": newMarker(t, "org_1", key(2))} {
			if _, _, ok := other.Parse(name); ok {
				t.Errorf("%q passes in another %s", name, what)
			}
		}
		at := rapid.IntRange(0, len(name)-1).Draw(t, "at")
		to := rapid.SampledFrom([]string{"a", "0", ".", "", "A", "é"}).Draw(t, "to")
		if forged := name[:at] + to + name[at+1:]; forged != name {
			if gotRole, gotID, ok := m.Parse(forged); ok {
				t.Errorf("%q passes as %s, %s", forged, gotRole, gotID)
			}
		}
	})
}

// TestKeysAreReplaced: names of the key before are read, and not made.
func TestKeysAreReplaced(t *testing.T) {
	t.Parallel()
	before, after := newMarker(t, "org_1", key(1)), newMarker(t, "org_1", key(2), key(1))
	id := lease.NewID(time.Now())
	if _, _, ok := after.Parse(before.Name("search", id)); !ok {
		t.Error("a name of the key before is not read")
	}
	if after.Name("search", id) == before.Name("search", id) {
		t.Error("a name is made with the key before")
	}
	account := before.Account("proj_a", "search")
	if !after.IsAccount(account, "proj_a", "search") || after.IsAccount(account, "proj_b", "search") || !strings.HasPrefix(account, "search.") {
		t.Errorf("account %q", account)
	}
	for _, keys := range [][][]byte{nil, {key(1)[:31]}} {
		if _, err := marker.New("org_1", keys...); err == nil {
			t.Errorf("%d keys pass", len(keys))
		}
	}
}

func FuzzParse(f *testing.F) {
	m := newMarker(f, "org_1", key(1))
	f.Add(m.Name("search", lease.NewID(time.Unix(1, 0))))
	f.Add("agw.a.b.c")
	f.Fuzz(func(t *testing.T, name string) {
		if role, id, ok := m.Parse(name); ok && m.Name(role, id) != name {
			t.Errorf("%q is also the name of %s, %s", name, role, id)
		}
	})
}
