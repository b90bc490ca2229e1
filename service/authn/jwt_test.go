package authn

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJWT(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	ec, rs := newSigningKey(t, "ec"), newRSASigningKey("rs")
	unnamed := newSigningKey(t, "")
	p := newProvider(t, ec, rs, unnamed)
	a := newAuthenticator(t, clock, p.issuer())
	table := tableFor(t, p.url)
	claims := func(changes map[string]any) map[string]any { return claimsFor(p.url, clock, changes) }
	now := clock.now().Unix()
	for name, token := range map[string]string{
		"ES256":                       ec.token(t, claims(nil)),
		"RS256":                       rs.token(t, claims(nil)),
		"no kid":                      ec.tokenWith(t, ec.header(map[string]any{"kid": nil}), claims(nil)),
		"no kid, and a key without":   unnamed.tokenWith(t, unnamed.header(map[string]any{"kid": nil}), claims(nil)),
		"no typ":                      ec.tokenWith(t, ec.header(map[string]any{"typ": nil}), claims(nil)),
		"typ of an access token":      ec.tokenWith(t, ec.header(map[string]any{"typ": "at+jwt"}), claims(nil)),
		"typ in full":                 ec.tokenWith(t, ec.header(map[string]any{"typ": "application/at+jwt"}), claims(nil)),
		"typ in small letters":        ec.tokenWith(t, ec.header(map[string]any{"typ": "jwt"}), claims(nil)),
		"several audiences":           ec.token(t, claims(map[string]any{"aud": []string{"other", testAudience}})),
		"expired within the skew":     ec.token(t, claims(map[string]any{"exp": now - 29})),
		"begins within the skew":      ec.token(t, claims(map[string]any{"nbf": now + 30, "iat": now + 30})),
		"neither nbf nor iat":         ec.token(t, claims(map[string]any{"nbf": nil, "iat": nil})),
		"times with fractions":        ec.token(t, claims(map[string]any{"exp": float64(now) + 0.5})),
		"never to expire":             ec.token(t, claims(map[string]any{"exp": 1e300})),
		"claims of other names":       ec.token(t, claims(map[string]any{"kubernetes.io": map[string]any{"namespace": "billing"}})),
		"a name that differs in case": ec.token(t, claims(map[string]any{"SUB": "somebody else"})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantCaller(t, a, table, token)
		})
	}
	t.Cleanup(func() {
		if diff := cmp.Diff(once(), p.fetches()); diff != "" {
			t.Errorf("fetches (-want +got):\n%s", diff)
		}
	})
}

