package authn

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// asking is a server that asks for a client certificate, whoever issued it, and a
// client whose files change.
type asking struct {
	t      *testing.T
	files  ClientTLSFiles
	addr   string
	shown  chan string // the serial number of what each client showed; "" for none
	config func(context.Context) *tls.Config
	log    *logged
	ahead  atomic.Int64
}

func newAsking(t *testing.T, server *authority, files ClientTLSFiles) *asking {
	t.Helper()
	a := &asking{t: t, files: files, shown: make(chan string, 1), log: &logged{}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.addr = listener.Addr().String()
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{server.server(t)}, ClientAuth: tls.RequestClientCert,
		ClientCAs: newAuthority(t, "nobody").pool(), // The client shows its certificate all the same.
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			a.shown <- a.serve(tls.Server(conn, config))
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	started := time.Now()
	now := func() time.Time { return started.Add(time.Duration(a.ahead.Load())) }
	if a.config, err = newClientTLS(t.Context(), files, a.log.logger(), now); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *asking) serve(conn *tls.Conn) string {
	defer func() { _ = conn.Close() }()
	if err := conn.HandshakeContext(a.t.Context()); err != nil {
		return "no handshake"
	}
	if shown := conn.ConnectionState().PeerCertificates; len(shown) > 0 {
		return shown[0].SerialNumber.String()
	}
	return ""
}

// dial connects as the files say, and tells what the server was shown.
func (a *asking) dial() (shown string, err error) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 10*time.Second)
	defer cancel()
	dialer := &tls.Dialer{Config: a.config(ctx)}
	conn, err := dialer.DialContext(ctx, "tcp", a.addr)
	if err == nil {
		_ = conn.Close()
	}
	return <-a.shown, err
}

func (a *asking) want(want string) {
	a.t.Helper()
	if got, err := a.dial(); err != nil || got != want {
		a.t.Errorf("shows %q, want %q: %v", got, want, err)
	}
}

// later lets the time pass after which the files are looked at again.
func (a *asking) later() { a.ahead.Add(int64(recheckTLSFiles)) }

// TestClientTLS: a client shows the certificate of its files, and believes the
// authorities in them, as they are now; trouble changes neither.
func TestClientTLS(t *testing.T) {
	t.Parallel()
	server, other, clients := newAuthority(t, "server root"), newAuthority(t, "other root"), newAuthority(t, "clients")
	first, next := clients.issue(t), clients.issue(t)
	dir := t.TempDir()
	files := ClientTLSFiles{CAFile: filepath.Join(dir, "ca.crt"), CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	write(t, files.CAFile, server.pem())
	write(t, files.CertFile, chainPEM(first))
	write(t, files.KeyFile, keyPEM(t, first))
	a := newAsking(t, server, files)
	a.want(first.Leaf.SerialNumber.String())

	write(t, files.CertFile, chainPEM(next))
	a.want(first.Leaf.SerialNumber.String()) // It is not looked at yet.
	a.later()
	a.want(first.Leaf.SerialNumber.String()) // The key is another's.
	write(t, files.KeyFile, keyPEM(t, next))
	a.later()
	a.want(next.Leaf.SerialNumber.String())
	if warn, info := a.log.count(slog.LevelWarn), a.log.count(slog.LevelInfo); warn != 1 || info != 1 {
		t.Errorf("%d warnings and %d notices:\n%s", warn, info, a.log)
	}

	write(t, files.CAFile, nil)
	a.later()
	a.want(next.Leaf.SerialNumber.String())
	write(t, files.CAFile, other.pem())
	a.later()
	if _, err := a.dial(); !isUnknownAuthority(err) {
		t.Errorf("a server of an authority that is not believed any more: %v", err)
	}
}

// TestClientTLSWithoutFiles: what is not named is not needed, and the system's
// authorities do not know the server.
func TestClientTLSWithoutFiles(t *testing.T) {
	t.Parallel()
	server := newAuthority(t, "server root")
	files := ClientTLSFiles{CAFile: filepath.Join(t.TempDir(), "ca.crt")}
	write(t, files.CAFile, server.pem())
	newAsking(t, server, files).want("")

	pair := server.issue(t)
	files = ClientTLSFiles{CertFile: filepath.Join(t.TempDir(), "tls.crt"), KeyFile: filepath.Join(t.TempDir(), "tls.key")}
	write(t, files.CertFile, chainPEM(pair))
	write(t, files.KeyFile, keyPEM(t, pair))
	if _, err := newAsking(t, server, files).dial(); !isUnknownAuthority(err) {
		t.Errorf("a server that the system does not know: %v", err)
	}
}

func TestClientTLSNamesTheFile(t *testing.T) {
	t.Parallel()
	pair := newAuthority(t, "root").issue(t)
	dir := t.TempDir()
	good := ClientTLSFiles{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	write(t, good.CertFile, chainPEM(pair))
	write(t, good.KeyFile, keyPEM(t, pair))
	for want, files := range map[string]ClientTLSFiles{
		"CA file " + good.KeyFile:    {CAFile: good.KeyFile},
		"CA file " + dir + "/no":     {CAFile: dir + "/no"},
		"no key file":                {CertFile: good.CertFile},
		"no certificate file":        {KeyFile: good.KeyFile},
		"certificate file " + dir:    {CertFile: dir, KeyFile: good.KeyFile},
		"with key file " + dir + "/": {CertFile: good.CertFile, KeyFile: good.CertFile},
	} {
		config, err := NewClientTLS(t.Context(), files, nil)
		if err == nil || config != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error of %+v is %v, and does not say %q", files, err, want)
		}
	}
}

func isUnknownAuthority(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
