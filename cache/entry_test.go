package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

func drawEncoded(t *rapid.T) (Key, Entry, Snapshot) {
	key := Key{
		Org:       rapid.StringN(1, 20, 40).Draw(t, "org"),
		Canonical: rapid.StringN(1, 100, 300).Draw(t, "canonical"),
	}
	life := rapid.Int64Range(0, math.MaxInt64)
	e := Entry{
		Forms: NewConvertedForms(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "body"),
			rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "converted"), rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "notes")),
		StoredAt: time.Unix(rapid.Int64Range(1, 1<<32).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
		Life: Life{
			Fresh:        time.Duration(max(1, life.Draw(t, "fresh"))),
			Stale:        time.Duration(life.Draw(t, "stale")),
			StaleIfError: time.Duration(life.Draw(t, "if error")),
		},
	}
	e.Forms.convertedBy(rapid.SampledFrom([]string{"", "way"}).Draw(t, "way"))
	tags := NewTags(key.Org, rapid.SliceOfN(rapid.String(), 1, 10).Draw(t, "tags")...)
	at := Snapshot{tags: tags, epoch: rapid.Uint64().Draw(t, "epoch")}
	for range tags.slots {
		at.generations = append(at.generations, rapid.Uint64().Draw(t, "generation"))
	}
	return key, e, at
}

func TestEncodeEntry(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key, e, at := drawEncoded(t)
		data := encodeEntry(key, e, at)
		got, gotAt, err := decodeEntry(data, key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Body(), e.Body()) || got.Life != e.Life || !got.StoredAt.Equal(e.StoredAt) {
			t.Fatalf("got %v, want %v", got, e)
		}
		if converted := convertedOf(got); got.Forms.wasConverted("way") != (e.Forms.way == "way") ||
			converted != convertedOf(e) && e.Forms.way != "" || converted != "" && e.Forms.way == "" ||
			!slices.Equal(got.Forms.Notes(), e.Forms.Notes()) {
			t.Fatalf("converted to %q with notes %q, want %q with %q", converted, got.Forms.Notes(), convertedOf(e), e.Forms.Notes())
		}
		if !gotAt.sameGenerations(at) || !at.sameGenerations(gotAt) || gotAt.tags.org != key.Org {
			t.Fatalf("got %v, want %v", gotAt, at)
		}
		// Missing bytes, extra bytes and other bytes are errors.
		damaged := bytes.Clone(data)
		damaged[rapid.IntRange(1, len(data)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, _, err := decodeEntry(damaged, key); !errors.Is(err, errMalformed) {
			t.Fatalf("damaged: %v", err)
		}
		if _, _, err := decodeEntry(data[:rapid.IntRange(0, len(data)-1).Draw(t, "cut")], key); !errors.Is(err, errMalformed) {
			t.Fatalf("cut off: %v", err)
		}
		if _, _, err := decodeEntry(append(bytes.Clone(data), 0), key); !errors.Is(err, errMalformed) {
			t.Fatalf("longer: %v", err)
		}
		other := data
		other[0]++
		if _, _, err := decodeEntry(other, key); !errors.Is(err, errVersion) {
			t.Fatalf("another version: %v", err)
		}
	})
}

func TestDecodeWrongKey(t *testing.T) {
	t.Parallel()
	at := Snapshot{tags: NewTags("org", "a"), generations: []uint64{1}}
	e := Entry{Forms: NewForms([]byte("body")), StoredAt: time.Unix(1, 0), Life: Life{Fresh: 1}}
	data := encodeEntry(Key{Org: "org", Canonical: "k"}, e, at)
	for _, key := range []Key{
		{Org: "org", Canonical: "K"}, {Org: "org2", Canonical: "k"}, {Org: "or", Canonical: "gk"},
		{Org: "org", Canonical: "kbody"}, {Org: "org"}, {},
	} {
		if _, _, err := decodeEntry(data, key); !errors.Is(err, errWrongKey) {
			t.Errorf("%q: %v, want errWrongKey", key, err)
		}
	}
}

