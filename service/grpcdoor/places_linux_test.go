package grpcdoor_test

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// TestManyAddressesKeepNobodyOut: silent clients on every place of strangers, from 16
// addresses. The connection of another address loses its place to none of them, though
// it takes its time to send a credential.
func TestManyAddressesKeepNobodyOut(t *testing.T) {
	t.Parallel()
	o := serve(t, authenticating(echo), grpcdoor.Options{MaxConnections: 128})
	flood := func() {
		for range 50 {
			for last := range byte(16) {
				conntest.Greet(t, conntest.DialFrom(t, 100+last, o.address, patience))
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
