package authn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// refreshed waits for a fetch that is begun, or under way.
func refreshed(t *testing.T, a *Authenticator, issuer string) {
	t.Helper()
	flight := a.issuers[issuer].keys.refresh(t.Context())
	if flight == nil {
		t.Fatal("no fetch may be made now")
	}
	<-flight
}

// unavailable is the answer of an issuer that is down.
func unavailable(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }

// However many tokens name keys that do not exist, the issuer is asked once in
// 30 seconds.
func TestUnknownKeysCostOneFetch(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	storm := func() {
		var all sync.WaitGroup
		for worker := range 20 {
			all.Go(func() {
				for i := range 50 {
					kid := fmt.Sprintf("random %d/%d", worker, i)
					wantRefused(t, a, table, bearerOf(key.tokenWith(t, key.header(map[string]any{"kid": kid}), claimsFor(p.url, clock, nil))), ReasonBadSignature)
				}
			})
		}
		all.Wait()
	}
	storm()
	if diff := cmp.Diff(once(), p.fetches()); diff != "" {
		t.Errorf("1,000 unknown keys: fetches (-want +got):\n%s", diff)
	}
	wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
	clock.advance(fetchInterval - 1)
	storm()
	if diff := cmp.Diff(once(), p.fetches()); diff != "" {
		t.Errorf("1,000 more within 30 s: fetches (-want +got):\n%s", diff)
	}
	clock.advance(1)
	storm()
	if diff := cmp.Diff(times(2), p.fetches()); diff != "" {
		t.Errorf("1,000 more after 30 s: fetches (-want +got):\n%s", diff)
	}
}

// Nor when it does not answer.
func TestUnknownKeysCostOneFetchThatFails(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	p.answer(unavailable)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	for range 1000 {
		wantRefused(t, a, table, bearerOf(key.token(t, claimsFor(p.url, clock, nil))), ReasonNoKeys)
	}
	if diff := cmp.Diff(map[string]int{"/.well-known/openid-configuration": 1}, p.fetches()); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}
	p.answer(nil)
	clock.advance(fetchInterval)
	wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
}

// Known keys work while the issuer is down, for a day; others are told apart
// from bad signatures.
func TestIssuerDown(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key, fresh := newSigningKey(t, "k1"), newSigningKey(t, "k2")
	p := newProvider(t, key)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	token := func(key signingKey) string { return key.token(t, claimsFor(p.url, clock, nil)) }
	wantCaller(t, a, table, token(key))

	p.server.Close()
	clock.advance(fetchInterval)
	wantRefused(t, a, table, bearerOf(token(fresh)), ReasonNoKeys)
	wantCaller(t, a, table, token(key))
	impostor := newSigningKey(t, "k1")
	wantRefused(t, a, table, bearerOf(token(impostor)), ReasonBadSignature)

	clock.advance(maxAge - fetchInterval - 1)
	wantCaller(t, a, table, token(key))
	clock.advance(1)
	wantRefused(t, a, table, bearerOf(token(key)), ReasonNoKeys)
}

// A gateway that was idle for days has no keys that it believes, and gets them.
func TestIdleForDays(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key, fresh := newSigningKey(t, "k1"), newSigningKey(t, "k1")
	p := newProvider(t, key)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
	p.serve(t, fresh)
	clock.advance(maxAge)
	wantRefused(t, a, table, bearerOf(key.token(t, claimsFor(p.url, clock, nil))), ReasonBadSignature)
	wantCaller(t, a, table, fresh.token(t, claimsFor(p.url, clock, nil)))
	if diff := cmp.Diff(times(2), p.fetches()); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}
}

