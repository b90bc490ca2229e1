package outcome

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/seal"
)

// Sealed is a [Store] over another one, which sees neither outcomes nor keys in the
// clear: outcomes are encrypted by [seal], and keys are replaced by their digest.
// The other store sees owners. Key and fingerprint are authenticated with an
// outcome, so that it cannot be exchanged for the outcome of another operation.
type Sealed struct {
	outcomes Store
	sealer   seal.Sealer
	metrics  cache.Metrics
}

// NewSealed returns a Sealed over outcomes. keys are as for [seal.New]; metrics may
// be nil. No error contains any part of a key.
func NewSealed(outcomes Store, keys [][]byte, metrics cache.Metrics) (*Sealed, error) {
	sealer, err := seal.New(keys)
	if err != nil {
		return nil, err
	}
	return &Sealed{outcomes, sealer, cache.OrDiscard(metrics)}, nil
}

var _ Store = (*Sealed)(nil)

// Begin implements [Store]. An outcome that cannot be decrypted is lost, and
// counted as cache.Tampered.
func (s *Sealed) Begin(ctx context.Context, key Key, fingerprint Fingerprint, lease time.Duration) (Result, error) {
	if err := key.Validate(); err != nil {
		return Result{}, err
	}
	digest := key.Digest()
	key.Canonical = hex.EncodeToString(digest[:])
	outcome, err := s.outcomes.Begin(ctx, key, fingerprint, lease)
	if err != nil {
		return Result{}, err
	}
	associated := associatedData(digest, fingerprint)
	switch outcome.State {
	case Claimed:
		outcome.Claim = &sealedClaim{outcome.Claim, s.sealer, associated}
	case Completed:
		body, ok := s.sealer.Open(outcome.Body, associated)
		if !ok {
			s.metrics.Count(cache.StoreSealed, cache.Tampered)
			return Result{State: Lost}, nil
		}
		outcome.Body = body
	case Lost, Mismatch:
	}
	return outcome, nil
}

type sealedClaim struct {
	Claim
	sealer     seal.Sealer
	associated []byte
}

// Finish implements [Claim].
func (c *sealedClaim) Finish(ctx context.Context, body []byte) error {
	return c.Claim.Finish(ctx, c.sealer.Seal(body, c.associated))
}

// associatedData is authenticated with an outcome. That of a cache entry never
// equals it, so that neither passes for the other under one key.
func associatedData(digest cache.Digest, fingerprint Fingerprint) []byte {
	b := append([]byte("outcome\x00"), seal.Version)
	b = append(b, digest[:]...)
	return append(b, fingerprint[:]...)
}
