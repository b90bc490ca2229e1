package health

import (
	"fmt"
	"net/netip"
	"testing"
)

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
		if !p.allow(other) || p.watch(other, func() {}) == nil {
			t.Fatalf("%s is refused as the first of its kind", other)
		}
		if p.allow(busy) {
			allowed++
		}
	}
	if allowed > 20*mostPeers/10 {
		t.Errorf("an address was allowed %d times what it had used up", allowed)
	}
	if rates := len(p.recent) + len(p.older); rates > 2*mostPeers || p.watches.Len() != mostWatches {
		t.Errorf("%d rates and %d watches are stored", rates, p.watches.Len())
	}
	for p.watches.Len() > 0 {
		p.unwatch(p.watches.Longest())
	}
}

// TestWatchesAreShared: when addresses have as many watches as they may, and all
// together as there may be, another's takes the place of the oldest of theirs.
func TestWatchesAreShared(t *testing.T) {
	t.Parallel()
	p := newPeers()
	var ended []int
	for i := range mostWatches {
		from := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % (mostWatches / mostWatchesOfOne))})
		if p.watch(from, func() { ended = append(ended, i) }) == nil {
			t.Fatalf("watch %d is refused", i)
		}
	}
	if p.watch(netip.MustParseAddr("10.0.0.1"), func() {}) != nil {
		t.Error("an address has more watches than it may")
	}
	own := 0
	if p.watch(netip.MustParseAddr("192.0.2.1"), func() { own++ }) == nil {
		t.Error("another address has no watch")
	}
	if len(ended) != 1 || ended[0] != 0 || own != 0 {
		t.Errorf("watches %v ended, and %d of the other", ended, own)
	}
}
