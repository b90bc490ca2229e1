package authn

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/digest"
)

// TokenPrefix begins every token of [NewToken], so that one that leaked can be
// recognised.
const TokenPrefix = "agw_"

// tokenBytes is the number of random bytes of a token. They cannot be
// guessed, so a digest without salt and stretching is enough.
const tokenBytes = 32

// maxToken bounds the tokens that are looked up, in bytes. Those of [NewToken]
// are far shorter; tokens may come from elsewhere.
const maxToken = 512

// NewToken makes a caller token: [TokenPrefix] and 43 base64url characters of 32
// random bytes. The second value is its SHA-256 in hex, for the policy; the token
// itself is for the caller, and is stored nowhere.
func NewToken() (token, sha256Hex string, err error) {
	var secret [tokenBytes]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", "", fmt.Errorf("make a token: %w", err)
	}
	token = TokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	return token, digest.Of([]byte(token)).Hex(), nil
}

// minNamed is how long an unknown token is, in bytes, whose digest is an id. One that is
// shorter may be a password in the wrong place, which its digest would let somebody guess.
const minNamed = 32

// tokenIDDigits is how much of its digest in hex names a token.
const tokenIDDigits = 12

type tokenEntry struct {
	digest  digest.Digest
	id      string    // the beginning of digest, in hex
	expires time.Time // zero: never
	caller  string
	next    uint32 // the number of another one with the same Index; 0 in all likelihood
}

// find is the entry with a digest; nil for none. It compares each with the same Index.
func (t *Table) find(is digest.Digest) *tokenEntry {
	var found *tokenEntry
	for number := t.tokens[is.Index()]; number > 0; {
		entry := t.entries.At(int(number - 1))
		if entry.digest.Equal(is) {
			found = entry
		}
		number = entry.next
	}
	return found
}

// token finds the caller of a token.
//
// Its timing only reveals whether some token has a digest with the same first
// 64 bits, and to find one takes 2⁶⁴ attempts. The rest is compared in constant
// time.
func (t *Table) token(presented string, now time.Time) (Identity, error) {
	if len(presented) > maxToken {
		return Identity{}, refuse(ReasonUnknownToken)
	}
	var text [maxToken]byte // On the stack: a refused token costs no memory.
	is := digest.Of(text[:copy(text[:], presented)])
	identity, err := t.known(is, now)
	if err != nil && len(presented) >= minNamed {
		err = presenting(err, is.Hex()[:tokenIDDigits])
	}
	return identity, err
}

// known finds the caller of the token with a digest.
func (t *Table) known(is digest.Digest, now time.Time) (Identity, error) {
	found := t.find(is)
	switch {
	case found == nil:
		return Identity{}, refuse(ReasonUnknownToken)
	case !found.expires.IsZero() && !now.Before(found.expires):
		return Identity{}, refused(ReasonExpiredToken, found.id)
	}
	// The table's own digest: that of the call need not outlive it.
	return Identity{Caller: found.caller, Method: MethodToken, CredentialID: found.id, Expires: found.expires, credential: (*tokenDigest)(&found.digest)}, nil
}
