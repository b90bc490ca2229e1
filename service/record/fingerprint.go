package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// KeyBytes is the length of a [Key].
const KeyBytes = 32

// Key makes the fingerprints of requests. The zero value makes none. Printing it
// shows nothing of it.
type Key struct{ secret []byte }

// NewKey makes a key of KeyBytes random bytes.
func NewKey(secret []byte) (Key, error) {
	if len(secret) != KeyBytes {
		return Key{}, fmt.Errorf("it has %d bytes and not %d", len(secret), KeyBytes)
	}
	return Key{append([]byte(nil), secret...)}, nil
}

// Format implements [fmt.Formatter].
func (Key) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte("record.Key[redacted]")) }

// Fingerprint is the HMAC-SHA-256, in hex, of a procedure and a whole request: equal
// requests have equal ones, and who has the key can confirm a request that is
// suspected. Nobody else learns anything of it. The bytes of the request are
// protobuf's deterministic ones, which this build makes the same for as long as the
// schema of the request is the same. It is "" without a key.
func (k Key) Fingerprint(procedure string, request protoreflect.Message) (string, error) {
	if k.secret == nil {
		return "", nil
	}
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(request.Interface())
	if err != nil {
		return "", fmt.Errorf("fingerprint of a request: %w", err)
	}
	mac := hmac.New(sha256.New, k.secret)
	_, _ = mac.Write([]byte(strings.TrimPrefix(procedure, "/") + "\x00")) // A hash does not fail.
	_, _ = mac.Write(wire)
	return hex.EncodeToString(mac.Sum(nil)), nil
}
