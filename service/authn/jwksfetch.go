package authn

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDocument bounds an answer of an issuer, in bytes.
	maxDocument = 1 << 20
	// maxKeys bounds how many keys an issuer may have.
	maxKeys = 100
	// maxRedirects bounds the redirects of one request.
	maxRedirects = 3
	// minRSABits and maxRSABits bound the RSA keys that are used: shorter ones
	// are not safe, longer ones take long to verify, and go-jose does not parse them.
	minRSABits, maxRSABits = 2048, 4096
)

// fetcher fetches the keys of an issuer. It keeps nothing from one fetch to the
// next, so changed files take effect.
type fetcher struct{ issuer Issuer }

// keys finds out where the keys are, and fetches them.
func (f *fetcher) keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	client, err := f.client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	at, configured := f.issuer.JWKSURL, true
	if at == "" {
		configured = false
		at, err = f.discover(ctx, client, token)
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	// An issuer on the network must not send the gateway to its own machine in
	// the clear.
	uri, err := fetchURL(at, configured || strings.HasPrefix(f.issuer.URL, "http://"))
	if err != nil {
		return nil, fmt.Errorf("the URL of the keys %w", err)
	}
	document, err := get(ctx, client, uri, f.tokenFor(uri, token))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return parseKeys(document)
}

// discover asks for the provider's metadata (OpenID Connect Discovery 1.0,
// section 4), and returns where its keys are.
func (f *fetcher) discover(ctx context.Context, client *http.Client, token string) (string, error) {
	uri, err := fetchURL(strings.TrimSuffix(f.issuer.URL, "/")+"/.well-known/openid-configuration", true)
	if err != nil {
		return "", fmt.Errorf("the issuer's URL %w", err)
	}
	document, err := get(ctx, client, uri, f.tokenFor(uri, token))
	if err != nil {
		return "", err
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &metadata); err != nil {
		return "", errors.New("the answer is not the JSON of a provider")
	}
	if metadata.Issuer != f.issuer.URL {
		return "", errors.New("the answer is that of another issuer")
	}
	return metadata.JWKSURI, nil
}

// client makes the HTTP client of one fetch.
func (f *fetcher) client() (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.issuer.CAFile != "" {
		pem, err := readBounded(f.issuer.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file %s: %w", f.issuer.CAFile, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s: it holds no certificate", f.issuer.CAFile)
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: fetchTimeout}).DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    fetchTimeout,
			ForceAttemptHTTP2:      true,
			IdleConnTimeout:        fetchTimeout,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return errors.New("too many redirects")
			case !sameOrigin(next.URL, via[0].URL):
				return errors.New("a redirect to another host")
			}
			return nil
		},
	}, nil
}

// token reads the token with which to fetch; "" when there is none.
func (f *fetcher) token() (string, error) {
	if f.issuer.TokenFile == "" {
		return "", nil
	}
	text, err := readBounded(f.issuer.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", f.issuer.TokenFile, err)
	}
	token := string(bytes.TrimSpace(text))
	if len(token) > maxCredential || !isB64Token(token) {
		return "", fmt.Errorf("token file %s: it holds no bearer token", f.issuer.TokenFile)
	}
	return token, nil
}

// tokenFor returns the token when it is meant for the host of the URL: one that
// the operator configured, and not one from an answer.
func (f *fetcher) tokenFor(uri *url.URL, token string) string {
	for _, named := range []string{f.issuer.URL, f.issuer.JWKSURL} {
		if known, err := url.Parse(named); err == nil && sameOrigin(uri, known) {
			return token
		}
	}
	return ""
}

func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if u.Port() == "" && u.Scheme == "https" {
			return "443"
		}
		return u.Port()
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// get fetches a document. The error does not quote the answer.
func get(ctx context.Context, client *http.Client, uri *url.URL, token string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if token != "" {
		request.Header.Set("Authorization", bearerScheme+" "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered with status %d", uri.Redacted(), response.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", uri.Redacted(), err)
	case len(document) > maxDocument:
		return nil, fmt.Errorf("%s answered with more than %d bytes", uri.Redacted(), maxDocument)
	}
	return document, nil
}

// parseKeys reads a JSON Web Key Set (RFC 7517). Keys that are not for
// verifying signatures, or not understood, are skipped; a set without any other
// is an error.
func parseKeys(document []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, errors.New("keys: the answer is not a JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("keys: there are %d, and at most %d are taken", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		var more struct {
			Operations []string `json:"key_ops"`
		}
		if key.UnmarshalJSON(text) != nil || json.Unmarshal(text, &more) != nil {
			continue
		}
		if usable(&key) && (more.Operations == nil || slices.Contains(more.Operations, "verify")) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("keys: none of %d is usable", len(set.Keys))
	}
	return keys, nil
}

// usable tells whether a key can verify the signatures of some algorithm.
func usable(key *jose.JSONWebKey) bool {
	return key.Valid() && len(key.KeyID) <= maxKeyID && (key.Use == "" || key.Use == "sig") &&
		slices.ContainsFunc(algorithms, func(algorithm string) bool { return fits(key, algorithm) })
}

// fits tells whether a key can verify signatures of this algorithm. Only public
// keys can: a private or symmetric key that was published by mistake fits none.
func fits(key *jose.JSONWebKey, algorithm string) bool {
	if key.Algorithm != "" && key.Algorithm != algorithm {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return (algorithm[:2] == "RS" || algorithm[:2] == "PS") && minRSABits <= bits && bits <= maxRSABits
	case *ecdsa.PublicKey:
		return algorithm == oidc.ES256 && public.Curve == elliptic.P256() ||
			algorithm == oidc.ES384 && public.Curve == elliptic.P384() ||
			algorithm == oidc.ES512 && public.Curve == elliptic.P521()
	case ed25519.PublicKey:
		return algorithm == oidc.EdDSA
	}
	return false
}
