package config

import (
	"fmt"
	"net"
)

// CheckLoopback refuses addresses that other machines can reach. The sandbox and
// the demo need it: anybody who reaches them may use them.
func CheckLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not a host:port address", address)
	}
	if !IsLoopback(host) {
		return fmt.Errorf("%q is not a loopback address", address)
	}
	return nil
}

// IsLoopback reports whether only this machine can reach the host. A name other
// than localhost is not resolved.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
