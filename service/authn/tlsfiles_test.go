package authn

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// writeTLSFiles writes a server's files; without clientCA there is no such file.
func writeTLSFiles(tb testing.TB, pair tls.Certificate, clientCA []byte) TLSFiles {
	tb.Helper()
	dir := tb.TempDir()
	files := TLSFiles{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	write(tb, files.CertFile, chainPEM(pair))
	write(tb, files.KeyFile, keyPEM(tb, pair))
	if clientCA != nil {
		files.ClientCAFile = filepath.Join(dir, "ca.crt")
		write(tb, files.ClientCAFile, clientCA)
	}
	return files
}

func write(tb testing.TB, path string, text []byte) {
	tb.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// logged counts the lines of a log at each level, and keeps the text.
type logged struct {
	mu    sync.Mutex
	text  strings.Builder
	lines map[slog.Level]int
}

func (l *logged) logger() *slog.Logger { return slog.New(logCounter{l}) }

func (l *logged) count(level slog.Level) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[level]
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type logCounter struct{ *logged }

func (logCounter) Enabled(context.Context, slog.Level) bool { return true }

func (h logCounter) Handle(_ context.Context, record slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines == nil {
		h.lines = map[slog.Level]int{}
	}
	h.lines[record.Level]++
	fmt.Fprintf(&h.text, "%s %s", record.Level, record.Message)
	record.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&h.text, " %s=%s", a.Key, a.Value); return true })
	h.text.WriteByte('\n')
	return nil
}

func (h logCounter) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h logCounter) WithGroup(string) slog.Handler      { return h }

// changing is a server whose files change, and a clock to tell when it looks.
type changing struct {
	t      *testing.T
	files  TLSFiles
	server *authority // who issued the server's certificate
	url    string
	log    *logged
	ahead  atomic.Int64
}

func newChanging(t *testing.T, clientCA []byte) *changing {
	t.Helper()
	c := &changing{t: t, server: newAuthority(t, "server root"), log: &logged{}}
	c.files = writeTLSFiles(t, c.server.server(t), clientCA)
	c.start()
	return c
}

func (c *changing) start() {
	c.t.Helper()
	started := time.Now()
	now := func() time.Time { return started.Add(time.Duration(c.ahead.Load())) }
	config, err := newTLS(c.t.Context(), c.files, c.log.logger(), now)
	if err != nil {
		c.t.Fatal(err)
	}
	c.url = serveTLS(c.t, config, testTable(c.t), time.Now)
}

// later lets the time pass after which the files are looked at again.
func (c *changing) later() { c.ahead.Add(int64(recheckTLSFiles)) }

func (c *changing) want(certificate *tls.Certificate, want string) {
	c.t.Helper()
	if got := askOnce(c.t, c.server.pool(), certificate, c.url); got != want {
		c.t.Errorf("got %q, want %q", got, want)
	}
}

