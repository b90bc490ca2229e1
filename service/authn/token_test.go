package authn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNewToken(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^agw_[A-Za-z0-9_-]{43}$`)
	seen := map[string]bool{}
	for range 100 {
		token, digest, err := NewToken()
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(token) || seen[token] {
			t.Errorf("%q is of another form, or was there before", token)
		}
		seen[token] = true
		if sum := sha256.Sum256([]byte(token)); digest != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is not its digest", digest)
		}
		if _, err := bearer([]string{"Bearer " + token}); err != nil || looksLikeJWT(token) {
			t.Errorf("%q cannot be presented: %v", token, err)
		}
	}
}

// A caller moves from one token to the other: both work, and each ends on its own.
func TestTokenRotationAndExpiry(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	old, oldDigest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	fresh, freshDigest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator(t, clock)
	table := newTable(t, nil, Caller{Name: testCaller, Credentials: []Credential{
		{TokenSHA256: oldDigest, Expires: clock.now().Add(time.Hour)},
		{TokenSHA256: freshDigest},
	}})
	accepted := func(token string) {
		t.Helper()
		got, err := a.Authenticate(t.Context(), table, bearerOf(token))
		if want := (Identity{Caller: testCaller, Method: MethodToken, CredentialID: got.CredentialID}); err != nil || got != want || got.CredentialID == "" {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	accepted(old)
	accepted(fresh)
	clock.advance(time.Hour - 1)
	accepted(old)
	clock.advance(1)
	wantRefused(t, a, table, bearerOf(old), ReasonExpiredToken)
	accepted(fresh)
	clock.advance(100 * 365 * 24 * time.Hour)
	accepted(fresh)
}

// Digests that share the part by which they are found are still told apart.
func TestTokensWithOneIndex(t *testing.T) {
	t.Parallel()
	const token = "agw_token"
	digest := sha256.Sum256([]byte(token))
	var callers []Caller
	for i := range 5 {
		twin := digest
		if i != 3 {
			twin[len(twin)-1] ^= byte(i + 1)
		}
		callers = append(callers, Caller{Name: fmt.Sprint(i), Credentials: []Credential{{TokenSHA256: hex.EncodeToString(twin[:])}}})
	}
	table := newTable(t, nil, callers...)
	if len(table.tokens) != 1 {
		t.Fatalf("%d indices, want one", len(table.tokens))
	}
	if got, err := table.token(token, time.Time{}); err != nil || got.Caller != "3" {
		t.Errorf("got %+v, %v", got, err)
	}
	callers = append(callers[:3], callers[4])
	if got, err := newTable(t, nil, callers...).token(token, time.Time{}); err == nil {
		t.Errorf("a digest with the same beginning is enough: %+v", got)
	}
}

// A token is looked up whole or not at all.
func TestLongTokens(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxToken)
	digest := sha256.Sum256([]byte(long))
	a := newAuthenticator(t, newHandClock())
	table := newTable(t, nil, Caller{Name: testCaller, Credentials: []Credential{{TokenSHA256: hex.EncodeToString(digest[:])}}})
	if got, err := a.Authenticate(t.Context(), table, bearerOf(long)); err != nil || got.Caller != testCaller {
		t.Errorf("got %+v, %v", got, err)
	}
	wantRefused(t, a, table, bearerOf(long+"b"), ReasonUnknownToken)
	wantRefused(t, a, table, bearerOf(long[1:]), ReasonUnknownToken)
}

// The table and a list that is searched agree.
func TestTokensProperty(t *testing.T) {
	t.Parallel()
	type owned struct {
		caller  string
		expires time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "now"), 0)
		owners := map[string]owned{}
		var callers []Caller
		for i := range rapid.IntRange(0, 20).Draw(t, "callers") {
			caller := Caller{Name: fmt.Sprintf("caller %d", i)}
			for range rapid.IntRange(0, maxTokens).Draw(t, "tokens") {
				token := rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "token")
				if _, taken := owners[token]; taken {
					continue
				}
				owner := owned{caller: caller.Name}
				if rapid.Bool().Draw(t, "expires") {
					owner.expires = now.Add(time.Duration(rapid.Int64Range(-2, 2).Draw(t, "in")))
				}
				owners[token] = owner
				digest := sha256.Sum256([]byte(token))
				caller.Credentials = append(caller.Credentials, Credential{TokenSHA256: hex.EncodeToString(digest[:]), Expires: owner.expires})
			}
			callers = append(callers, caller)
		}
		table, err := NewTable(callers, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range rapid.SliceOf(rapid.StringMatching(`[a-z]{1,3}`)).Draw(t, "presented") {
			check(t, table, token, now, owners[token].caller, owners[token].expires)
		}
		for token, owner := range owners {
			check(t, table, token, now, owner.caller, owner.expires)
		}
	})
}

// check wants a token to be the caller's; "" is no caller.
func check(t *rapid.T, table *Table, token string, now time.Time, caller string, expires time.Time) {
	got, err := table.token(token, now)
	switch expired := !expires.IsZero() && !now.Before(expires); {
	case caller == "":
		if err == nil || err.Error() != "not authenticated: unknown_token" {
			t.Fatalf("%q is nobody's: got %+v, %v", token, got, err)
		}
	case expired:
		if err == nil || err.Error() != "not authenticated: expired_token" {
			t.Fatalf("%q has expired: got %+v, %v", token, got, err)
		}
	case err != nil || got.Caller != caller:
		t.Fatalf("%q is that of %s: got %+v, %v", token, caller, got, err)
	}
}

func BenchmarkToken(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			var callers []Caller
			var token string
			for i := range n {
				var digest string
				var err error
				if token, digest, err = NewToken(); err != nil {
					b.Fatal(err)
				}
				callers = append(callers, Caller{Name: fmt.Sprint(i), Credentials: []Credential{{TokenSHA256: digest}}})
			}
			a, table, evidence := newAuthenticator(b, newHandClock()), newTable(b, nil, callers...), bearerOf(token)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), table, evidence); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
