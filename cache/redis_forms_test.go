package cache

import (
	"bytes"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// A replica takes what another one converted in its own way, and converts again what was
// converted in another one, or in a way that nobody knows: encrypted or not. The notes are
// those of the conversion.
func TestRedisKeepsWhatWasConverted(t *testing.T) {
	t.Parallel()
	for name, sealed := range map[string]bool{"plain": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRedisServer(t)
			var converted atomic.Int32
			replica := func(way, prefix string) *Tiered {
				t.Helper()
				memory, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Lease: testLease})
				if err != nil {
					t.Fatal(err)
				}
				var shared Store = newReplica(t, server.addr, RedisOptions{})
				if sealed {
					shared = newSealed(t, shared, 1)
				}
				tiered, err := NewTiered(TieredOptions{Memory: memory, Shared: shared, Way: way, Convert: func(_ Key, origin []byte) ([]byte, []string, error) {
					converted.Add(1)
					if bytes.HasPrefix(origin, []byte("odd")) {
						return nil, nil, errors.New("odd")
					}
					return append([]byte(prefix), origin...), []string{"by " + prefix}, nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				return tiered
			}
			tags, origin := NewTags(redisTestOrg, "/a"), jsonOf(2000)
			save := func(by *Tiered, key Key, origin []byte, prefix string) {
				t.Helper()
				at, err := by.Snapshot(t.Context(), tags)
				if err != nil {
					t.Fatal(err)
				}
				e := Entry{StoredAt: time.Now(), Life: Life{Fresh: time.Hour}}
				e.Forms = NewConvertedForms(origin, append([]byte(prefix), origin...), []string{"by " + prefix})
				if err := by.Save(t.Context(), key, e, at); err != nil {
					t.Fatal(err)
				}
			}
			load := func(by *Tiered, key Key, prefix string, conversions int32) {
				t.Helper()
				before := converted.Load()
				e, ok, err := by.Load(t.Context(), key, tags)
				if !ok || err != nil {
					t.Fatal(ok, err)
				}
				if convertedOf(e) != prefix+string(origin) || !bytes.Equal(e.Body(), origin) || len(e.Forms.Notes()) != 1 || e.Forms.Notes()[0] != "by "+prefix {
					t.Errorf("%.20q with notes %q, want it by %s", convertedOf(e), e.Forms.Notes(), prefix)
				}
				if got := converted.Load() - before; got != conversions {
					t.Errorf("by %s: converted %d times, want %d", prefix, got, conversions)
				}
			}
			save(replica("one", "1"), redisTestKey(1), origin, "1")
			load(replica("one", "1"), redisTestKey(1), "1", 0)
			load(replica("two", "2"), redisTestKey(1), "2", 1)
			load(replica("", "3"), redisTestKey(1), "3", 1)
			save(replica("", "4"), redisTestKey(2), origin, "4")
			load(replica("", "5"), redisTestKey(2), "5", 1)
			load(replica("one", "1"), redisTestKey(2), "1", 1)
			// What another build could convert, and this one cannot, is a miss.
			save(replica("one", "1"), redisTestKey(3), []byte("odd"), "1")
			if _, ok, err := replica("two", "2").Load(t.Context(), redisTestKey(3), tags); ok || err != nil {
				t.Errorf("what cannot be converted: %t, %v", ok, err)
			}
		})
	}
}