// serial is that of the certificate which the server shows.
func (c *changing) serial() string {
	c.t.Helper()
	client := newClient(c.t, c.server.pool(), nil)
	defer client.CloseIdleConnections()
	a, err := ask(c.t, client, c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	return a.state.PeerCertificates[0].SerialNumber.String()
}

func (c *changing) wantLines(warn, info int) {
	c.t.Helper()
	if w, i := c.log.count(slog.LevelWarn), c.log.count(slog.LevelInfo); w != warn || i != info {
		c.t.Errorf("%d warnings and %d notices were logged, want %d and %d:\n%s", w, i, warn, info, c.log)
	}
}

func TestStartNamesTheFile(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root")
	pair, other := root.server(t), root.server(t)
	tests := map[string]struct {
		spoil func(t *testing.T, files *TLSFiles)
		names func(files TLSFiles) string
	}{
		"no certificate file":      {func(_ *testing.T, f *TLSFiles) { f.CertFile += ".not" }, func(f TLSFiles) string { return f.CertFile }},
		"no certificate file name": {func(_ *testing.T, f *TLSFiles) { f.CertFile = "" }, func(TLSFiles) string { return "certificate file" }},
		"no key file":              {func(_ *testing.T, f *TLSFiles) { f.KeyFile += ".not" }, func(f TLSFiles) string { return f.KeyFile }},
		"key file unreadable": {func(t *testing.T, f *TLSFiles) { // Also for root, whom no mode keeps out.
			t.Helper()
			f.KeyFile = filepath.Join(f.CertFile, "tls.key")
		}, func(f TLSFiles) string { return f.KeyFile }},
		"key file is a folder": {func(t *testing.T, f *TLSFiles) { t.Helper(); f.KeyFile = t.TempDir() }, func(f TLSFiles) string { return f.KeyFile }},
		"key file is a pipe that nobody writes": {func(t *testing.T, f *TLSFiles) {
			t.Helper()
			f.KeyFile = filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(f.KeyFile, 0o600); err != nil {
				t.Fatal(err)
			}
		}, func(f TLSFiles) string { return f.KeyFile }},
		"key of another certificate": {func(t *testing.T, f *TLSFiles) { t.Helper(); write(t, f.KeyFile, keyPEM(t, other)) }, func(f TLSFiles) string { return f.KeyFile }},
		"key cut off": {func(t *testing.T, f *TLSFiles) {
			t.Helper()
			text := keyPEM(t, pair)
			write(t, f.KeyFile, text[:len(text)/2])
		}, func(f TLSFiles) string { return f.KeyFile }},
		"certificate file empty": {func(t *testing.T, f *TLSFiles) { t.Helper(); write(t, f.CertFile, nil) }, func(f TLSFiles) string { return f.CertFile }},
		"certificate file huge": {func(t *testing.T, f *TLSFiles) {
			t.Helper()
			write(t, f.CertFile, append(chainPEM(pair), bytes.Repeat([]byte("#"), maxTLSFileBytes)...))
		}, func(f TLSFiles) string { return f.CertFile }},
		"no client CA file":    {func(_ *testing.T, f *TLSFiles) { f.ClientCAFile += ".not" }, func(f TLSFiles) string { return f.ClientCAFile }},
		"client CA file empty": {func(t *testing.T, f *TLSFiles) { t.Helper(); write(t, f.ClientCAFile, nil) }, func(f TLSFiles) string { return f.ClientCAFile }},
		"client CA file is nonsense": {func(t *testing.T, f *TLSFiles) {
			t.Helper()
			write(t, f.ClientCAFile, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
		}, func(f TLSFiles) string { return f.ClientCAFile }},
		"client CA file holds a key": {func(t *testing.T, f *TLSFiles) {
			t.Helper()
			write(t, f.ClientCAFile, append(root.pem(), keyPEM(t, pair)...))
		}, func(f TLSFiles) string { return f.ClientCAFile }},
		"client CA file holds a certificate by another name": {func(t *testing.T, f *TLSFiles) {
			t.Helper()
			write(t, f.ClientCAFile, bytes.ReplaceAll(root.pem(), []byte("CERTIFICATE"), []byte("TRUSTED CERTIFICATE")))
		}, func(f TLSFiles) string { return f.ClientCAFile }},
		"client CA file cut off after the first": {func(t *testing.T, f *TLSFiles) {
			t.Helper()
			text := append(root.pem(), root.pem()...)
			write(t, f.ClientCAFile, text[:len(text)-10])
		}, func(f TLSFiles) string { return f.ClientCAFile }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := writeTLSFiles(t, pair, root.pem())
			test.spoil(t, &files)
			config, err := NewTLS(t.Context(), files, nil)
			if err == nil || config != nil {
				t.Fatalf("got %v, %v", config, err)
			}
			t.Log(err)
			if !strings.Contains(err.Error(), test.names(files)) {
				t.Errorf("the error does not name %s: %v", test.names(files), err)
			}
			for _, text := range [][]byte{keyPEM(t, pair), keyPEM(t, other)} {
				if line := strings.Split(string(text), "\n")[1]; strings.Contains(err.Error(), line) {
					t.Errorf("the error shows the key: %v", err)
				}
			}
		})
	}
}

func TestClientAuthoritiesChange(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "before"), newAuthority(t, "after")
	a, b := before.issue(t, withURIs(t, spiffeA)), after.issue(t, withDNS("b.example.org"))
	c := newChanging(t, before.pem())
	c.want(&a, "a spiffe_id")
	c.want(&b, handshakeFailed)

	write(t, c.files.ClientCAFile, after.pem())
	c.want(&a, "a spiffe_id") // It is not time to look yet.
	c.later()
	c.want(&a, handshakeFailed)
	c.want(&b, "b dns_san")
	c.wantLines(0, 1)

	write(t, c.files.ClientCAFile, append(after.pem(), before.pem()...))
	c.later()
	c.want(&a, "a spiffe_id")
	c.want(&b, "b dns_san")
	c.wantLines(0, 2)
}

