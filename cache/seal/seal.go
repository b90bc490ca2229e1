package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeyBytes is the length of a key.
const KeyBytes = 32

// Version is the first byte of sealed bytes. Callers authenticate it with them.
const Version = 1

// Sealer encrypts bytes with AES-256-GCM and random nonces: a key is good for 2³²
// of them. It may be used from any goroutine.
type Sealer struct {
	ciphers []cipher.AEAD // the first encrypts, any decrypts
}

// New returns a Sealer. Each key has KeyBytes random bytes. The first one
// encrypts; all of them, and there may be two, decrypt, so that keys can be
// exchanged one replica after the other: the new one is added as second, then
// made first, then the old one is removed.
//
// No error contains any part of a key.
func New(keys [][]byte) (Sealer, error) {
	if len(keys) < 1 || len(keys) > 2 {
		return Sealer{}, fmt.Errorf("seal: %d keys to encrypt with, want one or two", len(keys))
	}
	var s Sealer
	for i, key := range keys {
		if len(key) != KeyBytes {
			return Sealer{}, fmt.Errorf("seal: encryption key %d has %d bytes, want %d", i+1, len(key), KeyBytes)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return Sealer{}, errors.New("seal: an encryption key was refused")
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return Sealer{}, errors.New("seal: an encryption key was refused")
		}
		s.ciphers = append(s.ciphers, aead)
	}
	return s, nil
}

// Seal encrypts body, and authenticates associated with it.
func (s Sealer) Seal(body, associated []byte) []byte {
	sealed := make([]byte, 1, 1+len(body)+s.ciphers[0].Overhead())
	sealed[0] = Version
	// It draws a nonce itself, and must not be given one.
	return s.ciphers[0].Seal(sealed, nil, body, associated) //nolint:gosec // As above.
}

// Open decrypts what Seal returned for the same associated bytes. It is false if
// none of the keys opens it.
func (s Sealer) Open(sealed, associated []byte) ([]byte, bool) {
	if len(sealed) == 0 || sealed[0] != Version {
		return nil, false
	}
	for _, aead := range s.ciphers {
		if body, err := aead.Open(nil, nil, sealed[1:], associated); err == nil {
			return body, true
		}
	}
	return nil, false
}