// All that a token can try. The tokens are signed by the issuer's own key
// wherever the attack leaves that open, so that nothing else refuses them.
func TestJWTAttacks(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key, rs, foreign := newSigningKey(t, "k1"), newRSASigningKey("rs"), newSigningKey(t, "k1")
	p := newProvider(t, key, rs)
	a := newAuthenticator(t, clock, p.issuer())
	table := tableFor(t, p.url)

	now := clock.now().Unix()
	claims := func(changes map[string]any) map[string]any { return claimsFor(p.url, clock, changes) }
	withClaims := func(changes map[string]any) string { return key.token(t, claims(changes)) }
	withHeader := func(changes map[string]any) string { return key.tokenWith(t, key.header(changes), claims(nil)) }
	withText := func(payload string) string { return key.raw(t, toJSON(t, key.header(nil)), []byte(payload)) }
	payload := toJSON(t, claims(nil))
	body := strings.TrimPrefix(string(payload), "{") // goes behind another member
	good := key.token(t, claims(nil))
	head, rest, _ := strings.Cut(good, ".")
	_, mark, _ := strings.Cut(rest, ".")
	none := func(alg string) string {
		return compact(toJSON(t, map[string]any{"alg": alg}), payload, func([]byte) []byte { return nil })
	}
	public, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)
	hs256 := func(secret []byte) string {
		return compact(toJSON(t, map[string]any{"alg": "HS256", "kid": "rs"}), payload, hmacSHA256(secret))
	}
	foreignJWK := foreign.jwk()
	flat := toJSON(t, map[string]any{
		"payload": base64.RawURLEncoding.EncodeToString(payload), "protected": head, "signature": mark,
	})
	inner := toJSON(t, good)

	tests := []struct {
		name   string
		token  string
		reason Reason
	}{
		// Signature and algorithm.
		{"alg none", none("none"), ReasonBadAlgorithm},
		{"alg None", none("None"), ReasonBadAlgorithm},
		{"alg nOnE", none("nOnE"), ReasonBadAlgorithm},
		{"alg empty", none(""), ReasonBadAlgorithm},
		{"alg none, with a signature", key.tokenWith(t, key.header(map[string]any{"alg": "none"}), claims(nil)), ReasonBadAlgorithm},
		{"no alg", withHeader(map[string]any{"alg": nil}), ReasonBadAlgorithm},
		{"alg that is a list", withHeader(map[string]any{"alg": []string{"ES256"}}), ReasonMalformed},
		{"alg that is not allowed", withHeader(map[string]any{"alg": "ES384"}), ReasonBadAlgorithm},
		{"alg in small letters", withHeader(map[string]any{"alg": "es256"}), ReasonBadAlgorithm},
		{"alg of another kind of key", withHeader(map[string]any{"alg": "RS256"}), ReasonBadSignature},
		{"HS256 with the RSA key in PEM", hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), ReasonBadAlgorithm},
		{"HS256 with the RSA key in DER", hs256(public), ReasonBadAlgorithm},
		{"HS256 with the RSA key in PKCS #1", hs256(pkcs1), ReasonBadAlgorithm},
		{"HS256 with nothing", hs256(nil), ReasonBadAlgorithm},
		{"no signature", strings.TrimSuffix(good, mark), ReasonBadSignature},
		{"signature of zeroes", strings.TrimSuffix(good, mark) + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), ReasonBadSignature},
		{"somebody else's signature", foreign.token(t, claims(nil)), ReasonBadSignature},
		{"somebody else's signature, no kid", foreign.tokenWith(t, foreign.header(map[string]any{"kid": nil}), claims(nil)), ReasonBadSignature},
		{"another payload under the signature", head + "." + base64.RawURLEncoding.EncodeToString([]byte(string(payload)+" ")) + "." + mark, ReasonBadSignature},

		// Headers.
		{"jku", withHeader(map[string]any{"jku": p.url + "/evil"}), ReasonMalformed},
		{"jku of the issuer itself", withHeader(map[string]any{"jku": p.url + "/keys"}), ReasonMalformed},
		{"jwk, and signed with it", foreign.tokenWith(t, foreign.header(map[string]any{"jwk": &foreignJWK, "kid": nil}), claims(nil)), ReasonMalformed},
		{"x5u", withHeader(map[string]any{"x5u": p.url + "/evil"}), ReasonMalformed},
		{"x5c", withHeader(map[string]any{"x5c": []string{"MIIB"}}), ReasonMalformed},
		{"crit", withHeader(map[string]any{"crit": []string{"exp"}}), ReasonMalformed},
		{"crit, empty", withHeader(map[string]any{"crit": []string{}}), ReasonMalformed},
		{"crit, null", key.raw(t, []byte(`{"alg":"ES256","kid":"k1","crit":null}`), payload), ReasonMalformed},
		{"b64", withHeader(map[string]any{"b64": false}), ReasonMalformed},
		{"zip", withHeader(map[string]any{"zip": "DEF"}), ReasonMalformed},
		{"alg twice", key.raw(t, []byte(`{"alg":"none","alg":"ES256","kid":"k1"}`), payload), ReasonMalformed},
		{"header that is a list", key.raw(t, []byte(`["ES256"]`), payload), ReasonMalformed},
		{"header that is null", key.raw(t, []byte(`null`), payload), ReasonBadAlgorithm},
		{"header with something behind", key.raw(t, []byte(`{"alg":"ES256","kid":"k1"}{}`), payload), ReasonMalformed},
		{"header that is too deep", key.raw(t, []byte(`{"a":`+strings.Repeat("[", 5000)), payload), ReasonMalformed},
		{"typ of a logout token", withHeader(map[string]any{"typ": "logout+jwt"}), ReasonMalformed},
		{"typ of a proof of possession", withHeader(map[string]any{"typ": "dpop+jwt"}), ReasonMalformed},
		{"kid with a path", withHeader(map[string]any{"kid": "../../../../dev/null"}), ReasonBadSignature},
		{"kid with a URL", withHeader(map[string]any{"kid": p.url + "/evil"}), ReasonBadSignature},
		{"kid with SQL", withHeader(map[string]any{"kid": "k1' UNION SELECT 'x' --"}), ReasonBadSignature},
		{"kid with a zero byte", withHeader(map[string]any{"kid": "k1\x00"}), ReasonBadSignature},
		{"kid of another case", withHeader(map[string]any{"kid": "K1"}), ReasonBadSignature},
		{"kid that is a number", withHeader(map[string]any{"kid": 1}), ReasonMalformed},
		{"kid of 257 bytes", withHeader(map[string]any{"kid": strings.Repeat("k", 257)}), ReasonMalformed},
		{"kid of 256 bytes", withHeader(map[string]any{"kid": strings.Repeat("k", 256)}), ReasonBadSignature},

		// Claims.
		{"wrong audience", withClaims(map[string]any{"aud": "other"}), ReasonBadAudience},
		{"no audience", withClaims(map[string]any{"aud": nil}), ReasonBadAudience},
		{"empty audience", withClaims(map[string]any{"aud": ""}), ReasonBadAudience},
		{"no audience in the list", withClaims(map[string]any{"aud": []string{}}), ReasonBadAudience},
		{"audience with a slash", withClaims(map[string]any{"aud": testAudience + "/"}), ReasonBadAudience},
		{"audience that is a number", withClaims(map[string]any{"aud": 1}), ReasonMalformed},
		{"expired", withClaims(map[string]any{"exp": now - 30}), ReasonExpired},
		{"expired long ago", withClaims(map[string]any{"exp": -1e300}), ReasonExpired},
		{"not yet valid", withClaims(map[string]any{"nbf": now + 31}), ReasonNotYetValid},
		{"issued in the future", withClaims(map[string]any{"iat": now + 31}), ReasonNotYetValid},
		{"issued beyond all times", withClaims(map[string]any{"iat": 1e300}), ReasonNotYetValid},
		{"no exp", withClaims(map[string]any{"exp": nil}), ReasonMalformed},
		{"exp null", withText(`{"exp":null,` + strings.Replace(body, `"exp"`, `"was"`, 1)), ReasonMalformed},
		{"exp a string", withClaims(map[string]any{"exp": "4102444800"}), ReasonMalformed},
		{"exp no number that there is", withText(`{"exp":1e999,` + strings.Replace(body, `"exp"`, `"was"`, 1)), ReasonMalformed},
		{"exp not a number", withText(`{"exp":NaN,` + strings.Replace(body, `"exp"`, `"was"`, 1)), ReasonMalformed},
		{"wrong issuer", withClaims(map[string]any{"iss": "https://evil.example"}), ReasonUnknownIssuer},
		{"no issuer", withClaims(map[string]any{"iss": nil}), ReasonUnknownIssuer},
		{"issuer with a slash behind", withClaims(map[string]any{"iss": p.url + "/"}), ReasonUnknownIssuer},
		{"issuer of another scheme", withClaims(map[string]any{"iss": strings.Replace(p.url, "http:", "https:", 1)}), ReasonUnknownIssuer},
		{"issuer that is a list", withClaims(map[string]any{"iss": []string{p.url}}), ReasonMalformed},
		{"iss twice", withText(`{"iss":"https://evil.example",` + body), ReasonMalformed},
		{"iss in another case", withText(strings.TrimSuffix(string(payload), "}") + `,"ISS":"https://evil.example"}`), ReasonMalformed},
		{"sub twice", withText(`{"sub":"admin",` + body), ReasonMalformed},
		{"exp twice", withText(`{"exp":4102444800,` + body), ReasonMalformed},
		{"aud twice", withText(`{"aud":"other",` + body), ReasonMalformed},
		{"unknown subject", withClaims(map[string]any{"sub": "system:serviceaccount:billing:other"}), ReasonUnknownSubject},
		{"subject of another case", withClaims(map[string]any{"sub": strings.ToUpper(testSubject)}), ReasonUnknownSubject},
		{"subject with a space", withClaims(map[string]any{"sub": testSubject + " "}), ReasonUnknownSubject},
		{"no subject", withClaims(map[string]any{"sub": nil}), ReasonUnknownSubject},
		{"subject that is a list", withClaims(map[string]any{"sub": []string{testSubject}}), ReasonMalformed},

		// Form.
		{"nested: a token in a token", key.raw(t, toJSON(t, key.header(map[string]any{"cty": "JWT"})), []byte(good)), ReasonMalformed},
		{"nested, as a string", key.raw(t, toJSON(t, key.header(map[string]any{"cty": "JWT"})), inner), ReasonMalformed},
		{"payload null", withText("null"), ReasonMalformed},
		{"payload empty", withText(""), ReasonMalformed},
		{"payload that is a list", withText("[]"), ReasonMalformed},
		{"payload with something behind", withText(string(payload) + "{}"), ReasonMalformed},
		{"payload that is not UTF-8", withText(`{"x":"` + "\xff" + `",` + body), ReasonMalformed},
		{"JSON in place of the compact form", string(flat), ReasonMalformed},
		{"encrypted: five segments", good + "." + head + "." + mark, ReasonUnknownToken},
		{"four segments", good + ".", ReasonUnknownToken},
		{"two segments", head + "." + mark, ReasonUnknownToken},
		{"three empty segments", "..", ReasonMalformed},
		{"padding", good + "=", ReasonMalformed},
		{"padding of the header", head + "==" + strings.TrimPrefix(good, head), ReasonMalformed},
		{"standard base64", strings.ReplaceAll(good, head, base64.StdEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k1","x":"???>>>"}`))), ReasonMalformed},
		{"16 KiB", withClaims(map[string]any{"x": strings.Repeat("x", maxCredential)}), ReasonMalformed},
		{"1 MB", withClaims(map[string]any{"x": strings.Repeat("x", 1<<20)}), ReasonMalformed},
		{"1 MB of dots", strings.Repeat(".", 1<<20), ReasonMalformed},
		{"16 KiB of dots", strings.Repeat(".", maxCredential), ReasonUnknownToken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refusal := refusalOf(t, a, table, bearerOf(test.token), test.reason)
			if text := refusal.Error(); text != "not authenticated: "+string(test.reason) {
				t.Errorf("the error says more than it may: %q", text)
			}
		})
	}
	t.Cleanup(func() {
		// Nobody made it ask for anything else, nor more than once.
		if diff := cmp.Diff(once(), p.fetches()); diff != "" {
			t.Errorf("fetches (-want +got):\n%s", diff)
		}
	})
	wantCaller(t, a, table, good)
}

