package health

import (
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// Health checks need no authentication, so each address has a limit: enough for
// every load balancer, and independent of other addresses.
const (
	healthRate, healthBurst = 50, 200
	// mostWatches and mostWatchesOfOne bound the open watches.
	mostWatches, mostWatchesOfOne = 1024, 64
	// mostPeers is from how many on addresses without recent checks are forgotten.
	mostPeers = 512
)

// peers counts the checks of addresses. It keeps at most 2 × mostPeers rates,
// and the addresses of open watches.
type peers struct {
	mu            sync.Mutex
	recent, older map[netip.Addr]*rate.Limiter
	watches       map[netip.Addr]int
	open          int
}

func newPeers() *peers {
	return &peers{recent: make(map[netip.Addr]*rate.Limiter), watches: make(map[netip.Addr]int)}
}

// allow returns whether the address may make another check.
func (p *peers) allow(peer netip.Addr) bool {
	p.mu.Lock()
	limiter := p.recent[peer]
	if limiter == nil {
		if limiter = p.older[peer]; limiter == nil {
			limiter = rate.NewLimiter(healthRate, healthBurst)
		}
		if len(p.recent) >= mostPeers {
			p.older, p.recent = p.recent, make(map[netip.Addr]*rate.Limiter)
		}
		p.recent[peer] = limiter
	}
	p.mu.Unlock()
	return limiter.Allow()
}

// watch admits a watch, and unwatch must follow; or it refuses one.
func (p *peers) watch(peer netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open >= mostWatches || p.watches[peer] >= mostWatchesOfOne {
		return false
	}
	p.open++
	p.watches[peer]++
	return true
}

func (p *peers) unwatch(peer netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if p.watches[peer]--; p.watches[peer] == 0 {
		delete(p.watches, peer)
	}
}

// peerOf is the address in "address:port". Of IPv6 it is the network, of whose
// addresses a host may have all. A caller without an address, such as one in
// the process, has the zero address.
func peerOf(address string) netip.Addr {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return ip
	}
	return network.Addr()
}
