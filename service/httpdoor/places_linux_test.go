package httpdoor_test

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// TestManyAddressesKeepNobodyOut: silent clients on every place of strangers, from 16
// addresses. The connection of another address loses its place to none of them, though
// it takes its time to send a credential.
func TestManyAddressesKeepNobodyOut(t *testing.T) {
	t.Parallel()
	o := serve(t, authenticating(hello), httpdoor.Options{MaxConnections: 128})
	flood := func() {
		for range 100 {
			for last := range byte(16) {
				conntest.Greet(t, conntest.DialFrom(t, 100+last, o.address, patience))
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