// A key is believed for the tokens of its own issuer, whatever its name.
func TestJWTOfOneIssuerSaysNothingForAnother(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	ours, theirs := newSigningKey(t, "k1"), newSigningKey(t, "k1")
	one, other := newProvider(t, ours), newProvider(t, theirs)
	a := newAuthenticator(t, clock, one.issuer(), other.issuer())
	table := tableFor(t, one.url) // nobody of other
	wantCaller(t, a, table, ours.token(t, claimsFor(one.url, clock, nil)))
	wantRefused(t, a, table, bearerOf(theirs.token(t, claimsFor(one.url, clock, nil))), ReasonBadSignature)
	wantRefused(t, a, table, bearerOf(theirs.token(t, claimsFor(other.url, clock, nil))), ReasonUnknownSubject)
}

func TestJWTAlgorithmsOfAnIssuer(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	ec, rs := newSigningKey(t, "ec"), newRSASigningKey("rs")
	p := newProvider(t, ec, rs)
	issuer := p.issuer()
	issuer.Algorithms = []string{"RS256"}
	a, table := newAuthenticator(t, clock, issuer), tableFor(t, p.url)
	wantCaller(t, a, table, rs.token(t, claimsFor(p.url, clock, nil)))
	wantRefused(t, a, table, bearerOf(ec.token(t, claimsFor(p.url, clock, nil))), ReasonBadAlgorithm)
}

