package cache

import (
	"strings"
	"testing"
	"time"
)

func benchStore(b *testing.B, store Store) {
	b.Helper()
	s := subject{store: store, now: time.Now}
	tags := s.tags("/organization/projects", "/organization/projects/proj_a", "/organization/projects/proj_a/users")
	key := s.key("GET /organization/projects/proj_a/users?limit=100")
	at, err := store.Snapshot(b.Context(), tags)
	if err != nil {
		b.Fatal(err)
	}
	e := s.entry(strings.Repeat("x", 10_000))
	b.Run("hit", func(b *testing.B) {
		if err := store.Save(b.Context(), key, e, at); err != nil {
			b.Fatal(err)
		}
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if _, ok, err := store.Load(ctx, key, tags); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("hit parallel", func(b *testing.B) {
		ctx := b.Context()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, ok, err := store.Load(ctx, key, tags); !ok || err != nil {
					b.Error(ok, err)
					return
				}
			}
		})
	})
	b.Run("save", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if err := store.Save(ctx, key, e, at); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open and close", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			end, err := store.Open(ctx, tags)
			if err == nil {
				err = end(ctx)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMemory(b *testing.B) {
	m, err := NewMemory(MemoryOptions{MaxBytes: 64 << 20, Lease: testLease})
	if err != nil {
		b.Fatal(err)
	}
	benchStore(b, m)
}

func BenchmarkTiered(b *testing.B) {
	var of [2]*Memory
	for i := range of {
		m, err := NewMemory(MemoryOptions{MaxBytes: 64 << 20, Lease: testLease})
		if err != nil {
			b.Fatal(err)
		}
		of[i] = m
	}
	tiered, err := NewTiered(TieredOptions{Memory: of[0], Shared: of[1], Cap: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	listener{tiered}.Up(time.Now())
	benchStore(b, tiered)
}

func BenchmarkSealedMemory(b *testing.B) {
	m, err := NewMemory(MemoryOptions{MaxBytes: 64 << 20, Lease: testLease})
	if err != nil {
		b.Fatal(err)
	}
	benchStore(b, newSealed(b, m, 1))
}

func BenchmarkNewTags(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewTags("org_1", "/organization/projects", "/organization/projects/proj_a", "/organization/projects/proj_a/users")
	}
}

func BenchmarkKeyDigest(b *testing.B) {
	key := Key{Org: strings.Repeat("0", 64), Canonical: "GET /organization/projects/proj_a/users?limit=100"}
	b.ReportAllocs()
	for b.Loop() {
		key.Digest()
	}
}

func BenchmarkEntry(b *testing.B) {
	key := Key{Org: strings.Repeat("0", 64), Canonical: "GET /organization/projects/proj_a/users?limit=100"}
	at := Snapshot{tags: NewTags("org", "a", "b", "c"), generations: []uint64{1, 2, 3}}
	e := Entry{Forms: NewForms(make([]byte, 10_000)), StoredAt: time.Now(), Life: Life{Fresh: 1}}
	data := encodeEntry(key, e, at)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encodeEntry(key, e, at)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := decodeEntry(data, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}
