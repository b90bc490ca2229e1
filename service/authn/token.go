package authn

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
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
	digest := sha256.Sum256([]byte(token))
	return token, hex.EncodeToString(digest[:]), nil
}

type tokenEntry struct {
	digest  [sha256.Size]byte
	id      string    // of the credential
	expires time.Time // zero: never
	caller  string
}

// digestIndex is the part of a digest by which entries are found.
func digestIndex(digest [sha256.Size]byte) uint64 { return binary.BigEndian.Uint64(digest[:]) }

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
	digest := sha256.Sum256(text[:copy(text[:], presented)])
	var found *tokenEntry
	entries := t.tokens[digestIndex(digest)]
	for i := range entries {
		if subtle.ConstantTimeCompare(entries[i].digest[:], digest[:]) == 1 {
			found = &entries[i]
		}
	}
	switch {
	case found == nil:
		return Identity{}, refuse(ReasonUnknownToken)
	case !found.expires.IsZero() && !now.Before(found.expires):
		return Identity{}, refuse(ReasonExpiredToken)
	}
	return Identity{Caller: found.caller, Method: MethodToken, CredentialID: found.id}, nil
}