// A key that says its algorithm is used with that alone.
func TestJWTAlgorithmOfAKey(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	rs := newRSASigningKey("rs")
	p := newProvider(t, rs)
	jwk := rs.jwk()
	jwk.Algorithm = "PS256"
	p.serveDocument(toJSON(t, map[string]any{"keys": []any{&jwk}}))
	issuer := p.issuer()
	issuer.Algorithms = []string{"RS256", "PS256"}
	a, table := newAuthenticator(t, clock, issuer), tableFor(t, p.url)
	wantRefused(t, a, table, bearerOf(rs.token(t, claimsFor(p.url, clock, nil))), ReasonBadSignature)
}

// The token that expires while the connection lives is not accepted any more.
func TestJWTExpires(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	token := key.token(t, claimsFor(p.url, clock, nil))
	clock.advance(time.Hour + skew - time.Millisecond)
	wantCaller(t, a, table, token)
	clock.advance(time.Millisecond)
	wantRefused(t, a, table, bearerOf(token), ReasonExpired)
}

// Nothing that is refused for what it says itself makes the gateway ask.
func TestJWTRefusedWithoutAsking(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
	for reason, changes := range map[Reason]map[string]any{
		ReasonExpired:       {"exp": 0},
		ReasonNotYetValid:   {"nbf": clock.now().Unix() + 31},
		ReasonBadAudience:   {"aud": "other"},
		ReasonUnknownIssuer: {"iss": "https://evil.example"},
	} {
		wantRefused(t, a, table, bearerOf(key.token(t, claimsFor(p.url, clock, changes))), reason)
	}
	if got := p.fetches(); len(got) != 0 {
		t.Errorf("the issuer was asked: %v", got)
	}
}