// An Authenticator can be made, and tokens be checked, when the issuer is
// down.
func TestIssuerUnreachableAtStart(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	p.server.Close()
	var log lockedBuffer
	a, err := New(Config{Issuers: []Issuer{p.issuer()}, Now: clock.now, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	table := tableFor(t, p.url)
	token := key.token(t, claimsFor(p.url, clock, nil))
	for range 100 {
		refusal := refusalOf(t, a, table, bearerOf(token), ReasonNoKeys)
		if refusal.Err == nil || strings.Contains(refusal.Error(), token) {
			t.Fatalf("the error holds the token, or no cause: %v", refusal)
		}
	}
	a.issuers[p.url].keys.wg.Wait()
	if text := log.String(); strings.Count(text, "cannot fetch the keys") != 1 || !strings.Contains(text, p.url) || strings.Contains(text, token) {
		t.Errorf("want one line that names the issuer, and not the token:\n%s", text)
	}
}

// lockedBuffer is a buffer for several writers.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A key that is new is found when a token names it; one that is gone is not
// believed once the keys were fetched again.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	old, fresh := newSigningKey(t, "old"), newSigningKey(t, "fresh")
	p := newProvider(t, old)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	token := func(key signingKey) string { return key.token(t, claimsFor(p.url, clock, nil)) }
	wantCaller(t, a, table, token(old))

	p.serve(t, old, fresh)
	wantRefused(t, a, table, bearerOf(token(fresh)), ReasonBadSignature) // Too early to ask again.
	clock.advance(fetchInterval)
	wantCaller(t, a, table, token(fresh))
	wantCaller(t, a, table, token(old))
	if diff := cmp.Diff(times(2), p.fetches()); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}

	// Nobody names an unknown key, so the background has to notice.
	p.serve(t, fresh)
	clock.advance(refreshAge - 1)
	wantCaller(t, a, table, token(old))
	if diff := cmp.Diff(times(2), p.fetches()); diff != "" {
		t.Errorf("fetches within the hour (-want +got):\n%s", diff)
	}
	clock.advance(1)
	wantCaller(t, a, table, token(old)) // Served with what there is; begins the fetch.
	a.issuers[p.url].keys.wg.Wait()
	wantRefused(t, a, table, bearerOf(token(old)), ReasonBadSignature)
	wantCaller(t, a, table, token(fresh))
	if diff := cmp.Diff(times(3), p.fetches()); diff != "" {
		t.Errorf("fetches after the hour (-want +got):\n%s", diff)
	}
}

// A token without a kid finds a new key as well.
func TestKeyRotationWithoutNames(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	old, fresh := newSigningKey(t, ""), newSigningKey(t, "")
	p := newProvider(t, old)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	token := func(key signingKey) string {
		return key.tokenWith(t, key.header(map[string]any{"kid": nil}), claimsFor(p.url, clock, nil))
	}
	wantCaller(t, a, table, token(old))
	p.serve(t, old, fresh)
	clock.advance(fetchInterval)
	wantCaller(t, a, table, token(fresh))
	wantCaller(t, a, table, token(old))
}

// The background asks again at most once in 30 seconds, for as long as it takes.
func TestBackgroundRefreshThatFails(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	use := func() {
		t.Helper()
		for range 50 {
			wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
		}
		a.issuers[p.url].keys.wg.Wait()
	}
	use()
	p.answer(unavailable)
	clock.advance(refreshAge)
	use()
	use()
	clock.advance(fetchInterval)
	use()
	want := map[string]int{"/.well-known/openid-configuration": 3, "/keys": 1}
	if diff := cmp.Diff(want, p.fetches()); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}
}

