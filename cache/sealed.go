package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/admin-gateway/admin-gateway/cache/seal"
)

// Sealed is a [Store] over another one, which sees neither responses nor keys in the
// clear: all forms of a response are encrypted by [seal] (a key is good for 2³² saves), and keys are
// replaced by their digest. Organization, key, StoredAt and life are authenticated
// with the body, so that none can be changed or exchanged. Generations protect
// against the replay of an older entry.
type Sealed struct {
	store   Store
	sealer  seal.Sealer
	metrics Metrics
}

// NewSealed returns a Sealed over store. keys are as for [seal.New]; metrics may
// be nil. No error contains any part of a key.
func NewSealed(store Store, keys [][]byte, metrics Metrics) (*Sealed, error) {
	sealer, err := seal.New(keys)
	if err != nil {
		return nil, err
	}
	return &Sealed{store: store, sealer: sealer, metrics: OrDiscard(metrics)}, nil
}

var _ Store = (*Sealed)(nil)

// Snapshot implements [Store].
func (s *Sealed) Snapshot(ctx context.Context, tags Tags) (Snapshot, error) {
	return s.store.Snapshot(ctx, tags)
}

// Load implements [Store]. An entry that cannot be decrypted, or that was saved
// under another key, is a miss and counted as Tampered.
func (s *Sealed) Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	if err := validateLoad(key, tags); err != nil {
		return Entry{}, false, err
	}
	e, ok, err := s.store.Load(ctx, sealedKey(key), tags)
	if !ok || err != nil {
		return Entry{}, false, err
	}
	plain, ok := s.sealer.Open(e.Body(), associated(key, e))
	if ok {
		e.Forms, ok = decodeForms(plain)
	}
	if !ok {
		s.metrics.Count(StoreSealed, Tampered)
		return Entry{}, false, nil
	}
	return e, true, nil
}

// Save implements [Store].
func (s *Sealed) Save(ctx context.Context, key Key, e Entry, at Snapshot) error {
	if err := validateSave(key, e, at); err != nil {
		return err
	}
	e.Forms = NewForms(s.sealer.Seal(e.Forms.appendTo(nil), associated(key, e)))
	return s.store.Save(ctx, sealedKey(key), e, at)
}

// Open implements [Store].
func (s *Sealed) Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error) {
	return s.store.Open(ctx, tags)
}

// Purge implements [Store].
func (s *Sealed) Purge(ctx context.Context, tags Tags) error { return s.store.Purge(ctx, tags) }

// sealedKey is the key of an entry in the store below.
func sealedKey(key Key) Key {
	digest := key.Digest()
	return Key{Org: key.Org, Canonical: hex.EncodeToString(digest[:])}
}

// associated is authenticated with a body.
func associated(key Key, e Entry) []byte {
	digest := key.Digest()
	b := make([]byte, 0, 1+sha256.Size+4*8)
	b = append(b, seal.Version)
	b = append(b, digest[:]...)
	for _, n := range []int64{
		e.StoredAt.UnixNano(), int64(e.Life.Fresh), int64(e.Life.Stale), int64(e.Life.StaleIfError),
	} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}
