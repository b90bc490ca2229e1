package health

import (
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// Nobody has to show who they are to ask for the health, so an address may ask
// only so often: enough for every load balancer, and what one address uses up is
// not taken from another's.
const (
	healthRate, healthBurst = 50, 200
	// mostWatches and mostWatchesOfOne bound the open watches.
	mostWatches, mostWatchesOfOne = 1024, 64
	// mostPeers is when addresses that have not asked lately begin to be forgotten.
	mostPeers = 512
)

// peers counts what addresses ask. It keeps at most 2 × mostPeers rates,
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

// allow tells whether the address may ask once more.
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
// addresses a host may have all. What is none, such as a caller in the process,
// is the zero address.
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
