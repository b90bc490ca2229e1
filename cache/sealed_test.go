package cache

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/cache/seal"
)

func sealKey(n byte) []byte { return bytes.Repeat([]byte{n}, seal.KeyBytes) }

func newSealed(tb testing.TB, store Store, keys ...byte) *Sealed {
	tb.Helper()
	var raw [][]byte
	for _, n := range keys {
		raw = append(raw, sealKey(n))
	}
	s, err := NewSealed(store, raw, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestSealedContract(t *testing.T) {
	t.Parallel()
	testStoreContract(t, func(t *testing.T) subject {
		t.Helper()
		s, m := newMemorySubject(t)
		s.store = newSealed(t, m, 1, 2)
		return s
	})
}

func TestSealedHides(t *testing.T) {
	t.Parallel()
	s, m := newMemorySubject(t)
	s.store = newSealed(t, m, 1)
	tags := s.tags("a")
	for range 2 {
		s.put(t, "GET /users?email=kim@example.com", "kim@example.com is an owner", tags)
	}
	seen := 0
	for _, i := range m.entries.All() {
		seen++
		for _, part := range []string{string(i.entry().Body())} {
			if strings.Contains(part, "kim") || strings.Contains(part, "owner") || strings.Contains(part, "users") {
				t.Errorf("in the clear: %q", part)
			}
		}
	}
	if seen != 1 {
		t.Errorf("%d entries, want 1", seen)
	}
}

func TestSealedRotation(t *testing.T) {
	t.Parallel()
	s, m := newMemorySubject(t)
	tags := s.tags("a")
	with := func(keys ...byte) subject {
		s := s
		s.store = newSealed(t, m, keys...)
		return s
	}
	with(1).put(t, "k", "body", tags)
	with(1, 2).wantHit(t, "k", "body", tags)
	with(2, 1).wantHit(t, "k", "body", tags)
	with(2).wantMiss(t, "k", tags)
	with(2, 1).put(t, "k", "body", tags)
	with(1, 2).wantHit(t, "k", "body", tags)
	with(2).wantHit(t, "k", "body", tags)
}

func TestSealedTampered(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]func(key *Key, e *Entry){
		"first bit":      func(_ *Key, e *Entry) { e.Body()[1] ^= 1 },
		"last bit":       func(_ *Key, e *Entry) { e.Body()[len(e.Body())-1] ^= 1 },
		"version":        func(_ *Key, e *Entry) { e.Body()[0]++ },
		"cut off":        func(_ *Key, e *Entry) { e.Forms = NewForms(e.Body()[:len(e.Body())-1]) },
		"only a version": func(_ *Key, e *Entry) { e.Forms = NewForms(e.Body()[:1]) },
		"empty":          func(_ *Key, e *Entry) { e.Forms = NewForms(nil) },
		"plain":          func(_ *Key, e *Entry) { e.Forms = NewForms([]byte("body")) },
		"younger":        func(_ *Key, e *Entry) { e.StoredAt = e.StoredAt.Add(1) },
		"longer life":    func(_ *Key, e *Entry) { e.Life.Fresh++ },
		"longer stale":   func(_ *Key, e *Entry) { e.Life.Stale++ },
		"if error":       func(_ *Key, e *Entry) { e.Life.StaleIfError++ },
		"another key": func(key *Key, _ *Entry) {
			*key = sealedKey(Key{Org: key.Org, Canonical: "other"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m := newMemorySubject(t)
			var c counts
			sealed, err := NewSealed(m, [][]byte{sealKey(1)}, &c)
			if err != nil {
				t.Fatal(err)
			}
			s.store = sealed
			tags := s.tags("a")
			s.put(t, "k", "body", tags)
			s.wantHit(t, "k", "body", tags)

			key := sealedKey(s.key("k"))
			e, ok, err := m.Load(t.Context(), key, tags)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			e.Forms = NewForms(bytes.Clone(e.Body()))
			tamper(&key, &e)
			if err := m.Save(t.Context(), key, e, s.snapshot(t, tags)); err != nil {
				t.Fatal(err)
			}
			asked := "k"
			if name == "another key" {
				asked = "other"
			}
			s.wantMiss(t, asked, tags)
			if c.get("sealed tampered") != 1 {
				t.Error("not counted")
			}
		})
	}
}

func TestSealedKeys(t *testing.T) {
	t.Parallel()
	secret := []byte("not-thirty-two-bytes-but-secret")
	for name, keys := range map[string][][]byte{
		"none": nil, "short": {secret}, "short second": {sealKey(1), secret}, "empty": {{}},
		"three": {sealKey(1), sealKey(2), sealKey(3)},
	} {
		_, err := NewSealed(nil, keys, nil)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEntryUse(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	e := Entry{StoredAt: at, Life: Life{Fresh: 10, Stale: 20, StaleIfError: 30}}
	for _, test := range []struct {
		age                    time.Duration
		fresh, stale, ifBroken bool
	}{
		{-5, true, true, true},
		{9, true, true, true},
		{10, false, true, true},
		{29, false, true, true},
		{30, false, false, true},
		{39, false, false, true},
		{40, false, false, false},
	} {
		now := at.Add(test.age)
		if e.Fresh(now) != test.fresh || e.StaleWhileRevalidate(now) != test.stale || e.StaleIfError(now) != test.ifBroken {
			t.Errorf("age %d: %v, %v, %v", test.age, e.Fresh(now), e.StaleWhileRevalidate(now), e.StaleIfError(now))
		}
		if e.Age(now) != max(0, test.age) || (e.remaining(now) > 0) != (test.age < 40) {
			t.Errorf("age %d: %d, %d left", test.age, e.Age(now), e.remaining(now))
		}
	}
	if total := (Life{Fresh: 1<<63 - 1, Stale: 1}).Total(); total < 0 {
		t.Errorf("total %d", total)
	}
	// Without stale use, a life ends with Fresh.
	if (Entry{StoredAt: at, Life: Life{Fresh: 10}}).StaleIfError(at.Add(10)) {
		t.Error("stale without a Stale")
	}
}
