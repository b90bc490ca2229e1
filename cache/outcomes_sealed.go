package cache

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/admin-gateway/admin-gateway/cache/seal"
)

// SealedOutcomes is an [Outcomes] over another that sees neither outcomes nor
// keys in the clear: outcomes are encrypted as those of [Sealed] are, keys are
// replaced by their digest. Owners it sees. Key and fingerprint are authenticated with an
// outcome, so that it cannot be exchanged for another's.
type SealedOutcomes struct {
	outcomes Outcomes
	sealer   seal.Sealer
	metrics  Metrics
}

// NewSealedOutcomes returns a SealedOutcomes over outcomes. keys are as for
// [NewSealed]; metrics may be nil. No error has any of a key in it.
func NewSealedOutcomes(outcomes Outcomes, keys [][]byte, metrics Metrics) (*SealedOutcomes, error) {
	sealer, err := seal.New(keys)
	if err != nil {
		return nil, err
	}
	return &SealedOutcomes{outcomes, sealer, OrDiscard(metrics)}, nil
}

var _ Outcomes = (*SealedOutcomes)(nil)

// Begin implements [Outcomes]. An outcome that cannot be decrypted is lost, and
// counted as Tampered.
func (s *SealedOutcomes) Begin(ctx context.Context, key OutcomeKey, fingerprint Fingerprint, lease time.Duration) (Outcome, error) {
	if err := key.Validate(); err != nil {
		return Outcome{}, err
	}
	digest := key.Digest()
	key.Canonical = hex.EncodeToString(digest[:])
	outcome, err := s.outcomes.Begin(ctx, key, fingerprint, lease)
	if err != nil {
		return Outcome{}, err
	}
	associated := outcomeAssociated(digest, fingerprint)
	switch outcome.State {
	case OutcomeBegun:
		outcome.Claim = &sealedClaim{outcome.Claim, s.sealer, associated}
	case OutcomeKept:
		body, ok := s.sealer.Open(outcome.Body, associated)
		if !ok {
			s.metrics.Count(StoreSealed, Tampered)
			return Outcome{State: OutcomeLost}, nil
		}
		outcome.Body = body
	case OutcomeLost, OutcomeOther:
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

// outcomeAssociated is what is authenticated with an outcome. No entry of a
// [Sealed] has the like, so that neither passes for the other under one key.
func outcomeAssociated(digest Digest, fingerprint Fingerprint) []byte {
	b := append([]byte("outcome\x00"), seal.Version)
	b = append(b, digest[:]...)
	return append(b, fingerprint[:]...)
}
