package grpcdoor_test

import (
	"net"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// connectFrom connects from one of the loopback addresses, all of which Linux has.
func connectFrom(t *testing.T, last byte, address string) net.Conn {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestManyAddressesKeepNobodyOut: silent clients on every place of strangers, from 16
// addresses. The connection of another address loses its place to none of them, though
// it takes its time to send a credential.
func TestManyAddressesKeepNobodyOut(t *testing.T) {
	t.Parallel()
	o := serve(t, authenticating(echo), grpcdoor.Options{MaxConnections: 128})
	flood := func() {
		for range 50 {
			for last := range byte(16) {
				silent(t, connectFrom(t, 100+last, o.address))
			}
		}
	}
	flood()
	slow := newClient(t, o.address)
	if err := slow.until(isSettings); err != nil {
		t.Fatal(err)
	}
	flood()
	call(t, slow, 1, "caller")
}
