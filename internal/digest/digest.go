// Package digest holds the digests by which credentials are known.
package digest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// Digest is the SHA-256 of a credential. Two are compared with [Digest.Equal] alone:
// == does not compile, and no other package can look inside. It imports nothing of the
// gateway, and is the only package that compares credentials.
type Digest struct {
	_   [0]func() // A function cannot be compared, so neither can what has one.
	sum [sha256.Size]byte
}

// HexDigits is the length of a digest in hexadecimal.
const HexDigits = 2 * sha256.Size

var errNotHex = errors.New("not 64 hex digits")

// Of returns the digest of a credential.
func Of(credential []byte) Digest { return Digest{sum: sha256.Sum256(credential)} }

// Parse reads a digest in hexadecimal.
func Parse(text string) (Digest, error) {
	var d Digest
	if len(text) != HexDigits {
		return Digest{}, errNotHex
	}
	if _, err := hex.Decode(d.sum[:], []byte(text)); err != nil {
		return Digest{}, errNotHex
	}
	return d, nil
}

// Hex returns the digest in hexadecimal, which a policy may have.
func (d Digest) Hex() string { return hex.EncodeToString(d.sum[:]) }

// Index returns the first 64 bits, to find the digest in a map. A lookup by them takes
// a time that depends on whether some digest begins so, and to find a credential whose
// digest does takes 2⁶⁴ attempts.
func (d Digest) Index() uint64 { return binary.BigEndian.Uint64(d.sum[:]) }

// Equal reports whether both are the digest of the same credential, in a time that
// depends on neither.
func (d Digest) Equal(other Digest) bool {
	return subtle.ConstantTimeCompare(d.sum[:], other.sum[:]) == 1
}