// What does not come from the issuer names no caller, and no error repeats it.
func FuzzJWT(f *testing.F) {
	clock := newHandClock()
	key, foreign := newSigningKey(f, "k1"), newSigningKey(f, "k1")
	p := newProvider(f, key)
	a, table := newAuthenticator(f, clock, p.issuer()), tableFor(f, p.url)
	claims := claimsFor(p.url, clock, nil)
	f.Add(string(toJSON(f, foreign.header(nil))), string(toJSON(f, claims)), []byte("signature"))
	f.Add(`{"alg":"none"}`, string(toJSON(f, claims)), []byte(nil))
	f.Add(`{"alg":"ES256","crit":[]}`, `{}`, []byte{0})
	f.Add(`{"alg":"ES256","kid":"k1"}`, `{"iss":"`+p.url+`","exp":1e99,"aud":["`+testAudience+`"]}`, make([]byte, 64))
	reasons := maps.Clone(allReasons)
	f.Fuzz(func(t *testing.T, header, payload string, mark []byte) {
		token := compact([]byte(header), []byte(payload), func([]byte) []byte { return mark })
		identity, err := a.Authenticate(t.Context(), table, bearerOf(token))
		if err == nil {
			t.Fatalf("%q.%q is %+v", header, payload, identity)
		}
		refusal, ok := err.(*Error) //nolint:errorlint // It is documented to be one.
		if !ok || !reasons[refusal.Reason] {
			t.Fatalf("got %T %v", err, err)
		}
		if want := fmt.Sprintf("not authenticated: %s", refusal.Reason); err.Error() != want {
			t.Fatalf("the error says more than it may: %v", err)
		}
	})
}

// audience takes a string or a list of strings, and nothing else.
func TestAudience(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]audience{
		`"a"`:        {"a"},
		`""`:         {""},
		`["a","b"]`:  {"a", "b"},
		`[]`:         {},
		`null`:       nil,
		`{}`:         nil,
		`1`:          nil,
		`["a",1]`:    nil,
		`[["a"]]`:    nil,
		`[null,"a"]`: {"", "a"},
	} {
		var got audience
		err := json.Unmarshal([]byte(text), &got)
		if (err == nil) != (want != nil || text == "null") {
			t.Errorf("%s: %v", text, err)
		}
		if err == nil {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", text, diff)
			}
		}
	}
}

func BenchmarkJWT(b *testing.B) {
	clock := newHandClock()
	for _, key := range []signingKey{newSigningKey(b, "ec"), newRSASigningKey("rs")} {
		b.Run(key.alg, func(b *testing.B) {
			p := newProvider(b, key)
			a, table := newAuthenticator(b, clock, p.issuer()), tableFor(b, p.url)
			evidence := bearerOf(key.token(b, claimsFor(p.url, clock, nil)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), table, evidence); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
