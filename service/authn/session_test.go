package authn

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func keysOf(keys ...string) func(context.Context) ([][]byte, error) {
	raw := make([][]byte, len(keys))
	for i, key := range keys {
		raw[i] = []byte(key)
	}
	return func(context.Context) ([][]byte, error) { return raw, nil }
}

// tableOf is a table in which a subject is the caller "mine".
func tableOf(tb testing.TB, issuer, subject string) *Table {
	tb.Helper()
	return newTable(tb, []string{issuer}, Caller{"mine", []Credential{{JWT: &JWTSubject{issuer, subject}}}})
}

// sessionFor exchanges a JWT for a session.
func sessionFor(tb testing.TB, a *Authenticator, table *Table, jwt string) Session {
	tb.Helper()
	identity, err := a.Authenticate(tb.Context(), table, bearerOf(jwt))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := a.NewSession(tb.Context(), identity)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// bench is an issuer, and replicas that believe in it.
type bench struct {
	clock *handClock
	key   signingKey
	p     *provider
	table *Table
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{clock: newHandClock(), key: newSigningKey(t, "k1")}
	b.p = newProvider(t, b.key)
	b.table = tableOf(t, b.p.url, testSubject)
	return b
}

func (b *bench) replica(t *testing.T, keys ...string) *Authenticator {
	t.Helper()
	a, err := New(Config{Issuers: []Issuer{b.p.issuer()}, Now: b.clock.now, SessionKeys: keysOf(keys...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func (b *bench) jwt(t *testing.T, life time.Duration) string {
	t.Helper()
	return b.key.token(t, claimsFor(b.p.url, b.clock, map[string]any{"exp": b.clock.now().Add(life).Unix()}))
}

func wantReason(t *testing.T, what string, err error, want Reason) {
	t.Helper()
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Reason != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// TestSessionIsOfEveryReplica: a session is recognised by a replica that has never heard
// of it, also while the keys are being exchanged, and by none with other keys.
func TestSessionIsOfEveryReplica(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := sessionFor(t, b.replica(t, "new", "old"), b.table, b.jwt(t, time.Hour))
	for name, a := range map[string]*Authenticator{"the same keys": b.replica(t, "new", "old"), "the next keys": b.replica(t, "newest", "new")} {
		identity, err := a.Authenticate(t.Context(), b.table, bearerOf(s.Token))
		if err != nil || identity.Caller != "mine" || identity.Method != MethodSession || !identity.Expires.Equal(s.Ends) {
			t.Errorf("%s: %+v, %v", name, identity, err)
		}
	}
	_, err := b.replica(t, "old", "other").Authenticate(t.Context(), b.table, bearerOf(s.Token))
	wantReason(t, "other keys", err, ReasonUnknownToken)
	_, err = newAuthenticator(t, b.clock, b.p.issuer()).Authenticate(t.Context(), b.table, bearerOf(s.Token))
	wantReason(t, "without sessions", err, ReasonUnknownToken)
	lost := b.replica(t, "new")
	lost.sessions.keys = func(context.Context) ([][]byte, error) { return nil, errors.New("no file") }
	_, err = lost.Authenticate(t.Context(), b.table, bearerOf(s.Token))
	wantReason(t, "keys that cannot be read", err, ReasonNoKeys)
}

// TestSessionEnds: a session ends with an hour or with its JWT, whichever is earlier, and
// cannot be exchanged for another one.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.replica(t, "one")
	for life, want := range map[time.Duration]time.Duration{
		10 * time.Minute: 10 * time.Minute, time.Hour: time.Hour, 24 * time.Hour: time.Hour,
	} {
		s := sessionFor(t, a, b.table, b.jwt(t, life))
		if got := s.Ends.Sub(b.clock.now()); got != want {
			t.Errorf("a JWT of %s: a session of %s, want %s", life, got, want)
		}
	}
	short := sessionFor(t, a, b.table, b.jwt(t, 10*time.Minute))
	b.clock.advance(10*time.Minute - time.Second)
	identity, err := a.Authenticate(t.Context(), b.table, bearerOf(short.Token))
	if err != nil {
		t.Fatal(err)
	}
	if created, ok := SessionOf(identity); !ok || !created.Equal(short.Created) {
		t.Errorf("made at %s, %t, want %s", created, ok, short.Created)
	}
	if _, err := a.NewSession(t.Context(), identity); !errors.Is(err, ErrNotJWT) {
		t.Errorf("a session of a session: %v", err)
	}
	b.clock.advance(time.Second)
	_, err = a.Authenticate(t.Context(), b.table, bearerOf(short.Token))
	wantReason(t, "at its end", err, ReasonExpiredToken)

	expiring, err := a.Authenticate(t.Context(), b.table, bearerOf(b.jwt(t, -10*time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.NewSession(t.Context(), expiring)
	wantReason(t, "of a JWT that lives by the skew alone", err, ReasonExpired)
}

// TestSessionIsOfAJWT: no other credential is exchanged, and none where there are no
// sessions.
func TestSessionIsOfAJWT(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, digest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(t, nil, Caller{"mine", []Credential{{TokenSHA256: digest}}})
	a := b.replica(t, "one")
	identity, err := a.Authenticate(t.Context(), table, bearerOf(token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.NewSession(t.Context(), identity); !errors.Is(err, ErrNotJWT) {
		t.Errorf("of a token: %v", err)
	}
	if err := a.RevokeSession(identity); !errors.Is(err, ErrNotSession) {
		t.Errorf("a token was revoked: %v", err)
	}
	if _, err := newAuthenticator(t, b.clock).NewSession(t.Context(), identity); !errors.Is(err, ErrNoSessions) {
		t.Errorf("without sessions: %v", err)
	}
}

// TestForgedSessions: no change of a token is accepted, nor is anything else that begins
// like one.
func TestForgedSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.replica(t, "one")
	genuine := sessionFor(t, a, b.table, b.jwt(t, time.Hour)).Token
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(genuine, SessionPrefix))
	if err != nil {
		t.Fatal(err)
	}
	forged := map[string]string{
		"nothing": SessionPrefix + "A", "not base64": SessionPrefix + "+/+/", "longer": genuine + "AAAA",
		"endless": SessionPrefix + strings.Repeat("A", maxSessionToken),
	}
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 1
		forged["byte "+string(rune('A'+i%26))+strings.Repeat("'", i/26)] = SessionPrefix + base64.RawURLEncoding.EncodeToString(changed)
		forged["cut "+string(rune('A'+i%26))+strings.Repeat("'", i/26)] = SessionPrefix + base64.RawURLEncoding.EncodeToString(raw[:i])
	}
	for name, token := range forged {
		_, err := a.Authenticate(t.Context(), b.table, bearerOf(token))
		if refused, ok := errors.AsType[*Error](err); !ok || refused.Reason != ReasonUnknownToken && refused.Reason != ReasonMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRevokedSession: a session that was revoked is none, in new calls and in those that
// are under way. Other sessions of its caller stay.
func TestRevokedSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.replica(t, "one")
	s, other := sessionFor(t, a, b.table, b.jwt(t, time.Hour)), sessionFor(t, a, b.table, b.jwt(t, time.Hour))
	identity, err := a.Authenticate(t.Context(), b.table, bearerOf(s.Token))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // To revoke it again changes nothing.
		if err := a.RevokeSession(identity); err != nil {
			t.Fatal(err)
		}
	}
	_, err = a.Authenticate(t.Context(), b.table, bearerOf(s.Token))
	wantReason(t, "revoked", err, ReasonRevokedToken)
	wantWithdrawn(t, "a call under way", a.Stands(b.table, identity))
	if _, err := a.Authenticate(t.Context(), b.table, bearerOf(other.Token)); err != nil {
		t.Errorf("another session of the caller: %v", err)
	}
}

// TestRevocationsAreBounded: a caller fills its own places and not those of others, is
// refused beyond, and gets places back when its sessions end.
func TestRevocationsAreBounded(t *testing.T) {
	t.Parallel()
	now := newHandClock().now()
	var r revocations
	of := func(caller string, i int, life time.Duration) *session {
		return &session{caller: caller, id: [sessionIDBytes]byte{byte(i), byte(i >> 8), byte(i >> 16)}, ends: now.Add(life)}
	}
	for i := range maxRevokedOf {
		if err := r.add(of("hostile", i, time.Duration(2+i)*time.Minute), now); err != nil {
			t.Fatal(err)
		}
	}
	late := of("hostile", maxRevokedOf, time.Hour)
	limited, ok := errors.AsType[*SessionLimitError](r.add(late, now))
	if !ok || limited.RetryAfter != 2*time.Minute {
		t.Fatalf("beyond its places: %v", limited)
	}
	if !r.has(of("hostile", 0, 0)) {
		t.Error("a revoked session was forgotten before its end")
	}
	if err := r.add(of("other", 0, time.Hour), now); err != nil {
		t.Errorf("another caller: %v", err)
	}
	if err := r.add(late, now.Add(limited.RetryAfter)); err != nil || !r.has(late) {
		t.Errorf("when the first has ended: %v", err)
	}
	for caller := 0; r.total < maxRevoked; caller++ {
		for i := range min(maxRevokedOf, maxRevoked-r.total) {
			if err := r.add(of("c"+string(rune(caller)), i, time.Minute), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if limited, ok := errors.AsType[*SessionLimitError](r.add(of("new", 0, time.Minute), now)); !ok || limited.RetryAfter != time.Minute {
		t.Errorf("beyond all places: %v", limited)
	}
	if err := r.add(of("new", 0, time.Hour), now.Add(time.Minute)); err != nil || r.total > maxRevokedOf+2 {
		t.Errorf("when most have ended: %v, %d are left", err, r.total)
	}
}

// FuzzSession: no text is a session but those that were made.
func FuzzSession(f *testing.F) {
	clock := newHandClock()
	of := &sessions{keys: keysOf("one")}
	s := &session{of: of, created: clock.now(), ends: clock.now().Add(time.Hour), caller: "mine", subject: JWTSubject{"https://issuer.example", "me"}}
	genuine := s.token([]byte("one"))
	f.Add(genuine)
	f.Add(SessionPrefix)
	f.Add(genuine[:len(genuine)-4])
	table := &Table{subjects: map[JWTSubject]string{s.subject: "mine"}}
	f.Fuzz(func(t *testing.T, token string) {
		identity, err := of.authenticate(t.Context(), table, token, clock.now())
		if (err == nil) != (strings.TrimPrefix(token, SessionPrefix) == strings.TrimPrefix(genuine, SessionPrefix)) {
			t.Errorf("%q: %+v, %v", token, identity, err)
		}
		body := []byte(token)
		if parsed, ok := parseSession(body); ok && string(parsed.appendBody(nil)) != token && len(parsed.appendBody(nil)) > len(body) {
			t.Errorf("%q was read as another session", token)
		}
	})
}
