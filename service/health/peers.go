package health

import (
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	"github.com/admin-gateway/admin-gateway/internal/longestqueue"
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
	watches       longestqueue.Queues[netip.Addr, func()]
}

// watch is an open watch, whose value ends it.
type watch = longestqueue.Item[netip.Addr, func()]

func newPeers() *peers {
	return &peers{recent: make(map[netip.Addr]*rate.Limiter)}
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

// watch admits a watch, and unwatch must follow; nil refuses it. Where there are too
// many, the oldest one of the address that has the most ends: a few addresses keep
// no other out.
func (p *peers) watch(peer netip.Addr, end func()) *watch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watches.Of(peer) >= mostWatchesOfOne {
		return nil
	}
	if p.watches.Len() >= mostWatches {
		longest := p.watches.Longest()
		p.watches.Remove(longest)
		longest.Value()
	}
	return p.watches.Add(peer, end)
}

func (p *peers) unwatch(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches.Remove(w)
}
