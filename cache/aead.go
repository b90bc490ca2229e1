package cache

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// SealKeyBytes is the length of a key of a [Sealed].
const SealKeyBytes = 32

// sealedVersion is the first byte of a sealed body.
const sealedVersion = 1

// Sealed is a [Store] over another that sees neither bodies nor keys in the
// clear: bodies are encrypted (AES-256-GCM with a random nonce; a key is good for
// 2³² saves), keys are replaced by their digest. Organization, key, time of
// storing and life are authenticated with the body, so that none can be changed
// or exchanged; that an older entry is put back is for the generations to notice.
type Sealed struct {
	store   Store
	ciphers []cipher.AEAD // the first encrypts, any decrypts
	metrics Metrics
}

// NewSealed returns a Sealed over store. Each key has SealKeyBytes random bytes.
// The first one encrypts; all of them, and there may be two, decrypt, so that
// keys can be exchanged one replica after the other: the new one is added as
// second, then made first, then the old one is removed. metrics may be nil.
//
// No error has any of a key in it.
func NewSealed(store Store, keys [][]byte, metrics Metrics) (*Sealed, error) {
	if len(keys) < 1 || len(keys) > 2 {
		return nil, fmt.Errorf("cache: %d keys to encrypt with, want one or two", len(keys))
	}
	s := &Sealed{store: store, metrics: metricsOr(metrics)}
	for i, key := range keys {
		if len(key) != SealKeyBytes {
			return nil, fmt.Errorf("cache: encryption key %d has %d bytes, want %d", i+1, len(key), SealKeyBytes)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, errors.New("cache: an encryption key was refused")
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, errors.New("cache: an encryption key was refused")
		}
		s.ciphers = append(s.ciphers, aead)
	}
	return s, nil
}

var _ Store = (*Sealed)(nil)

// Snapshot implements [Store].
func (s *Sealed) Snapshot(ctx context.Context, tags Tags) (Snapshot, error) {
	return s.store.Snapshot(ctx, tags)
}

// Load implements [Store]. An entry that cannot be decrypted, or is not what was
// saved under this key, is a miss and counted as Tampered.
func (s *Sealed) Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	if err := validateLoad(key, tags); err != nil {
		return Entry{}, false, err
	}
	e, ok, err := s.store.Load(ctx, sealedKey(key), tags)
	if !ok || err != nil {
		return Entry{}, false, err
	}
	body, ok := s.open(e.Body, associated(key, e))
	if !ok {
		s.metrics.Count(storeSealed, Tampered)
		return Entry{}, false, nil
	}
	e.Body = body
	return e, true, nil
}

// Save implements [Store].
func (s *Sealed) Save(ctx context.Context, key Key, e Entry, at Snapshot) error {
	if err := validateSave(key, e, at); err != nil {
		return err
	}
	sealed := make([]byte, 1, 1+len(e.Body)+s.ciphers[0].Overhead())
	sealed[0] = sealedVersion
	// It draws a nonce itself, and must not be given one.
	e.Body = s.ciphers[0].Seal(sealed, nil, e.Body, associated(key, e)) //nolint:gosec // As above.
	e.Local = nil
	return s.store.Save(ctx, sealedKey(key), e, at)
}

// Open implements [Store].
func (s *Sealed) Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error) {
	return s.store.Open(ctx, tags)
}

// Purge implements [Store].
func (s *Sealed) Purge(ctx context.Context, tags Tags) error { return s.store.Purge(ctx, tags) }

func (s *Sealed) open(sealed, data []byte) ([]byte, bool) {
	if len(sealed) == 0 || sealed[0] != sealedVersion {
		return nil, false
	}
	for _, aead := range s.ciphers {
		if body, err := aead.Open(nil, nil, sealed[1:], data); err == nil {
			return body, true
		}
	}
	return nil, false
}

// sealedKey is the key under which the store below knows an entry.
func sealedKey(key Key) Key {
	digest := key.Digest()
	return Key{Org: key.Org, Canonical: hex.EncodeToString(digest[:])}
}

// associated is what is authenticated with a body.
func associated(key Key, e Entry) []byte {
	digest := key.Digest()
	b := make([]byte, 0, 1+sha256.Size+4*8)
	b = append(b, sealedVersion)
	b = append(b, digest[:]...)
	for _, n := range []int64{
		e.StoredAt.UnixNano(), int64(e.Life.Fresh), int64(e.Life.Stale), int64(e.Life.StaleIfError),
	} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}
