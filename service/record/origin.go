package record

import (
	"net/netip"
	"strings"

	"connectrpc.com/connect/v2"
)

// The headers in which proxies say for whom they speak.
const (
	// HeaderXForwardedFor has addresses, separated by commas.
	HeaderXForwardedFor = "X-Forwarded-For"
	// HeaderForwarded is that of RFC 7239.
	HeaderForwarded = "Forwarded"
)

// Origins finds out from where calls come. The zero value believes no proxy.
type Origins struct {
	// Trusted are the addresses of proxies that are believed.
	Trusted []netip.Prefix
	// Header is the one header that these set, and do not let through:
	// HeaderXForwardedFor or HeaderForwarded.
	Header string
}

const (
	// maxForwarded bounds what is read of the header, in bytes.
	maxForwarded = 4096
	// maxHops bounds the proxies that are followed.
	maxHops = 16
)

// of returns the address of the other end of the connection, with its port, and the
// one for which it speaks: going back from the connection, the first address that is
// not that of a trusted proxy. Either is "" where there is none, and where it is not
// an address: nothing else that a client sends gets into a record.
func (o Origins) of(info *connect.CallInfo) (peer, forwardedFor string) {
	at, err := netip.ParseAddrPort(info.PeerAddr)
	if err != nil {
		return "", ""
	}
	at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	var written [64]byte // Longer than any address with its port.
	if text := at.AppendTo(written[:0]); string(text) == info.PeerAddr {
		peer = info.PeerAddr
	} else {
		peer = string(text)
	}
	if !o.trusts(at.Addr()) {
		return peer, ""
	}
	hops := o.hops(info.RequestHeader().Values(o.Header))
	for i := len(hops) - 1; i >= max(0, len(hops)-maxHops); i-- {
		address, ok := addressOf(hops[i])
		if !ok {
			return peer, ""
		}
		forwardedFor = address.String()
		if !o.trusts(address) {
			break
		}
	}
	return peer, forwardedFor
}

func (o Origins) trusts(address netip.Addr) bool {
	for _, prefix := range o.Trusted {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// hops are the elements of the header's lines, the nearest last.
func (o Origins) hops(lines []string) []string {
	all := strings.Join(lines[max(0, len(lines)-maxHops):], ",")
	if len(all) > maxForwarded {
		// The first element may be cut off: nobody gets to it.
		all = all[len(all)-maxForwarded:]
		_, all, _ = strings.Cut(all, ",")
	}
	if all == "" {
		return nil
	}
	elements := strings.Split(all, ",")
	if o.Header != HeaderForwarded {
		return elements
	}
	for i, element := range elements {
		elements[i] = forParameter(element)
	}
	return elements
}

// forParameter is the value of "for" in an element of RFC 7239, "" without one. A
// comma or semicolon within quotes breaks a value apart, and neither part is an
// address.
func forParameter(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(name, "for") {
			if quoted, ok := strings.CutPrefix(value, `"`); ok {
				value = strings.TrimSuffix(quoted, `"`)
			}
			return value
		}
	}
	return ""
}

// addressOf reads an address, with or without a port.
func addressOf(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(hop, "["); ok {
		hop = strings.TrimSuffix(inner, "]")
	}
	address, err := netip.ParseAddr(hop)
	return address.Unmap().WithZone(""), err == nil
}
