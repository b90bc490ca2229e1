package peer

import (
	"context"
	"net"
	"strings"
)

// freePorts are addresses of 127.0.0.1 that nobody listened on a moment ago: these
// servers cannot be asked which port they have chosen.
func freePorts(ctx context.Context, n int) ([]string, error) {
	addresses := make([]string, 0, n)
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// portOf is the port of an address that has one.
func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
