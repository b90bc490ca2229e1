package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Config configures an [Authenticator].
type Config struct {
	// Issuers are the issuers whose JWTs are accepted; there may be none.
	Issuers []Issuer
	// SessionKeys are the keys of sessions, which all replicas have: the first makes
	// tokens, any recognises them. It is called for each token. nil: no sessions.
	SessionKeys func(context.Context) ([][]byte, error)
	// Logger gets a line when the keys of an issuer cannot be fetched, at most
	// once in 30 seconds for each issuer. nil discards.
	Logger *slog.Logger
	// Now is the clock; nil: [time.Now].
	Now func() time.Time
}

// Authenticator turns credentials into callers. It holds the keys of issuers,
// which outlive a policy. It is used by many goroutines at once.
type Authenticator struct {
	issuers  map[string]*issuer // by URL
	sessions *sessions          // nil: none
	now      func() time.Time
	urls     []string
}

// New makes an Authenticator. It sends no request to an issuer before the first
// token. The error joins all faults of the issuers.
func New(config Config) (*Authenticator, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{issuers: map[string]*issuer{}, now: config.Now}
	if config.SessionKeys != nil {
		a.sessions = &sessions{keys: config.SessionKeys}
	}
	var faults []error
	for i, each := range config.Issuers {
		if err := each.check(); err != nil {
			faults = append(faults, fmt.Errorf("issuers[%d]: %w", i, err))
			continue
		}
		if a.issuers[each.URL] != nil {
			faults = append(faults, fmt.Errorf("issuers[%d]: there is another issuer %s", i, each.URL))
			continue
		}
		a.issuers[each.URL] = newIssuer(each, config.Now, config.Logger)
		a.urls = append(a.urls, each.URL)
	}
	if len(faults) > 0 {
		a.Close()
		return nil, errors.Join(faults...)
	}
	return a, nil
}

// Issuers returns the URLs of the issuers, for [NewTable].
func (a *Authenticator) Issuers() []string { return append([]string(nil), a.urls...) }

// Close ends the fetches that are under way, and waits for their end. Keys
// that are known still work after it, and no others are fetched.
func (a *Authenticator) Close() {
	var all sync.WaitGroup
	for _, each := range a.issuers {
		all.Go(each.keys.close)
	}
	all.Wait()
}

// Authenticate finds the caller of a call. Where there is an Authorization
// header, it alone counts: a good certificate does not make up for a bad token.
// The error is an [*Error]. No wait is longer than ctx allows, nor than 10
// seconds, which is how long an issuer may take to hand out its keys.
//
// The table holds the callers of the policy that is in force; nil has none.
func (a *Authenticator) Authenticate(ctx context.Context, table *Table, e Evidence) (Identity, error) {
	if table == nil {
		table = &Table{}
	}
	if len(e.Authorization) == 0 {
		return table.certificateAt(e.TLS, a.now())
	}
	credential, err := bearer(e.Authorization)
	if err != nil {
		return Identity{}, err
	}
	if looksLikeJWT(credential) {
		return a.jwt(ctx, table, credential)
	}
	if a.sessions != nil && strings.HasPrefix(credential, SessionPrefix) {
		return a.sessions.authenticate(ctx, table, credential, a.now())
	}
	return table.token(credential, a.now())
}
