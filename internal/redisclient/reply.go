package redisclient

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ReplyError is an error reply of Redis, without its text.
type ReplyError struct {
	// Kind is its first word, such as "OOM".
	Kind string
}

// Error implements error.
func (e *ReplyError) Error() string { return fmt.Sprintf("redis answered %q", e.Kind) }

// RefusedLogin returns whether Redis refuses this client: a wrong password, a
// missing one, or a user that may not run a command. No repetition helps.
func RefusedLogin(err error) bool {
	e, ok := errors.AsType[*ReplyError](err)
	return ok && (e.Kind == "WRONGPASS" || e.Kind == "NOAUTH" || e.Kind == "NOPERM")
}

// NotHere returns whether a reply says that another server is the one to ask: the
// node of a cluster that does not have the key, or a sentinel, which has no data.
func NotHere(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}
	text := reply.Error()
	for _, prefix := range []string{"MOVED ", "ASK ", "CLUSTERDOWN ", "ERR unknown command"} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}
