package config

import (
	"fmt"
	"net"
)

// CheckLoopback keeps what has no callers of its own, or whose callers are known
// to all, to its own machine.
func CheckLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host:port", address)
	}
	if !IsLoopback(host) {
		return fmt.Errorf("%q is not a loopback address", address)
	}
	return nil
}

func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
