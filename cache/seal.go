package cache

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// SealKeyBytes is the length of a key of a [Sealed] or a [SealedOutcomes].
const SealKeyBytes = 32

// sealedVersion is the first byte of what is sealed.
const sealedVersion = 1

// sealer encrypts bytes with AES-256-GCM and random nonces: a key is good for 2³²
// of them.
type sealer struct {
	ciphers []cipher.AEAD // the first encrypts, any decrypts
}

// newSealer takes one or two keys. No error has any of a key in it.
func newSealer(keys [][]byte) (sealer, error) {
	if len(keys) < 1 || len(keys) > 2 {
		return sealer{}, fmt.Errorf("cache: %d keys to encrypt with, want one or two", len(keys))
	}
	var s sealer
	for i, key := range keys {
		if len(key) != SealKeyBytes {
			return sealer{}, fmt.Errorf("cache: encryption key %d has %d bytes, want %d", i+1, len(key), SealKeyBytes)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return sealer{}, errors.New("cache: an encryption key was refused")
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return sealer{}, errors.New("cache: an encryption key was refused")
		}
		s.ciphers = append(s.ciphers, aead)
	}
	return s, nil
}

// seal encrypts body, and authenticates associated with it.
func (s sealer) seal(body, associated []byte) []byte {
	sealed := make([]byte, 1, 1+len(body)+s.ciphers[0].Overhead())
	sealed[0] = sealedVersion
	// It draws a nonce itself, and must not be given one.
	return s.ciphers[0].Seal(sealed, nil, body, associated) //nolint:gosec // As above.
}

// open is false for what was not sealed with one of the keys and with associated.
func (s sealer) open(sealed, associated []byte) ([]byte, bool) {
	if len(sealed) == 0 || sealed[0] != sealedVersion {
		return nil, false
	}
	for _, aead := range s.ciphers {
		if body, err := aead.Open(nil, nil, sealed[1:], associated); err == nil {
			return body, true
		}
	}
	return nil, false
}
