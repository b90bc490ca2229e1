package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Issuer issues JWTs that are accepted: an OIDC provider, or a Kubernetes
// cluster.
type Issuer struct {
	// URL is the "iss" of the tokens, compared exactly: a slash at the end
	// matters. Unless there is a JWKSURL, it is where OIDC discovery begins, and
	// then it is https, or http on a loopback address.
	URL string
	// Audiences are the accepted audiences; a token needs one of them in "aud".
	// There is at least one.
	Audiences []string
	// Algorithms are the accepted signature algorithms, of RS256, RS384, RS512,
	// PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA; none: RS256 and ES256.
	Algorithms []string
	// JWKSURL is the URL of the keys, in place of OIDC discovery; optional.
	JWKSURL string
	// CAFile holds the authorities, in PEM, that the issuer's server is verified
	// against, in place of the system's; optional. It is read at each fetch.
	CAFile string
	// TokenFile holds a bearer token for fetching; optional. It is read at each
	// fetch, and goes to the host of URL or JWKSURL alone: a Kubernetes API
	// server that announces its keys at another address needs JWKSURL set.
	TokenFile string
}

// CountKeys fetches the keys of the issuer once, as an [Authenticator] does, and returns
// how many there are that verify tokens. The error has no secret.
func (i Issuer) CountKeys(ctx context.Context) (int, error) {
	if err := i.check(); err != nil {
		return 0, err
	}
	keys, err := (&fetcher{issuer: i}).keys(ctx)
	return len(keys), err
}

// algorithms are all those that may be allowed: asymmetric ones. With a
// symmetric one, a public key would do for a secret.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512,
	oidc.PS256, oidc.PS384, oidc.PS512,
	oidc.ES256, oidc.ES384, oidc.ES512,
	oidc.EdDSA,
}

// maxURL bounds URLs of issuers, in bytes.
const maxURL = 2048

// check returns all faults of an issuer's configuration.
func (i Issuer) check() error {
	var faults []error
	fault := func(field, reason string) { faults = append(faults, fmt.Errorf("%s: %s", field, reason)) }
	if i.URL == "" {
		fault("url", "is missing")
	} else if i.JWKSURL == "" {
		if uri, err := fetchURL(i.URL, true); err != nil {
			fault("url", err.Error())
		} else if uri.RawQuery != "" || uri.ForceQuery {
			fault("url", "has a query")
		}
	}
	if i.JWKSURL != "" {
		if _, err := fetchURL(i.JWKSURL, true); err != nil {
			fault("jwks_url", err.Error())
		}
	}
	if len(i.Audiences) == 0 {
		fault("audiences", "needs at least one, or tokens for any audience would be accepted")
	}
	if slices.Contains(i.Audiences, "") {
		fault("audiences", "one is empty")
	}
	for _, algorithm := range i.Algorithms {
		if !slices.Contains(algorithms, algorithm) {
			fault("algorithms", fmt.Sprintf("%q is none of %s", algorithm, strings.Join(algorithms, ", ")))
		}
	}
	return errors.Join(faults...)
}

// fetchURL parses a URL to fetch from: https, or, where that is allowed, http
// on a loopback address.
func fetchURL(raw string, loopbackHTTP bool) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, fmt.Errorf("is longer than %d bytes", maxURL)
	}
	uri, err := url.Parse(raw)
	switch {
	case err != nil || uri.Host == "" || uri.Hostname() == "":
		return nil, errors.New("is not an absolute URL")
	case uri.User != nil || strings.Contains(raw, "#"):
		return nil, errors.New("has a user or a fragment")
	case uri.Scheme == "https":
	case uri.Scheme != "http" || !loopbackHTTP || !isLoopback(uri.Hostname()):
		return nil, errors.New("is not https")
	}
	return uri, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// issuer is an Issuer with its keys.
type issuer struct {
	Issuer
	keys *keySet
}

func newIssuer(config Issuer, now func() time.Time, logger *slog.Logger) *issuer {
	if len(config.Algorithms) == 0 {
		config.Algorithms = []string{oidc.RS256, oidc.ES256}
	}
	fetch := &fetcher{issuer: config}
	return &issuer{Issuer: config, keys: newKeySet(config.URL, fetch.keys, now, logger)}
}

// verify verifies the signature of a token whose claims were parsed before.
func (i *issuer) verify(ctx context.Context, token *jwt) error {
	proof := &signature{keys: i.keys, token: token}
	verifier := oidc.NewVerifier(i.URL, proof, &oidc.Config{
		SupportedSigningAlgs: i.Algorithms,
		// Ours are stricter: several audiences, 30 seconds of skew where go-oidc
		// leaves five minutes, "exp" required, "iat" looked at.
		SkipClientIDCheck: true,
		SkipExpiryCheck:   true,
	})
	if _, err := verifier.Verify(ctx, token.raw); err != nil {
		if proof.refusal != nil {
			return proof.refusal
		}
		// The error quotes the token, so it is dropped.
		return refuse(ReasonMalformed)
	}
	if !proof.good {
		return refuse(ReasonBadSignature) // go-oidc did not call VerifySignature.
	}
	return nil
}
