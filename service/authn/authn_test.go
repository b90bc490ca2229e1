package authn

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// allReasons are those that may label a metric.
var allReasons = map[Reason]bool{
	ReasonNoCredential: true, ReasonMalformed: true, ReasonUnknownToken: true, ReasonExpiredToken: true,
	ReasonUnknownIssuer: true, ReasonBadSignature: true, ReasonBadAlgorithm: true, ReasonBadAudience: true,
	ReasonExpired: true, ReasonNotYetValid: true, ReasonNoKeys: true, ReasonUnknownSubject: true,
	ReasonUnknownCertificate: true, ReasonAmbiguous: true,
}

func TestReasonsAreLabels(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	if len(allReasons) != 14 {
		t.Errorf("%d reasons: two are the same", len(allReasons))
	}
	for reason := range allReasons {
		if !form.MatchString(string(reason)) {
			t.Errorf("%q is not in snake case", reason)
		}
	}
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	token, digest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator(t, newHandClock())
	table := newTable(t, nil, Caller{Name: testCaller, Credentials: []Credential{{TokenSHA256: digest}}})
	for _, values := range [][]string{
		{"Bearer " + token},
		{"bearer " + token},
		{"BEARER  " + token},
	} {
		got, err := a.Authenticate(t.Context(), table, Evidence{Authorization: values})
		if want := (Identity{Caller: testCaller, Method: MethodToken, CredentialID: got.CredentialID}); err != nil || got != want || got.CredentialID == "" {
			t.Errorf("%.10q…: got %+v, %v", values, got, err)
		}
	}
	for _, test := range []struct {
		name   string
		values []string
		reason Reason
	}{
		{"no header", nil, ReasonNoCredential},
		{"no value", []string{}, ReasonNoCredential},
		{"empty", []string{""}, ReasonMalformed},
		{"scheme alone", []string{"Bearer"}, ReasonMalformed},
		{"scheme and a space", []string{"Bearer "}, ReasonMalformed},
		{"spaces", []string{"Bearer    "}, ReasonMalformed},
		{"token alone", []string{token}, ReasonMalformed},
		{"another scheme", []string{"Basic " + token}, ReasonMalformed},
		{"a scheme that begins alike", []string{"Bearers " + token}, ReasonMalformed},
		{"scheme with a colon", []string{"Bearer: " + token}, ReasonMalformed},
		{"a tab", []string{"Bearer\t" + token}, ReasonMalformed},
		{"space before", []string{" Bearer " + token}, ReasonMalformed},
		{"space behind", []string{"Bearer " + token + " "}, ReasonMalformed},
		{"two tokens", []string{"Bearer " + token + " " + token}, ReasonMalformed},
		{"two in a list", []string{"Bearer " + token + ", Bearer " + token}, ReasonMalformed},
		{"two values", []string{"Bearer " + token, "Bearer " + token}, ReasonMalformed},
		{"a good value and an empty one", []string{"Bearer " + token, ""}, ReasonMalformed},
		{"in quotes", []string{`Bearer "` + token + `"`}, ReasonMalformed},
		{"a line behind", []string{"Bearer " + token + "\r\nX: y"}, ReasonMalformed},
		{"a zero byte", []string{"Bearer " + token + "\x00"}, ReasonMalformed},
		{"a byte that is not ASCII", []string{"Bearer " + token + "\xff"}, ReasonMalformed},
		{"padding alone", []string{"Bearer ===="}, ReasonMalformed},
		{"padding in between", []string{"Bearer ag=w"}, ReasonMalformed},
		{"part of a token", []string{"Bearer " + token[:len(token)-1]}, ReasonUnknownToken},
		{"more than a token", []string{"Bearer " + token + "A"}, ReasonUnknownToken},
		{"token with padding", []string{"Bearer " + token + "="}, ReasonUnknownToken},
		{"token in small letters", []string{"Bearer " + strings.ToLower(token)}, ReasonUnknownToken},
		{"the digest", []string{"Bearer " + digest}, ReasonUnknownToken},
		{"16 KiB", []string{"Bearer " + strings.Repeat("a", maxCredential)}, ReasonUnknownToken},
		{"over 16 KiB", []string{"Bearer " + strings.Repeat("a", maxCredential+1)}, ReasonMalformed},
		{"over 16 KiB of spaces", []string{"Bearer " + strings.Repeat(" ", maxCredential) + token}, ReasonMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, a, table, Evidence{Authorization: test.values}, test.reason)
		})
	}
}