// An answer that is not a set of keys leaves the old ones in use.
func TestBadKeysLeaveTheOldOnes(t *testing.T) {
	t.Parallel()
	key, foreign := newSigningKey(t, "k1"), newSigningKey(t, "k2")
	good := toJSON(t, foreign.jwk())
	many := `{"keys":[` + strings.Repeat(string(good)+",", maxKeys) + string(good) + `]}`
	for name, document := range map[string]string{
		"empty":           ``,
		"not JSON":        `<html>`,
		"null":            `null`,
		"a list":          `[]`,
		"no keys":         `{}`,
		"keys null":       `{"keys":null}`,
		"keys empty":      `{"keys":[]}`,
		"keys no list":    `{"keys":{}}`,
		"nothing of use":  `{"keys":[{},null,1,"a",{"kty":"EC"},{"kty":"oct","k":"c2VjcmV0","kid":"k2"}]}`,
		"cut off":         many[:len(many)/2],
		"101 keys":        many,
		"over 1 MiB":      `{"keys":[` + string(good) + `],"x":"` + strings.Repeat("x", maxDocument) + `"}`,
		"something twice": `{"keys":[` + string(good) + `],"keys":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newHandClock()
			p := newProvider(t, key)
			a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
			wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
			p.serveDocument([]byte(document))
			clock.advance(fetchInterval)
			refreshed(t, a, p.url)
			wantRefused(t, a, table, bearerOf(foreign.token(t, claimsFor(p.url, clock, nil))), ReasonNoKeys)
			wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
			if got := p.fetches()["/keys"]; got != 2 {
				t.Errorf("the keys were fetched %d times, want 2", got)
			}
		})
	}
}

// How many keys are tried on a token is bounded.
func TestTokenWithoutNameIsTriedOnFewKeys(t *testing.T) {
	t.Parallel()
	key := newSigningKey(t, "")
	keys := make([]jose.JSONWebKey, maxKeys)
	for i := range keys {
		keys[i] = key.jwk()
	}
	tried := 0
	named, good := tryKeys(keys, "", "ES256", func(*jose.JSONWebKey) bool { tried++; return false })
	if named || good || tried != maxTries {
		t.Errorf("%d keys were tried (named %t, good %t), want %d", tried, named, good, maxTries)
	}
}

// slowIssuer is an issuer whose fetches end when the test lets them.
type slowIssuer struct {
	begun   atomic.Int32
	release chan []jose.JSONWebKey
}

func (s *slowIssuer) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	s.begun.Add(1)
	select {
	case keys := <-s.release:
		return keys, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newSlowKeySet(t *testing.T) (*keySet, *slowIssuer) {
	t.Helper()
	issuer := &slowIssuer{release: make(chan []jose.JSONWebKey)}
	set := newKeySet("https://issuer.example", issuer.fetch, time.Now, slog.New(slog.DiscardHandler))
	t.Cleanup(set.close)
	return set, issuer
}

func anyKey(*jose.JSONWebKey) bool { return true }

// A caller waits as long as it wants to; the others go on waiting for the fetch
// that it began.
func TestSlowIssuer(t *testing.T) {
	t.Parallel()
	keys := []jose.JSONWebKey{newSigningKey(t, "k1").jwk()}
	synctest.Test(t, func(t *testing.T) {
		set, issuer := newSlowKeySet(t)
		began := time.Now()
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			err := set.verify(hasty, "k1", "ES256", anyKey)
			if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != ReasonNoKeys || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the hasty one got %v", err)
			}
			if waited := time.Since(began); waited != time.Second {
				t.Errorf("the hasty one waited %v, want 1 s", waited)
			}
		})
		synctest.Wait() // The hasty one is the one that began the fetch.
		for range 100 {
			all.Go(func() {
				if err := set.verify(t.Context(), "k1", "ES256", anyKey); err != nil {
					t.Errorf("a patient one got %v", err)
				}
				if waited := time.Since(began); waited != 5*time.Second {
					t.Errorf("a patient one waited %v, want 5 s", waited)
				}
			})
		}
		time.Sleep(5 * time.Second) //nolint:forbidigo // The clock of the bubble.
		issuer.release <- keys
		all.Wait()
		if got := issuer.begun.Load(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
	})
}

// Nobody waits longer than a fetch may take, with or without a deadline.
func TestSilentIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		set, issuer := newSlowKeySet(t)
		began := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				err := set.verify(t.Context(), "k1", "ES256", anyKey)
				if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != ReasonNoKeys {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if waited := time.Since(began); waited != fetchTimeout {
			t.Errorf("waited %v, want %v", waited, fetchTimeout)
		}
		// And who comes now waits for nothing.
		if err := set.verify(t.Context(), "k1", "ES256", anyKey); err == nil || time.Since(began) != fetchTimeout {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		if got := issuer.begun.Load(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
	})
}

// Close ends a fetch and the calls that wait for it, and none begins after
// it.
func TestCloseEndsAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		set, issuer := newSlowKeySet(t)
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			if err := set.verify(t.Context(), "k1", "ES256", anyKey); err == nil {
				t.Error("accepted without keys")
			}
		})
		synctest.Wait()
		set.close()
		all.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it took %v", waited)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // The clock of the bubble.
		err := set.verify(t.Context(), "k1", "ES256", anyKey)
		if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != ReasonNoKeys {
			t.Errorf("after close: got %v", err)
		}
		if got := issuer.begun.Load(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
	})
}

// Close waits for what it ends.
func TestCloseWaitsForAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		set := newKeySet("https://issuer.example", func(ctx context.Context) ([]jose.JSONWebKey, error) {
			<-ctx.Done()
			time.Sleep(time.Second) //nolint:forbidigo // The clock of the bubble.
			ended.Store(true)
			return nil, ctx.Err()
		}, time.Now, slog.New(slog.DiscardHandler))
		_ = set.refresh(t.Context())
		synctest.Wait()
		set.close()
		if !ended.Load() {
			t.Error("the fetch is still under way")
		}
	})
}

// Known keys outlive Close, and Close may come at any moment.
func TestCloseDuringCalls(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				clock.advance(fetchInterval)
				identity, err := a.Authenticate(t.Context(), table, bearerOf(newSigningKey(t, "k2").token(t, claimsFor(p.url, clock, nil))))
				if err == nil {
					t.Errorf("an unknown subject is %+v", identity)
				}
			}
		})
	}
	all.Go(a.Close)
	all.Wait()
	wantCaller(t, a, table, key.token(t, claimsFor(p.url, clock, nil)))
}