// Two snapshots are equal only if all parts are.
func TestSameGenerations(t *testing.T) {
	t.Parallel()
	base := func() Snapshot {
		return Snapshot{tags: Tags{slots: []Slot{1, 2}}, generations: []uint64{7, 8}, epoch: 3}
	}
	for name, change := range map[string]func(*Snapshot){
		"epoch":      func(s *Snapshot) { s.epoch++ },
		"generation": func(s *Snapshot) { s.generations[1]++ },
		"swapped":    func(s *Snapshot) { s.generations[0], s.generations[1] = 8, 7 },
		"slot":       func(s *Snapshot) { s.tags.slots[1]++ },
		"fewer":      func(s *Snapshot) { s.tags.slots, s.generations = s.tags.slots[:1], s.generations[:1] },
		"zero":       func(s *Snapshot) { *s = Snapshot{} },
	} {
		a, b := base(), base()
		if !a.sameGenerations(b) {
			t.Fatal("not the same as itself")
		}
		change(&b)
		if a.sameGenerations(b) || b.sameGenerations(a) {
			t.Errorf("%s: the same", name)
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	key := Key{Org: "org", Canonical: "k"}
	at := Snapshot{tags: NewTags("org", "a", "b"), generations: []uint64{1, 2}, epoch: 9}
	e := Entry{Forms: NewForms([]byte("body")), StoredAt: time.Unix(1, 2), Life: Life{Fresh: 3, Stale: 4, StaleIfError: 5}}
	whole := encodeEntry(key, e, at)
	f.Add(whole)
	f.Add(whole[:len(whole)-checksumBytes])
	e.Forms = NewConvertedForms(jsonOf(300), []byte("converted"), []string{"a note", ""})
	e.Forms.convertedBy("way")
	f.Add(encodeEntry(key, e, at))
	f.Add([]byte{encodingVersion})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Damage must not hide behind the checksum.
		for _, data := range [][]byte{data, binary.BigEndian.AppendUint64(bytes.Clone(data), xxhash.Sum64(data))} {
			roundTrip(t, key, data)
		}
	})
}

func roundTrip(t *testing.T, key Key, data []byte) {
	t.Helper()
	e, at, err := decodeEntry(data, key)
	if err != nil {
		return
	}
	// An accepted entry is encoded to the same again.
	again, againAt, err := decodeEntry(encodeEntry(key, e, at), key)
	if err != nil || !bytes.Equal(e.Body(), again.Body()) || convertedOf(e) != convertedOf(again) || e.Life != again.Life ||
		!slices.Equal(e.Forms.Notes(), again.Forms.Notes()) || !e.StoredAt.Equal(again.StoredAt) || !at.sameGenerations(againAt) {
		t.Errorf("%v, %v became %v, %v, %v", e, at, again, againAt, err)
	}
}

func TestKeyDigest(t *testing.T) {
	t.Parallel()
	keys := []Key{
		{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}, {"a", "bC"}, {"A", "bc"}, {"a", "bc "},
		{"a", strings.Repeat("x", 600)}, {"a", strings.Repeat("x", 601)},
		{strings.Repeat("x", 600), "a"}, {"\x01", "a"}, {"", "\x01a"},
	}
	seen := map[Digest]Key{}
	for _, key := range keys {
		if other, ok := seen[key.Digest()]; ok {
			t.Errorf("%.20q and %.20q have one digest", key, other)
		}
		seen[key.Digest()] = key
	}
}

// The slots are the same in every replica and every build: a change here needs
// another prefix of the keys in Redis.
func TestSlotsDoNotMove(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		org, name string
		want      Slot
	}{
		{"org_1", "/organization/projects", 3248},
		{"org_1", "/organization/projects/proj_a/users", 1299},
		{"org_2", "/organization/projects", 276},
		{"org_1", Everything, 4096},
	} {
		if got := slotOf(test.org, []byte(test.name)); got != test.want {
			t.Errorf("%q %q: slot %d, want %d", test.org, test.name, got, test.want)
		}
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	tags := NewTags("org", "b", "a", "b", "c")
	if len(tags.Slots()) != 3 || tags.Org() != "org" {
		t.Errorf("%v", tags)
	}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOf(rapid.String()).Draw(t, "names")
		slots := NewTags("org", names...).Slots()
		for i, slot := range slots {
			if slot >= Slots || (i > 0 && slot <= slots[i-1]) {
				t.Fatalf("slots %v", slots)
			}
		}
	})
	// Names spread evenly: 4096 of them use about 63 % of as many slots.
	used := map[Slot]bool{}
	for i := range Slots {
		used[NewTags("org", "/organization/projects/proj_"+strings.Repeat("x", i%7)+time.Duration(i).String()).Slots()[0]] = true
	}
	if len(used) < Slots*60/100 {
		t.Errorf("%d slots used", len(used))
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for e := range Events {
		if name := e.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("event %d is called %q", e, name)
		} else {
			seen[name] = true
		}
	}
	if Events.String() != "unknown" {
		t.Error("what is no event has a name")
	}
	if !Tampered.Alert() || !WrongKey.Alert() || !Malformed.Alert() || Miss.Alert() {
		t.Error("alerts")
	}
}
