//go:build unix

package main

import (
	"context"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// openAndWait holds many connections from 16 addresses, and opens another one for
// each that ends: HTTP/2 that is begun and not used, or used for a health watch. None
// has a credential.
func openAndWait(ctx context.Context, address string, watch bool) error {
	const addresses, each = 16, 20
	var group sync.WaitGroup
	defer group.Wait()
	for i := range addresses * each {
		group.Go(func() {
			for ctx.Err() == nil {
				waitOnce(ctx, byte(100+i%addresses), address, watch)
				select {
				case <-time.After(250 * time.Millisecond): // The attack is on places, and not on the processor.
				case <-ctx.Done():
				}
			}
		})
	}
	<-ctx.Done()
	return nil
}

// waitOnce holds one connection until the gateway ends it. That it is refused or
// ended is what the attack is about.
func waitOnce(ctx context.Context, from byte, address string, watch bool) {
	dialer := &net.Dialer{Timeout: patience}
	if runtime.GOOS == "linux" { // Other systems have one loopback address.
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, from)}
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return
	}
	frames := http2.NewFramer(conn, nil)
	if frames.WriteSettings() != nil {
		return
	}
	if watch {
		block := headerBlock(":path", "/grpc.health.v1.Health/Watch", "content-type", "application/grpc+proto", "te", "trailers")
		if frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}) != nil || frames.WriteData(1, true, make([]byte, 5)) != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, conn)
}