// A header that is there is all that counts. The certificate beside it is one
// that would be accepted.
func TestABadTokenIsNotSavedByAGoodCertificate(t *testing.T) {
	t.Parallel()
	token, digest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	clients := newAuthority(t, "clients")
	pair := clients.issue(t, withDNS("billing.example"))
	state := &tls.ConnectionState{}
	state.PeerCertificates = append(state.PeerCertificates, pair.Leaf)
	state.VerifiedChains = append(state.VerifiedChains, state.PeerCertificates)
	clock := newHandClock()
	clock.at = pair.Leaf.NotBefore.Add(time.Minute)
	a := newAuthenticator(t, clock)
	table := newTable(t, nil,
		Caller{Name: "certified", Credentials: []Credential{{DNSSAN: "Billing.Example"}}},
		Caller{Name: "token", Credentials: []Credential{{TokenSHA256: digest}}})

	got, err := a.Authenticate(t.Context(), table, Evidence{TLS: state})
	if want := (Identity{Caller: "certified", Method: MethodDNSSAN, CredentialID: got.CredentialID}); err != nil || got != want || got.CredentialID == "" {
		t.Errorf("certificate alone: got %+v, %v", got, err)
	}
	got, err = a.Authenticate(t.Context(), table, Evidence{Authorization: []string{"Bearer " + token}, TLS: state})
	if want := (Identity{Caller: "token", Method: MethodToken, CredentialID: got.CredentialID}); err != nil || got != want || got.CredentialID == "" {
		t.Errorf("both: got %+v, %v", got, err)
	}
	wantRefused(t, a, table, Evidence{Authorization: []string{"Bearer x" + token}, TLS: state}, ReasonUnknownToken)
	wantRefused(t, a, table, Evidence{Authorization: []string{""}, TLS: state}, ReasonMalformed)
	wantRefused(t, a, table, Evidence{Authorization: []string{"Bearer a.b.c"}, TLS: state}, ReasonMalformed)
}

func TestNobodyIsKnownWithoutATable(t *testing.T) {
	t.Parallel()
	token, _, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	a := newAuthenticator(t, clock, p.issuer())
	for _, table := range []*Table{nil, {}, newTable(t, nil)} {
		wantRefused(t, a, table, Evidence{}, ReasonNoCredential)
		wantRefused(t, a, table, bearerOf(token), ReasonUnknownToken)
		wantRefused(t, a, table, bearerOf(key.token(t, claimsFor(p.url, clock, nil))), ReasonUnknownSubject)
	}
}

// Hostile headers cost nothing to speak of: a few words, however long they are.
func TestHostileHeadersAllocateLittle(t *testing.T) { //nolint:paralleltest // It measures the memory of the process.
	a := newAuthenticator(t, newHandClock())
	table := newTable(t, nil)
	for name, value := range map[string]string{
		"1 MB of dots":         "Bearer " + strings.Repeat(".", 1<<20),
		"1 MB of spaces":       "Bearer " + strings.Repeat(" ", 1<<20),
		"1 MB of letters":      "Bearer " + strings.Repeat("a", 1<<20),
		"1 MB of a JWT":        "Bearer " + strings.Repeat("a", 1<<20) + ".b.c",
		"16 KiB of dots":       "Bearer " + strings.Repeat(".", maxCredential),
		"16 KiB of segments":   "Bearer " + strings.Repeat("a.", maxCredential/2),
		"16 KiB without spell": "Bearer " + strings.Repeat("a", maxCredential),
	} {
		evidence := Evidence{Authorization: []string{value}}
		const runs, most = 100, 1 << 10
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := a.Authenticate(t.Context(), table, evidence); err == nil {
				t.Fatalf("%s: accepted", name)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / runs; each > most {
			t.Errorf("%s: %d bytes are allocated for each, want at most %d", name, each, most)
		}
	}
}

// Printing the evidence of a call prints no credential.
func TestEvidenceIsNotPrinted(t *testing.T) {
	t.Parallel()
	const canary = "agw_CANARY"
	evidence := bearerOf(canary)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.InfoContext(t.Context(), "call", slog.Any("evidence", evidence))
	slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(t.Context(), "call", slog.Any("evidence", evidence))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&log, verb, evidence)
		fmt.Fprintf(&log, verb, &evidence)
	}
	if err := json.NewEncoder(&log).Encode(map[string]any{"call": evidence, "calls": []*Evidence{&evidence}}); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "evidence.authorization_values=1 evidence.tls=false") {
		t.Errorf("the log does not say what there was: %s", log.String())
	}
	if strings.Contains(log.String(), canary) || strings.Contains(log.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("the token is in %s", log.String())
	}
}

