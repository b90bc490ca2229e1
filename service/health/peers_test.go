package health

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestPeersAreAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1:1234":          "192.0.2.1",
		"[::ffff:192.0.2.1]:1234": "192.0.2.1",
		"[2001:db8::1]:1":         "2001:db8::",
		"[2001:db8::ffff]:2":      "2001:db8::",
		"[fe80::1%eth0]:2":        "fe80::",
		"":                        "invalid IP",
		"pipe":                    "invalid IP",
	} {
		if got := peerOf(address).String(); got != want {
			t.Errorf("%q is %s, want %s", address, got, want)
		}
	}
}

// TestPeersAreForgotten: any number of addresses takes so much room, and one that
// asks all the time is not forgotten for it.
func TestPeersAreForgotten(t *testing.T) {
	t.Parallel()
	p := newPeers()
	busy := netip.MustParseAddr("192.0.2.1")
	for p.allow(busy) { // Until it has used up what it may.
	}
	allowed := 0
	for i := range 20 * mostPeers {
		other := netip.MustParseAddr(fmt.Sprintf("10.%d.%d.1", i/256, i%256))
		if !p.allow(other) || !p.watch(other) {
			if len(p.watches) < mostWatches {
				t.Fatalf("%s is refused as the first of its kind", other)
			}
		}
		if p.allow(busy) {
			allowed++
		}
	}
	if allowed > 20*mostPeers/10 {
		t.Errorf("an address was allowed %d times what it had used up", allowed)
	}
	if rates := len(p.recent) + len(p.older); rates > 2*mostPeers || p.open != mostWatches || len(p.watches) != mostWatches {
		t.Errorf("%d rates and %d watches of %d addresses are stored", rates, p.open, len(p.watches))
	}
	for peer := range p.watches {
		p.unwatch(peer)
	}
	if p.open != 0 || len(p.watches) != 0 {
		t.Errorf("%d watches of %d addresses are left", p.open, len(p.watches))
	}
}
