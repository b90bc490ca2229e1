package cache

import (
	"bytes"
	"fmt"
	"testing"
)

// A hit in Redis against a bare GET of the same encoded entry, both through one
// client.
func BenchmarkRedis(b *testing.B) {
	server := newRedisServer(b)
	r := newReplica(b, server.addr, RedisOptions{})
	tags := NewTags(redisTestOrg, "/organization/projects", "/organization/projects/proj_a")
	for _, size := range []int{1 << 10, 8 << 10, 64 << 10} {
		key := redisTestKey(size)
		storeOne(b, r, key, tags, string(bytes.Repeat([]byte("x"), size)))
		name := newRedisOrg("gw", redisTestOrg).entryKey(key)
		b.Run(fmt.Sprintf("%dKiB/bare GET", size>>10), func(b *testing.B) {
			for b.Loop() {
				if err := r.client.Get(b.Context(), name).Err(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%dKiB/Load", size>>10), func(b *testing.B) {
			for b.Loop() {
				if _, ok, err := r.Load(b.Context(), key, tags); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