func TestConfigurationOfIssuers(t *testing.T) {
	t.Parallel()
	good := Issuer{URL: "https://issuer.example", Audiences: []string{testAudience}}
	with := func(edit func(*Issuer)) []Issuer {
		issuer := good
		edit(&issuer)
		return []Issuer{issuer}
	}
	for name, issuers := range map[string][]Issuer{
		"nothing special":      {good},
		"none":                 nil,
		"two":                  {good, {URL: good.URL + "/", Audiences: good.Audiences}},
		"http on loopback":     with(func(i *Issuer) { i.URL = "http://127.0.0.1:8080/realm" }),
		"http on loopback, v6": with(func(i *Issuer) { i.URL = "http://[::1]:8080" }),
		"http on localhost":    with(func(i *Issuer) { i.URL = "http://localhost:8080" }),
		"a name that is not a URL, and a JWKSURL": with(func(i *Issuer) { i.URL, i.JWKSURL = "kubernetes/serviceaccount", "https://k8s.example/openid/v1/jwks" }),
		"all algorithms":           with(func(i *Issuer) { i.Algorithms = algorithms }),
		"files that are not there": with(func(i *Issuer) { i.CAFile, i.TokenFile = "/nowhere/ca", "/nowhere/token" }),
	} {
		t.Run("good: "+name, func(t *testing.T) {
			t.Parallel()
			a, err := New(Config{Issuers: issuers})
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Issuers(); len(got) != len(issuers) {
				t.Errorf("issuers are %q", got)
			}
			a.Close()
			a.Close()
		})
	}
	for name, test := range map[string]struct {
		issuers []Issuer
		want    string
	}{
		"no URL":             {with(func(i *Issuer) { i.URL = "" }), "issuers[0]: url: is missing"},
		"http":               {with(func(i *Issuer) { i.URL = "http://issuer.example" }), "url: is not https"},
		"http, almost local": {with(func(i *Issuer) { i.URL = "http://localhost.evil.example" }), "url: is not https"},
		"another scheme":     {with(func(i *Issuer) { i.URL = "file:///etc/passwd" }), "url: is not an absolute URL"},
		"no scheme":          {with(func(i *Issuer) { i.URL = "issuer.example" }), "url: is not an absolute URL"},
		"user in the URL":    {with(func(i *Issuer) { i.URL = "https://user:hunter2@issuer.example" }), "url: has a user"},
		"fragment":           {with(func(i *Issuer) { i.URL = "https://issuer.example#a" }), "fragment"},
		"query":              {with(func(i *Issuer) { i.URL = "https://issuer.example?a=b" }), "url: has a query"},
		"long URL":           {with(func(i *Issuer) { i.URL = "https://" + strings.Repeat("a", maxURL) }), "longer than"},
		"JWKSURL in http":    {with(func(i *Issuer) { i.JWKSURL = "http://issuer.example/keys" }), "jwks_url: is not https"},
		"no audience":        {with(func(i *Issuer) { i.Audiences = nil }), "audiences: needs at least one"},
		"empty audience":     {with(func(i *Issuer) { i.Audiences = []string{"a", ""} }), "audiences: one is empty"},
		"HS256":              {with(func(i *Issuer) { i.Algorithms = []string{"RS256", "HS256"} }), `algorithms: "HS256" is none of`},
		"none":               {with(func(i *Issuer) { i.Algorithms = []string{"none"} }), `algorithms: "none" is none of`},
		"empty algorithm":    {with(func(i *Issuer) { i.Algorithms = []string{""} }), `algorithms: "" is none of`},
		"twice":              {[]Issuer{good, good}, "issuers[1]: there is another issuer https://issuer.example"},
		"the second":         {[]Issuer{good, {}}, "issuers[1]: url: is missing\naudiences: needs"},
	} {
		t.Run("bad: "+name, func(t *testing.T) {
			t.Parallel()
			a, err := New(Config{Issuers: test.issuers})
			if err == nil {
				a.Close()
				t.Fatal("accepted")
			}
			if a != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want %q", a, err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds a password: %v", err)
			}
		})
	}
}

// A context that has ended makes no difference where nothing is waited for.
func TestATokenNeedsNoWait(t *testing.T) {
	t.Parallel()
	token, digest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table := newTable(t, nil, Caller{Name: testCaller, Credentials: []Credential{{TokenSHA256: digest}}})
	if _, err := newAuthenticator(t, newHandClock()).Authenticate(ctx, table, bearerOf(token)); err != nil {
		t.Error(err)
	}
}

func TestErrorUnwraps(t *testing.T) {
	t.Parallel()
	err := error(&Error{Reason: ReasonNoKeys, Err: context.DeadlineExceeded})
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "not authenticated: no_keys: context deadline exceeded" {
		t.Error(err)
	}
}

// The parser accepts what RFC 6750 does, and hands on nothing else.
func FuzzBearer(f *testing.F) {
	form := regexp.MustCompile(`^(?i:bearer) +([A-Za-z0-9\-._~+/]+=*)$`)
	for _, seed := range []string{"", "Bearer", "Bearer a", "bearer  a=", "Bearer =", "Bearer a b", "Basic a", "Bearer \x00", "Bearer a.b.c", "Bearer a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		credential, err := bearer([]string{value})
		match := form.FindStringSubmatch(value)
		if len(value) > len("Bearer ")+maxCredential {
			match = nil
		}
		switch {
		case match == nil && err == nil:
			t.Fatalf("%q is taken for %q", value, credential)
		case match != nil && (err != nil || credential != match[1]):
			t.Fatalf("%q gives %q, %v", value, credential, err)
		}
	})
}
