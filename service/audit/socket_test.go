//go:build unix

package audit

import (
	"bufio"
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// collector is the other end of a socket.
type collector struct {
	net.Listener
	path string
}

func listen(t *testing.T, network, address string) collector {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if l, ok := listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = l.SetDeadline(time.Now().Add(30 * time.Second)) // A test that waits for longer has failed.
	}
	return collector{listener, network + "://" + listener.Addr().String()}
}

// accept takes the next connection.
func (c collector) accept(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := c.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func next(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	for {
		text, err := r.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%q, %v", text, err)
		}
		if found := ids(t, text); len(found) > 0 {
			return found[0]
		}
	}
}

// impatient opens a log on a socket that connects anew all the time.
func impatient(t *testing.T, path string, options Options) *Log {
	t.Helper()
	address, remote, err := ParseAddress(path)
	if err != nil || !remote {
		t.Fatal(err)
	}
	options.Path = path
	l, err := start(options, &sink{path: path, open: address.open, retry: time.Millisecond, remote: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(within(t)) })
	return l
}

func sockets(t *testing.T) map[string]collector {
	t.Helper()
	return map[string]collector{
		"unix": listen(t, "unix", filepath.Join(t.TempDir(), "s")),
		"tcp":  listen(t, "tcp", "127.0.0.1:0"),
	}
}

// TestSocket: a collector gets a line for each record.
func TestSocket(t *testing.T) {
	t.Parallel()
	for name, c := range sockets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, Options{Path: c.path})
			if err := l.Write(t.Context(), call("1")); err != nil {
				t.Fatal(err)
			}
			l.Offer(call("2"))
			_, lines := c.accept(t)
			if got := []string{next(t, lines), next(t, lines)}; !cmp.Equal(got, []string{"1", "2"}) {
				t.Errorf("%q", got)
			}
			timetest.Eventually(t, "both are counted", func() bool { return l.Written() == 2 })
			if err := l.Failing(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCollectorThatGoes: a connection that was closed takes no more lines, and the next
// one gets them.
func TestCollectorThatGoes(t *testing.T) {
	t.Parallel()
	for name, c := range sockets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := impatient(t, c.path, Options{})
			if err := l.Write(t.Context(), call("1")); err != nil {
				t.Fatal(err)
			}
			conn, lines := c.accept(t)
			if got := next(t, lines); got != "1" {
				t.Errorf("%s", got)
			}
			// What it says is not for us.
			if _, err := conn.Write(make([]byte, 5000)); err != nil {
				t.Error(err)
			}
			_ = conn.Close()
			// The kernel has seen the end: it is this machine's.
			untilWritten(t, l, call("2"))
			_, lines = c.accept(t)
			if got := next(t, lines); got != "2" {
				t.Errorf("%s", got)
			}
		})
	}
}

// TestNoCollector: the gateway starts without one. Offered records wait for it, and
// Writes are refused.
func TestNoCollector(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l := impatient(t, "unix://"+path, Options{})
	l.Offer(call("held"))
	if err := l.Write(t.Context(), call("refused")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v", err)
	}
	if err := l.Failing(); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("it does not say that it fails: %v", err)
	}
	c := listen(t, "unix", path)
	_, lines := c.accept(t)
	if got := next(t, lines); got != "held" {
		t.Errorf("%s", got)
	}
	untilWritten(t, l, call("2"))
	if err := l.Failing(); err != nil {
		t.Error(err)
	}
}

// TestTheNextCollectorGetsTheWholeRecord that the last one had a part of.
func TestTheNextCollectorGetsTheWholeRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{files: []*faulty{{plan: []int{10, 0, 0}}, {}}}
		l, err := start(Options{Path: "remote"}, &sink{path: "remote", open: d.open, retry: time.Second, remote: true})
		if err != nil {
			t.Fatal(err)
		}
		l.Offer(call("1"))
		<-time.After(3 * time.Second)
		mustClose(t, l)
		if got := ids(t, []byte(d.files[1].String())); !cmp.Equal(got, []string{"1"}) || l.Written() != 1 || l.Failed() != 0 {
			t.Errorf("%q; written %d, failed %d", got, l.Written(), l.Failed())
		}
	})
}

// TestCollectorThatStalls takes nothing, and then goes: the next one gets whole lines.
func TestCollectorThatStalls(t *testing.T) {
	t.Parallel()
	c := listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	var logged lockedBuffer
	l := impatient(t, c.path, Options{Timeout: 50 * time.Millisecond, Logger: logged.logger()})
	r := longest()
	// The log, because the next connection, in the listener's queue, may work already.
	untilStuck(t, l, r, func() bool { return strings.Contains(logged.String(), "audit records cannot be written") })
	conn, _ := c.accept(t)
	_ = conn.Close()
	untilWritten(t, l, call("last"))
	for found := false; !found; {
		_, lines := c.accept(t)
		for !found {
			text, err := lines.ReadBytes('\n')
			if err != nil {
				break // It stalled too. What it has a part of, the next one has whole.
			}
			found = slices.Contains(ids(t, text), "last") // A line that is not whole has no ids.
		}
	}
	mustClose(t, l)
}

// TestConnectsEverLessOften: the wait between two attempts grows, and is bounded.
func TestConnectsEverLessOften(t *testing.T) {
	t.Parallel()
	s := &sink{retry: time.Second, remote: true}
	var waits []time.Duration
	for range 7 {
		waits = append(waits, s.wait())
		s.failing++
	}
	want := []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 16e9, 16e9}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for path, good := range map[string]bool{
		"unix:///run/audit.sock": true, "tcp://collector:514": true, "tcp://[::1]:514": true,
		"unix://audit.sock": false, "unix://": false, "tcp://collector": false, "tcp://:514": false, "tcp://collector:": false,
	} {
		if _, remote, err := ParseAddress(path); !remote || (err == nil) != good {
			t.Errorf("%s: %t, %v", path, remote, err)
		}
	}
	if _, remote, _ := ParseAddress("/var/log/audit"); remote {
		t.Error("a file is taken for a socket")
	}
	if _, err := Open(Options{Path: "tcp://nowhere"}); err == nil {
		t.Error("opened")
	}
}

// TestCloseDoesNotWaitForACollector that is not there.
func TestCloseDoesNotWaitForACollector(t *testing.T) {
	t.Parallel()
	l := open(t, Options{Path: "unix://" + filepath.Join(t.TempDir(), "s")})
	l.Offer(call("lost"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := l.Close(ctx); !errors.Is(err, syscall.ENOENT) || l.Failed() != 1 {
		t.Errorf("%v, failed %d", err, l.Failed())
	}
}
