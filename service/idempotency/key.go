package idempotency

import (
	"context"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Header carries the key of a write.
const Header = "Idempotency-Key"

// maxKey is the longest key, in bytes.
const maxKey = 255

type keyContext struct{}

// WithKey is the context of a write that has a key. The handler of a call sets it,
// from the header of that call and for that one write: a call that makes several
// writes gives each a key of its own.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

func keyOf(ctx context.Context) string {
	key, _ := ctx.Value(keyContext{}).(string)
	return key
}

// KeyOf is the key in the header of a call, "" for none. The error is for the
// caller.
func KeyOf(header *connect.Header) (string, error) {
	values := header.Values(Header)
	if len(values) == 0 {
		return "", nil
	}
	wrong := "must be one value"
	if len(values) == 1 {
		key, ok := parseKey(values[0])
		if ok {
			return key, nil
		}
		wrong = "must be 1 to 255 printable ASCII characters without a space, or a string in quotes (RFC 8941)"
	}
	return "", &rpcerror.Error{
		Code: connect.CodeInvalidArgument, Reason: rpcerror.ReasonIdempotencyKeyInvalid,
		Message:    "the header " + Header + " " + wrong,
		Violations: []*errdetails.BadRequest_FieldViolation{{Field: Header, Description: wrong}},
	}
}

// parseKey reads a value of the header. The draft has a string of
// structured fields, in quotes; most of those who send the header send the bare
// key. Both are the same key.
func parseKey(value string) (string, bool) {
	if !strings.HasPrefix(value, `"`) {
		return value, isKey(value, '!')
	}
	if len(value) < 2 || !strings.HasSuffix(value, `"`) {
		return "", false
	}
	var key strings.Builder
	for inner := value[1 : len(value)-1]; inner != ""; inner = inner[1:] {
		switch inner[0] {
		case '"':
			return "", false
		case '\\':
			if len(inner) == 1 || inner[1] != '"' && inner[1] != '\\' {
				return "", false
			}
			inner = inner[1:]
		}
		key.WriteByte(inner[0])
	}
	return key.String(), isKey(key.String(), ' ')
}

// isKey tells whether all of a key is printable ASCII, from first on.
func isKey(key string, first byte) bool {
	for i := range len(key) {
		if key[i] < first || key[i] > '~' {
			return false
		}
	}
	return key != "" && len(key) <= maxKey
}
