package authn

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// skew is how far the clocks of issuer and gateway may be apart.
	skew = 30 * time.Second
	// maxKeyID bounds the "kid" of tokens and keys, in bytes.
	maxKeyID = 256
)

// jwt finds the caller of a JWT.
//
// The cheapest checks come first, and nothing is fetched for a token whose own
// claims are refused. The claims are trusted only after the signature is
// verified, so the subject is looked up last.
func (a *Authenticator) jwt(ctx context.Context, table *Table, raw string) (Identity, error) {
	token, err := parseJWT(raw)
	if err != nil {
		return Identity{}, err
	}
	issuer, err := a.verify(ctx, token)
	if err != nil {
		return Identity{}, presenting(err, Unverified+(JWTSubject{token.claims.Issuer, token.claims.Subject}).id())
	}
	return table.subject(&verifiedJWT{JWTSubject{Issuer: issuer.URL, Subject: token.claims.Subject}, *token.claims.Expires}, a.now())
}

// verify returns the issuer that vouches for a JWT.
func (a *Authenticator) verify(ctx context.Context, token *jwt) (*issuer, error) {
	issuer, known := a.issuers[token.claims.Issuer]
	if !known {
		return nil, refuse(ReasonUnknownIssuer)
	}
	if !slices.Contains(issuer.Algorithms, token.header.Algorithm) {
		return nil, refuse(ReasonBadAlgorithm)
	}
	if err := token.claims.check(issuer.Audiences, a.now()); err != nil {
		return nil, err
	}
	return issuer, issuer.verify(ctx, token)
}

// presenting is a refusal with the id of the credential that it is about. The refusal may
// be another call's too, so it is not changed.
func presenting(err error, id string) error {
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	named := *refusal
	named.Presented = id[:min(len(id), maxPresented)]
	return &named
}

// maxPresented bounds an id, in bytes: more than a record has room for.
const maxPresented = 512

// id is the id of a credential of the subject.
func (s JWTSubject) id() string { return s.Issuer + "#" + s.Subject }

// subject finds the caller of a JWT that was verified.
func (t *Table) subject(j *verifiedJWT, now time.Time) (Identity, error) {
	if expired(j.expires, now) {
		return Identity{}, refused(ReasonExpired, j.subject.id())
	}
	caller, known := t.subjects[j.subject]
	if !known {
		return Identity{}, refused(ReasonUnknownSubject, j.subject.id())
	}
	identity := Identity{Caller: caller, Method: MethodJWT, CredentialID: j.subject.id(), credential: j}
	if j.expires < lastInstant {
		identity.Expires = time.Unix(int64(j.expires), 0).Add(skew)
	}
	return identity, nil
}

// lastInstant is the beginning of the year 10000: a JWT that expires later never does.
const lastInstant = 253402300800

// expired returns whether the claim "exp" has passed. It is in floating point, because
// a number may lie far outside of the range of time.Time: no overflow makes an old
// token a new one.
func expired(claim float64, now time.Time) bool { return seconds(now) >= claim+skew.Seconds() }

func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// jwt is a JSON Web Token in the compact form, parsed and not yet verified.
type jwt struct {
	raw     string
	payload []byte
	header  jwtHeader
	claims  jwtClaims
}

// jwtHeader is the part of the header that matters. The names are exact, and one
// that is there twice is an error.
type jwtHeader struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`

	// With these a token would choose its own key, or change how it is parsed.
	JWKSetURL    jsontext.Value `json:"jku"`
	JWK          jsontext.Value `json:"jwk"`
	X509URL      jsontext.Value `json:"x5u"`
	X509Chain    jsontext.Value `json:"x5c"`
	Critical     jsontext.Value `json:"crit"`
	Base64       jsontext.Value `json:"b64"`
	Compression  jsontext.Value `json:"zip"`
	Encryption   jsontext.Value `json:"enc"`
	EphemeralKey jsontext.Value `json:"epk"`
}

// jwtClaims are the claims that matter. Times are seconds since 1970.
type jwtClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
}

// audience is one string, or a list of them.
type audience []string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(text []byte) error {
	if jsontext.Value(text).Kind() == '"' {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// parseJWT reads a token of three segments, of at most maxCredential bytes.
func parseJWT(raw string) (*jwt, error) {
	token := &jwt{raw: raw}
	head, rest, _ := strings.Cut(raw, ".")
	body, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(text, &token.header) != nil {
		return nil, refuse(ReasonMalformed)
	}
	if err := token.header.check(); err != nil {
		return nil, err
	}
	token.payload, err = base64.RawURLEncoding.DecodeString(body)
	if err != nil || jsontext.Value(token.payload).Kind() != '{' || json.Unmarshal(token.payload, &token.claims) != nil {
		return nil, refuse(ReasonMalformed)
	}
	return token, nil
}

func (h *jwtHeader) check() error {
	for _, forbidden := range []jsontext.Value{
		h.JWKSetURL, h.JWK, h.X509URL, h.X509Chain, h.Critical, h.Base64, h.Compression, h.Encryption, h.EphemeralKey,
	} {
		if len(forbidden) > 0 {
			return refuse(ReasonMalformed)
		}
	}
	if len(h.KeyID) > maxKeyID {
		return refuse(ReasonMalformed)
	}
	switch strings.ToLower(h.Type) {
	case "", "jwt", "at+jwt", "application/at+jwt":
	default: // A token made for another purpose: a logout, an event, a proof of possession.
		return refuse(ReasonMalformed)
	}
	return nil
}

// check checks the claims of a token.
func (c *jwtClaims) check(audiences []string, now time.Time) error {
	at := seconds(now) // As in expired.
	switch {
	case c.Expires == nil:
		return refuse(ReasonMalformed)
	case expired(*c.Expires, now):
		return refuse(ReasonExpired)
	case c.NotBefore != nil && at < *c.NotBefore-skew.Seconds(),
		c.IssuedAt != nil && at < *c.IssuedAt-skew.Seconds():
		return refuse(ReasonNotYetValid)
	}
	for _, each := range c.Audience {
		if slices.Contains(audiences, each) {
			return nil
		}
	}
	return refuse(ReasonBadAudience)
}

// signature is the [oidc.KeySet] of one verification. go-oidc turns the error of
// a key set into a text, so the result is stored here.
type signature struct {
	keys    *keySet
	token   *jwt
	good    bool
	refusal error // an *Error
}

// errRefused is the error for go-oidc.
var errRefused = errors.New("refused")

// VerifySignature returns the payload when a key of the issuer made its signature.
func (s *signature) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.token.header.Algorithm)})
	if err != nil {
		s.refusal = refuse(ReasonMalformed)
		return nil, errRefused
	}
	var payload []byte
	s.refusal = s.keys.verify(ctx, s.token.header.KeyID, s.token.header.Algorithm, func(key *jose.JSONWebKey) bool {
		payload, err = signed.Verify(key.Key)
		return err == nil
	})
	if s.refusal == nil && !bytes.Equal(payload, s.token.payload) {
		s.refusal = refuse(ReasonMalformed) // The verified payload is not the parsed one.
	}
	if s.refusal != nil {
		return nil, errRefused
	}
	s.good = true
	return payload, nil
}
