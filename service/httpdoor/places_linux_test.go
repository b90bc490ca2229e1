package httpdoor_test

import (
	"bufio"
	"net"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// dialFrom connects from one of the loopback addresses, all of which Linux has.
func dialFrom(t *testing.T, last byte, address string) line {
	t.Helper()
	dialer := &net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
	c, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return line{c, bufio.NewReader(c)}
}

// TestManyAddressesKeepNobodyOut: silent clients on every place of strangers, from 16
// addresses. The connection of another address loses its place to none of them, though
// it takes its time to send a credential.
func TestManyAddressesKeepNobodyOut(t *testing.T) {
	t.Parallel()
	o := serve(t, authenticating(hello), httpdoor.Options{MaxConnections: 128})
	flood := func() {
		for range 100 {
			for last := range byte(16) {
				dialFrom(t, 100+last, o.address).preface(t)
			}
		}
	}
	flood()
	slow := dial(t, o.address)
	slow.write(t, "GET / HTTP/1.1\r\nHost: h\r\n")
	flood()
	slow.write(t, "Caller: somebody\r\n\r\n")
	slow.isAnswered(t, "a slow caller")
}
