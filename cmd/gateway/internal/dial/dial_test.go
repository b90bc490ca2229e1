package dial_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/tlstest"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// seen is what a call brought.
type seen struct{ token, protocol, certificate, contentType string }

// listen notes each call, and sends it somewhere else, where it is noted too.
func listen(calls chan<- seen) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := seen{token: r.Header.Get("Authorization"), protocol: r.Proto, contentType: r.Header.Get("Content-Type")}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			s.certificate = r.TLS.PeerCertificates[0].DNSNames[0]
		}
		calls <- s
		if r.URL.Path == "/elsewhere" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
}

// call makes a call, which is not answered.
func call(t *testing.T, f dial.Flags, calls <-chan seen) seen {
	t.Helper()
	client, end, err := f.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if _, err := leasev1connect.NewLeaseServiceClient(client).GetLease(t.Context(), &leasev1.GetLeaseRequest{}); err == nil {
		t.Error("it was answered")
	}
	if len(calls) != 1 {
		t.Fatalf("%d calls arrived", len(calls))
	}
	return <-calls
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTokenIsReadForEachCall, and does not follow a redirect.
func TestTokenIsReadForEachCall(t *testing.T) {
	t.Parallel()
	calls := make(chan seen, 4)
	server := httptest.NewServer(listen(calls))
	defer server.Close()
	file := write(t, filepath.Join(t.TempDir(), "token"), "first\n")
	f := dial.Flags{Address: server.URL, TokenFile: file}
	if got := call(t, f, calls); got.token != "Bearer first" || got.protocol != "HTTP/1.1" {
		t.Errorf("%+v", got)
	}
	client, end, err := f.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	leases := leasev1connect.NewLeaseServiceClient(client)
	write(t, file, "second")
	_, _ = leases.GetLease(t.Context(), &leasev1.GetLeaseRequest{})
	if got := <-calls; got.token != "Bearer second" {
		t.Errorf("%+v", got)
	}
	// A file that is not there for a moment is no reason to give up.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := leases.GetLease(t.Context(), &leasev1.GetLeaseRequest{}); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("%v", err)
	}
	if len(calls) > 0 {
		t.Errorf("%+v came too", <-calls)
	}
}

// TestGRPC without TLS is HTTP/2 from the first byte.
func TestGRPC(t *testing.T) {
	t.Parallel()
	calls := make(chan seen, 4)
	server := httptest.NewUnstartedServer(listen(calls))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	got := call(t, dial.Flags{Address: server.URL + "/", GRPC: true, TokenFile: write(t, filepath.Join(t.TempDir(), "token"), "t")}, calls)
	if got.protocol != "HTTP/2.0" || !strings.HasPrefix(got.contentType, "application/grpc") {
		t.Errorf("%+v", got)
	}
}

// TestCertificateSaysWhoCalls, without a token, and the gateway's is checked.
func TestCertificateSaysWhoCalls(t *testing.T) {
	t.Parallel()
	authority := tlstest.NewAuthority(t)
	calls := make(chan seen, 4)
	server := httptest.NewUnstartedServer(listen(calls))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue("gateway")}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	folder := authority.Write(authority.Issue("caller"))
	f := dial.Flags{Address: server.URL, CertFile: filepath.Join(folder, "tls.crt"), KeyFile: filepath.Join(folder, "tls.key"), CAFile: filepath.Join(folder, "ca.crt")}
	if got := call(t, f, calls); got.certificate != "caller" || got.token != "" {
		t.Errorf("%+v", got)
	}
	f.CAFile = ""
	client, end, err := f.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if _, err := leasev1connect.NewLeaseServiceClient(client).GetLease(t.Context(), &leasev1.GetLeaseRequest{}); err == nil || len(calls) > 0 {
		t.Errorf("a gateway of an unknown authority got a call: %v", err)
	}
}

// TestFlags that cannot be, and errors without the token.
func TestFlags(t *testing.T) {
	t.Setenv(dial.TokenVariable, "")
	folder := t.TempDir()
	token := write(t, filepath.Join(folder, "token"), "secret-token")
	for name, f := range map[string]dial.Flags{
		"no scheme":         {Address: "127.0.0.1:8080", TokenFile: token},
		"a user":            {Address: "http://secret-token@gateway", TokenFile: token},
		"another scheme":    {Address: "ftp://gateway", TokenFile: token},
		"a query":           {Address: "http://gateway?a=b", TokenFile: token},
		"nobody":            {Address: "http://gateway"},
		"no file":           {Address: "http://gateway", TokenFile: filepath.Join(folder, "none")},
		"an empty file":     {Address: "http://gateway", TokenFile: write(t, filepath.Join(folder, "empty"), " \n")},
		"two lines":         {Address: "http://gateway", TokenFile: write(t, filepath.Join(folder, "two"), "secret-token\nanother")},
		"half a pair":       {Address: "https://gateway", CertFile: token},
		"no certificates":   {Address: "https://gateway", TokenFile: token, CAFile: token},
		"TLS without https": {Address: "http://gateway", TokenFile: token, CAFile: token},
	} {
		if _, _, err := f.Client(); err == nil || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv(dial.TokenVariable, "secret-token")
	if _, end, err := (dial.Flags{Address: "http://gateway"}).Client(); err != nil {
		t.Errorf("the variable: %v", err)
	} else {
		end()
	}
}
