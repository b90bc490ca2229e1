package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"golang.org/x/sync/errgroup"

	"github.com/admin-gateway/admin-gateway/client"
)

// accepts answers calls with one of the tokens, and refuses others.
func accepts(tokens ...string) func(context.Context, int, seen) error {
	return func(_ context.Context, _ int, call seen) error {
		for _, token := range tokens {
			if call.token == token {
				return nil
			}
		}
		return refusal(connect.CodeUnauthenticated, "UNAUTHENTICATED")
	}
}

// TestTokenProvider: a token is used until it is refused or about to end, and a refused
// call is made once more, if there is another token.
func TestTokenProvider(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tokens    []string
		life      time.Duration
		accepted  string
		calls     int // of the call
		asked     int // of the provider, by two of these
		succeeded bool
	}{
		"good":                  {[]string{"a", "b"}, 0, "a", 1, 1, true},
		"refused":               {[]string{"a", "b"}, 0, "b", 2, 2, true},
		"refused twice":         {[]string{"a", "b", "c"}, 0, "c", 2, 3, false},
		"refused, and the same": {[]string{"a"}, 0, "b", 1, 3, false},
		"good for long":         {[]string{"a", "b"}, time.Hour, "a", 1, 1, true},
	} {
		for sort, call := range map[string]func(context.Context, *connect.Client) error{"read": read, "write": write, "stream": stream} {
			t.Run(name+", "+sort, func(t *testing.T) {
				t.Parallel()
				asked := 0
				provide := func(context.Context) (string, time.Time, error) {
					token := test.tokens[min(asked, len(test.tokens)-1)]
					asked++
					if test.life == 0 {
						return token, time.Time{}, nil
					}
					return token, time.Now().Add(test.life), nil
				}
				f := serve(t, accepts(test.accepted))
				c := f.connect(t, client.TokenProvider(provide)).Client()
				err := call(t.Context(), c)
				if (err == nil) != test.succeeded || err != nil && client.KindOf(err) != client.Unauthenticated || len(f.got()) != test.calls {
					t.Errorf("error %v after %d calls", err, len(f.got()))
				}
				_ = call(t.Context(), c)
				if asked != test.asked {
					t.Errorf("the provider was asked %d times, want %d", asked, test.asked)
				}
			})
		}
	}
}

// TestTokenProviderIsAskedOnce by any number of calls at a time; and not at all by one that
// has a credential of its own.
func TestTokenProviderIsAskedOnce(t *testing.T) {
	t.Parallel()
	f := serve(t, accepts("a", "own"))
	asked := 0
	c := f.connect(t, client.TokenProvider(func(context.Context) (string, time.Time, error) {
		asked++ // The race detector sees two at a time.
		return "a", time.Now().Add(time.Hour), nil
	})).Client()
	own, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Authorization", "Bearer own")
	if err := read(own, c); err != nil || asked != 0 || f.got()[0].token != "own" {
		t.Errorf("error %v, asked %d times", err, asked)
	}
	var calls errgroup.Group
	for range 50 {
		calls.Go(func() error { return read(t.Context(), c) })
	}
	if err := calls.Wait(); err != nil || asked != 1 {
		t.Errorf("error %v, asked %d times", err, asked)
	}
}

// TestTokenProviderFails: its error is the call's.
func TestTokenProviderFails(t *testing.T) {
	t.Parallel()
	f := serve(t, accepts("a"))
	broken := errors.New("the platform is away")
	c := f.connect(t, client.TokenProvider(func(context.Context) (string, time.Time, error) { return "", time.Time{}, broken })).Client()
	if err := read(t.Context(), c); client.KindOf(err) != client.Unauthenticated || !errors.Is(err, broken) || len(f.got()) != 0 {
		t.Errorf("error %v after %d calls", err, len(f.got()))
	}
	// It waits no longer than the call.
	hangs := client.TokenProvider(func(ctx context.Context) (string, time.Time, error) {
		<-ctx.Done()
		return "", time.Time{}, ctx.Err()
	})
	if err := read(t.Context(), f.connect(t, hangs, client.Deadline(50*time.Millisecond)).Client()); client.KindOf(err) != client.DeadlineExceeded {
		t.Errorf("error %v", err)
	}
}

// TestTokenFile is read again when it changes, and goes on with what it had while there is
// none.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	put := func(token string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	put(" a\n")
	f := serve(t, func(context.Context, int, seen) error { return nil })
	c := f.connect(t, client.TokenFile(path)).Client()
	for i, want := range []string{"a", "b", "b", "b", "c"} {
		switch i {
		case 1, 4:
			put(want) // Of the same size, and within the same tick of the clock, perhaps.
		case 2:
			put("")
		case 3:
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := read(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got := f.got()[i].token; got != want {
			t.Errorf("call %d came with %q, want %q", i, got, want)
		}
	}
}

// TestCertificate: the client's certificate is the credential, alone and with a token; and
// a gateway with another CA is not trusted, which is said at once.
func TestCertificate(t *testing.T) {
	t.Parallel()
	f := serve(t, first(0, nil))
	cert, key := keyPair(t)
	presented := make(chan int, 1)
	f.TLS.ClientAuth = tls.RequestClientCert
	f.TLS.VerifyConnection = func(state tls.ConnectionState) error {
		presented <- len(state.PeerCertificates)
		return nil
	}
	for _, credential := range []client.Credential{nil, client.Token("t1")} {
		if err := read(t.Context(), f.connect(t, credential, client.Certificate(cert, key)).Client()); err != nil || <-presented != 1 {
			t.Errorf("error %v, or no certificate came", err)
		}
	}
	if got := f.got(); got[0].token != "" || got[1].token != "t1" {
		t.Errorf("calls %+v", got)
	}

	other, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	err = read(t.Context(), f.connect(t, client.Token("t1"), client.CA(string(other))).Client())
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || client.KindOf(err) != client.Unavailable {
		t.Errorf("error %v", err)
	}
}

// keyPair writes a certificate that signs itself, and its key.
func keyPair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("c.pem", "CERTIFICATE", signed), write("k.pem", "PRIVATE KEY", bytes)
}