// As nothing tells a change from the outside, only the contents do: same inode,
// same size, same time.
func TestClientAuthoritiesChangeUnseen(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "x"), newAuthority(t, "x")
	a := before.issue(t, withURIs(t, spiffeA))
	text := before.pem()
	for len(after.pem()) != len(text) { // The length of an ECDSA signature varies.
		after = newAuthority(t, "x")
	}
	c := newChanging(t, text)
	info, err := os.Stat(c.files.ClientCAFile)
	if err != nil {
		t.Fatal(err)
	}
	c.want(&a, "a spiffe_id")
	write(t, c.files.ClientCAFile, after.pem())
	if err := os.Chtimes(c.files.ClientCAFile, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	c.later()
	c.want(&a, handshakeFailed)
}

func TestClientAuthoritiesInTrouble(t *testing.T) {
	t.Parallel()
	root, foreign := newAuthority(t, "root"), newAuthority(t, "foreign")
	good, bad := root.issue(t, withURIs(t, spiffeA)), foreign.issue(t, withURIs(t, spiffeA))
	both := append(root.pem(), foreign.pem()...)
	tests := map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) {
			t.Helper()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"empty":                   func(t *testing.T, path string) { t.Helper(); write(t, path, nil) },
		"half-written":            func(t *testing.T, path string) { t.Helper(); write(t, path, foreign.pem()[:100]) },
		"second one half-written": func(t *testing.T, path string) { t.Helper(); write(t, path, both[:len(both)-40]) },
		"without its beginning":   func(t *testing.T, path string) { t.Helper(); write(t, path, both[len(both)/3:]) },
		"nonsense":                func(t *testing.T, path string) { t.Helper(); write(t, path, bytes.Repeat([]byte{0xff}, 4096)) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChanging(t, root.pem())
			spoil(t, c.files.ClientCAFile)
			for range 3 {
				c.later()
				c.want(&good, "a spiffe_id")
				c.want(&bad, handshakeFailed)
				c.want(nil, string(ReasonNoCredential))
			}
			c.wantLines(1, 0)
			if !strings.Contains(c.log.String(), c.files.ClientCAFile) {
				t.Errorf("the log does not name the file: %s", c.log)
			}
			write(t, c.files.ClientCAFile, foreign.pem())
			c.later()
			c.want(&good, handshakeFailed)
			c.want(&bad, "a spiffe_id")
		})
	}
}

func TestServerCertificateChanges(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root")
	c := newChanging(t, root.pem())
	first := c.serial()
	next := c.server.server(t)

	// The certificate is written first, in two pieces, then the key.
	text := chainPEM(next)
	for _, half := range [][]byte{text[:len(text)/2], text} {
		write(t, c.files.CertFile, half)
		for range 2 {
			c.later()
			if got := c.serial(); got != first {
				t.Fatalf("serves %s, want %s", got, first)
			}
		}
	}
	c.wantLines(2, 0) // Two troubles: half of it, then one without its key.
	write(t, c.files.KeyFile, keyPEM(t, next))
	c.later()
	if got := c.serial(); got != next.Leaf.SerialNumber.String() {
		t.Errorf("serves %s, want %s", got, next.Leaf.SerialNumber)
	}
	c.wantLines(2, 1)

	// What was there last comes back: that, too, is the end of a trouble.
	write(t, c.files.KeyFile, nil)
	c.later()
	_ = c.serial()
	write(t, c.files.KeyFile, keyPEM(t, next))
	c.later()
	_ = c.serial()
	c.wantLines(3, 2)
	if line := strings.Split(string(keyPEM(t, next)), "\n")[1]; strings.Contains(c.log.String(), line) {
		t.Errorf("the log shows the key: %s", c.log)
	}
}

// A server certificate in trouble must not keep an authority in trust.
func TestTroublesAreApart(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "before"), newAuthority(t, "after")
	a := before.issue(t, withURIs(t, spiffeA))
	c := newChanging(t, before.pem())
	write(t, c.files.KeyFile, nil)
	write(t, c.files.ClientCAFile, after.pem())
	c.later()
	c.want(&a, handshakeFailed)
	c.want(nil, string(ReasonNoCredential))
	c.wantLines(1, 1)
}

