package recent

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/longestqueue"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// maxStrangers is how many lines there are for strangers, each of less than 2 KiB.
const maxStrangers = 2048

// Stranger are the calls without a valid credential of one network, for one reason, at one
// door.
type Stranger struct {
	// Network is an address of IPv4, or the /64 of one of IPv6; that of whom a trusted
	// proxy speaks for, where there is one. The zero value is of calls in this process.
	Network netip.Addr
	// Door and Reason are those of the calls: the protocol, and why the credential was not
	// accepted.
	Door, Reason string
	// Count is how many there were, the first and the last of them at First and Last.
	Count       uint64
	First, Last time.Time
	// Peer, ForwardedFor, Method, Presented and RequestID are those of the last of them.
	// The method is a text that it chose.
	Peer, ForwardedFor, Method, Presented, RequestID string
}

// strangerKey are the calls that have a line together.
type strangerKey struct {
	network      netip.Addr
	door, reason string
}

// strangers has a line for the calls of a network that were refused for the same reason,
// so that a flood is one line. Where there are as many lines as may be, the wider network
// with the most lines forgets the one that was quiet for longest.
type strangers struct {
	mu    sync.Mutex
	lines map[strangerKey]*strangerLine
	order longestqueue.Queues[netip.Prefix, strangerKey]
	lost  time.Time
}

type strangerLine struct {
	Stranger

	place *longestqueue.Item[netip.Prefix, strangerKey]
}

func (s *strangers) add(network netip.Addr, r *audit.Record) {
	key := strangerKey{network, r.Door, r.Reason}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lines[key]
	if l == nil {
		s.makeRoom()
		l = &strangerLine{Stranger: Stranger{Network: network, Door: r.Door, Reason: r.Reason, First: r.Time}}
		if s.lines == nil {
			s.lines = make(map[strangerKey]*strangerLine)
		}
		s.lines[key] = l
	} else {
		s.order.Remove(l.place)
	}
	l.place = s.order.Add(wider(network), key)
	l.Count++
	l.Last = later(l.Last, r.Time)
	l.Peer, l.ForwardedFor, l.RequestID = r.Peer, r.ForwardedFor, r.RequestID
	l.Method, l.Presented = clip(r.Method), clip(r.Presented)
}

// makeRoom forgets a line where there is no room for another one.
func (s *strangers) makeRoom() {
	if len(s.lines) < maxStrangers {
		return
	}
	oldest := s.order.Longest()
	s.order.Remove(oldest)
	s.lost = later(s.lost, s.lines[oldest.Value].Last)
	delete(s.lines, oldest.Value)
}

// wider is a network that somebody may have many addresses in: of IPv4 the /16, of IPv6
// the /48.
func wider(network netip.Addr) netip.Prefix {
	bits := 48
	if network.Is4() {
		bits = 16
	}
	prefix, err := network.Prefix(bits)
	if err != nil { // Calls in this process have no address.
		return netip.Prefix{}
	}
	return prefix
}

// clip bounds a text that a stranger chose, which must not keep a longer one in memory.
func clip(s string) string {
	const most = 256
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), most)]), "\ufffd")
}

// Strangers returns those of whom the last call was not before since, the latest first and
// at most as many as limit says; and the time from which on none of them was forgotten.
func (m *Memory) Strangers(since time.Time, limit int) (found []Stranger, more bool, complete time.Time) {
	s := &m.strangers
	s.mu.Lock()
	for _, l := range s.lines {
		if !l.Last.Before(since) {
			found = append(found, l.Stranger)
		}
	}
	complete = later(m.began, s.lost)
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b Stranger) int { return b.Last.Compare(a.Last) })
	if len(found) > limit {
		found, more = found[:limit], true
	}
	return found, more, complete
}
