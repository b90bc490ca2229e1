package cache

import (
	"errors"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// TestRehearse: it passes with the rights that docs/caching.md names, leaves nothing, and
// says which step a user of Redis may not make.
func TestRehearse(t *testing.T) {
	t.Parallel()
	const rights = "on >pw resetkeys resetchannels -@all ~gw:* &gw:{*}:bus +get +set +getrange +del +hset +hget +hmget +time +info +eval +evalsha +publish +subscribe +psubscribe +ping "
	for name, test := range map[string]struct{ rules, step string }{
		"all rights":     {"", ""},
		"other keys":     {"resetkeys ~other:*", "join"},
		"no channel":     {"resetchannels", "listen"},
		"may not store":  {"-set", "store an answer"},
		"may not listen": {"-subscribe -psubscribe", "listen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRedisServer(t)
			redistest.SetUser(t, server.addr, "gw", rights+test.rules)
			r := newReplica(t, "gw:pw@"+server.addr, RedisOptions{})
			err := r.Rehearse(t.Context())
			if (err == nil) != (test.step == "") || err != nil && (!errors.Is(err, ErrUnavailable) || !strings.HasPrefix(err.Error(), test.step)) {
				t.Errorf("got %v", err)
			}
			if err != nil {
				return
			}
			if left, err := server.client.Keys(t.Context(), "*").Result(); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}