// Kubernetes swaps a link to a folder, so that no file is written and no name in
// the mounted folder changes.
func TestFollowsLinks(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "before"), newAuthority(t, "after")
	a, b := before.issue(t, withURIs(t, spiffeA)), after.issue(t, withURIs(t, spiffeA))
	c := &changing{t: t, server: newAuthority(t, "server root"), log: &logged{}}
	mount := t.TempDir()
	link := func(target string) {
		t.Helper()
		next := filepath.Join(mount, "..data_tmp")
		if err := os.Symlink(target, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(mount, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	pairs := map[string]tls.Certificate{"..v1": c.server.server(t), "..v2": c.server.server(t)}
	for version, ca := range map[string]*authority{"..v1": before, "..v2": after} {
		dir := filepath.Join(mount, version)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "tls.crt"), chainPEM(pairs[version]))
		write(t, filepath.Join(dir, "tls.key"), keyPEM(t, pairs[version]))
		write(t, filepath.Join(dir, "ca.crt"), ca.pem())
	}
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(mount, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.files = TLSFiles{
		CertFile:     filepath.Join(mount, "tls.crt"),
		KeyFile:      filepath.Join(mount, "tls.key"),
		ClientCAFile: filepath.Join(mount, "ca.crt"),
	}
	link("..v1")
	c.start()
	c.want(&a, "a spiffe_id")
	c.want(&b, handshakeFailed)
	link("..v2")
	if err := os.RemoveAll(filepath.Join(mount, "..v1")); err != nil {
		t.Fatal(err)
	}
	c.later()
	c.want(&a, handshakeFailed)
	c.want(&b, "a spiffe_id")
	if got, want := c.serial(), pairs["..v2"].Leaf.SerialNumber.String(); got != want {
		t.Errorf("serves %s, want %s", got, want)
	}
}

// A session ticket has the client's certificate, and the word of an authority
// that may since have been taken away.
func TestSessionsAreNotResumed(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			before, after := newAuthority(t, "before"), newAuthority(t, "after")
			a := before.issue(t, withURIs(t, spiffeA))
			c := newChanging(t, before.pem())
			cache := tls.NewLRUClientSessionCache(8)
			client := newClient(t, c.server.pool(), &a, func(config *tls.Config) {
				config.MinVersion, config.MaxVersion, config.ClientSessionCache = version, version, cache
			})
			for range 3 {
				got, err := ask(t, client, c.url)
				if err != nil {
					t.Fatal(err)
				}
				if got.text != "a spiffe_id" || got.state.DidResume || got.reused {
					t.Fatalf("got %q, resumed: %t, reused: %t", got.text, got.state.DidResume, got.reused)
				}
				client.CloseIdleConnections()
			}
			write(t, c.files.ClientCAFile, after.pem())
			c.later()
			if got, err := ask(t, client, c.url); err == nil {
				t.Errorf("got %q with a certificate of an authority that is gone", got.text)
			}
		})
	}
}

func TestWithoutClientAuthorities(t *testing.T) {
	t.Parallel()
	c := newChanging(t, nil)
	certificate := c.server.issue(t, withURIs(t, spiffeA))
	c.want(&certificate, string(ReasonNoCredential)) // It is not asked for.
	address := strings.TrimPrefix(c.url, "https://")
	old := tls.Dialer{Config: &tls.Config{RootCAs: c.server.pool(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}
	if _, err := old.DialContext(t.Context(), "tcp", address); err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
		t.Errorf("TLS 1.1: got %v", err)
	}
	for want, offered := range map[string][]string{"h2": {"http/1.1", "h2"}, "http/1.1": {"http/1.1"}, "": nil} {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: c.server.pool(), NextProtos: offered, MinVersion: tls.VersionTLS12}}
		connection, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if state := connection.(*tls.Conn).ConnectionState(); state.NegotiatedProtocol != want { //nolint:forcetypeassert // As documented.
			t.Errorf("offered %v: got %q, want %q", offered, state.NegotiatedProtocol, want)
		}
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Handshakes and changes at the same time; the race detector watches.
func TestChangesUnderLoad(t *testing.T) {
	t.Parallel()
	one, two := newAuthority(t, "one"), newAuthority(t, "two")
	always := newAuthority(t, "always")
	a, never := always.issue(t, withURIs(t, spiffeA)), newAuthority(t, "always").issue(t, withURIs(t, spiffeA))
	c := newChanging(t, append(one.pem(), always.pem()...))
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 8 {
				c.want(&a, "a spiffe_id")
				c.want(&never, handshakeFailed)
			}
		})
	}
	for i := range 16 {
		write(t, c.files.ClientCAFile, append([]*authority{one, two}[i%2].pem(), always.pem()...))
		next := c.server.server(t)
		write(t, c.files.CertFile, chainPEM(next))
		write(t, c.files.KeyFile, keyPEM(t, next))
		c.later()
	}
	workers.Wait()
}
