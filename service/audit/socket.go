package audit

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Address is the socket of a collector.
type Address struct{ network, address string }

// ParseAddress reads unix:///path or tcp://host:port; false for anything without
// a scheme, which is the path of a file. Another scheme is an error.
func ParseAddress(path string) (Address, bool, error) {
	if address, ok := strings.CutPrefix(path, "unix://"); ok {
		if !filepath.IsAbs(address) {
			return Address{}, true, errors.New("is not unix:///path, with an absolute path")
		}
		return Address{"unix", address}, true, nil
	}
	if address, ok := strings.CutPrefix(path, "tcp://"); ok {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return Address{}, true, errors.New("is not tcp://host:port")
		}
		return Address{"tcp", address}, true, nil
	}
	if scheme, _, ok := strings.Cut(path, "://"); ok && !strings.ContainsAny(scheme, "/.") {
		return Address{}, true, errors.New("is neither a path nor unix:///path or tcp://host:port")
	}
	return Address{}, false, nil
}

// Reach connects to the collector once, and hangs up.
func (a Address) Reach(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, a.network, a.address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// open connects to the collector. A new connection is in the middle of no line.
func (a Address) open(_ string, _ bool, patience time.Duration) (s stream, torn bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, a.network, a.address)
	if err != nil {
		return nil, false, err
	}
	return remote{conn}, false, nil
}

// remote is a connection to a collector.
type remote struct{ net.Conn }

// check notices that the collector has closed the connection. Without it, a line that
// is written after that is lost without an error. What a collector says is not for
// us, and is thrown away.
func (r remote) check() error { return closedByPeer(r.Conn) }