// TestBadArguments: each is refused by its name, before anything is sent.
func TestBadArguments(t *testing.T) {
	t.Parallel()
	cert, key := keyPair(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const https = "https://gateway.example"
	token := client.Token("t1")
	for name, test := range map[string]struct {
		address    string
		credential client.Credential
		opts       []client.Option
		argument   string // "" for none
	}{
		"host":                      {https, token, nil, ""},
		"host and port":             {https + ":8443/", token, nil, ""},
		"loopback":                  {"http://127.0.0.1:1", token, nil, ""},
		"loopback by name":          {"http://localhost:1", token, nil, ""},
		"loopback, IPv6":            {"http://[::1]:1", token, nil, ""},
		"clear text by choice":      {"http://gateway.example", token, []client.Option{client.Plaintext()}, ""},
		"clear text":                {"http://gateway.example", token, nil, "address"},
		"clear text, a name":        {"http://127.0.0.1.example", token, nil, "address"},
		"no scheme":                 {"gateway.example:8443", token, nil, "address"},
		"another scheme":            {"grpc://gateway.example", token, nil, "address"},
		"nothing":                   {"", token, nil, "address"},
		"a path":                    {https + "/v1", token, nil, "address"},
		"a password":                {"https://u:p@gateway.example", token, nil, "address"},
		"no credential":             {https, nil, nil, ""},
		"an empty token":            {https, client.Token(""), nil, "token"},
		"a token of two lines":      {https, client.Token("a\r\nb"), nil, "token"},
		"a file that is not there":  {https, client.TokenFile(filepath.Join(empty, "x")), nil, "token_file"},
		"an empty file":             {https, client.TokenFile(empty), nil, "token_file"},
		"no provider":               {https, client.TokenProvider(nil), nil, "token_provider"},
		"a CA that is not there":    {https, token, []client.Option{client.CA("/nowhere")}, "ca"},
		"an empty CA":               {https, token, []client.Option{client.CA(empty)}, "ca"},
		"a broken CA":               {https, token, []client.Option{client.CA("-----BEGIN x")}, "ca"},
		"a certificate":             {https, nil, []client.Option{client.Certificate(cert, key)}, ""},
		"a certificate, plain":      {"http://localhost", nil, []client.Option{client.Certificate(cert, key)}, "address"},
		"a certificate without key": {https, nil, []client.Option{client.Certificate(cert, "")}, "key"},
		"a key without certificate": {https, token, []client.Option{client.Certificate("", key)}, "cert"},
		"a key that is not there":   {https, token, []client.Option{client.Certificate(cert, "/nowhere")}, "key"},
		"not a pair":                {https, token, []client.Option{client.Certificate(cert, cert)}, "cert"},
		"no time":                   {https, token, []client.Option{client.Deadline(0)}, "deadline"},
		"no attempts":               {https, token, []client.Option{client.Attempts(0)}, "attempts"},
		"two lines of user agent":   {https, token, []client.Option{client.UserAgent("a\nb")}, "user_agent"},
	} {
		gateway, err := client.Connect(test.address, test.credential, test.opts...)
		var bad *client.ConfigError
		switch {
		case test.argument == "" && err == nil:
			_ = gateway.Close()
		case !errors.As(err, &bad) || bad.Argument != test.argument || !strings.Contains(err.Error(), test.argument):
			t.Errorf("%s: error %v, want one about %q", name, err, test.argument)
		}
	}
}

// TestSecretsDoNotPrint, however they are printed.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	const secret = "agw_secret"
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	provide := func(context.Context) (string, time.Time, error) { return secret, time.Time{}, nil }
	f := serve(t, first(9, refusal(connect.CodeUnauthenticated, "UNAUTHENTICATED")))
	for _, credential := range []client.Credential{client.Token(secret), client.TokenFile(path), client.TokenProvider(provide)} {
		gateway := f.connect(t, credential)
		err := read(t.Context(), gateway.Client())
		held := struct {
			G *client.Gateway
			C client.Credential
		}{gateway, credential}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb+verb+verb+verb, gateway, credential, err, held); strings.Contains(text, secret) {
				t.Errorf("%s prints it: %s", verb, text)
			}
		}
	}
	cert, _ := keyPair(t)
	for _, mistake := range []struct {
		credential client.Credential
		opts       []client.Option
	}{
		{credential: client.Token(secret + " x")},
		{credential: client.TokenFile(secret)},
		{opts: []client.Option{client.Certificate(cert, "-----BEGIN PRIVATE KEY-----"+secret)}},
	} {
		if _, err := client.Connect(f.URL, mistake.credential, mistake.opts...); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v", err)
		}
	}
}
