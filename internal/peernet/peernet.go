// Package peernet says which network a peer belongs to, for limits by address. It
// imports nothing of the project.
package peernet

import "net/netip"

// hosts is the prefix of IPv6 that one host has to itself: it may use all addresses
// of the network.
const hosts = 64

// Of is the address in "address:port", and of IPv6 its network (/64). A peer without
// an address, such as one in the process, has the zero address.
func Of(address string) netip.Addr {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}
	}
	return network(at.Addr())
}

// OfHost is the same of an address without a port.
func OfHost(address string) netip.Addr {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}
	}
	return network(ip)
}

func network(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip
	}
	network, err := ip.Prefix(hosts)
	if err != nil {
		return ip
	}
	return network.Addr()
}
