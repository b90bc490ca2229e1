package cache

import (
	"crypto/sha256"
	"encoding/binary"
)

// MaxKeyBytes is the length of the longest Key, organization and canonical request
// together. A response with a longer one is never stored.
const MaxKeyBytes = 64 << 10

// Key identifies a request completely: two requests that may have different
// responses have different keys, and two requests that mean the same have one key.
type Key struct {
	// Org names whose data it is: a digest of the upstream's base URL and of the
	// identity of the admin key, never the key itself. It must not be empty.
	Org string
	// Canonical is the upstream request in canonical form, with all parts that the
	// response depends on.
	Canonical string
}

// Digest names a Key in 32 bytes.
type Digest [sha256.Size]byte

// Digest returns the SHA-256 digest of the key. Its input includes the length of
// the organization, so that no two keys have the same input.
func (k Key) Digest() Digest {
	// Almost all keys fit into this array on the stack.
	var room [512]byte
	return DigestOf(append(BeginKey(room[:0], k.Org), k.Canonical...))
}

// BeginKey appends what a key of an organization begins with. The canonical request
// follows, for [DigestOf]: so the digest of a key is had without the Key.
func BeginKey(b []byte, org string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(org))), org...)
}

// DigestOf returns the digest of the key whose bytes were begun by [BeginKey].
func DigestOf(key []byte) Digest { return sha256.Sum256(key) }

// Validate returns an error if a part of the key is empty, or ErrTooLarge if the
// key is longer than MaxKeyBytes.
func (k Key) Validate() error {
	if k.Org == "" || k.Canonical == "" {
		return errEmptyKey
	}
	if len(k.Org)+len(k.Canonical) > MaxKeyBytes {
		return ErrTooLarge
	}
	return nil
}
