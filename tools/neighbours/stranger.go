package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// silent is how many connections a stranger holds at each door that say no more than
// they must.
const silent = 1100

// again is how long a stranger waits before it opens the place of a connection anew
// that the gateway closed: sooner, and the addresses of the machine would run out.
const again = 2 * time.Second

// attackStranger is a client without a credential: it opens connections and says
// nothing on them, floods the gateway with calls that are refused, and watches the
// health of the gateway.
func attackStranger(ctx context.Context, all *sync.WaitGroup, at target, t *tally) {
	// The beginning of an HTTP/2 connection with empty settings, and that of a request.
	const preface, request = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "GET /v1/organization/users HTTP/1.1\r\nHost: a\r\n"
	for i := range silent {
		for _, door := range []string{at.Listen, at.GRPCListen} {
			all.Go(func() {
				begin := preface
				if door == at.Listen && i%4 == 0 {
					begin = request
				}
				for ctx.Err() == nil {
					hold(ctx, door, begin, t)
				}
			})
		}
	}
	for worker := range 8 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: worker%2 == 0, MaxIdleConnsPerHost: 8}, Timeout: patience}
		all.Go(func() {
			wrong := at
			if worker%4 < 2 {
				wrong.Token = "agw_0000000000000000000000000000000000000000000"
			}
			for ctx.Err() == nil {
				call(ctx, client, wrong, t, "refused calls", http.MethodGet, "/organization/users", nil)
			}
		})
	}
	for range 32 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		all.Go(func() {
			for ctx.Err() == nil {
				stream(ctx, client, at, t, "watches", "/grpc.health.v1.Health/Watch")
			}
		})
	}
}

// hold opens a connection, says the beginning, and holds it until the gateway closes
// it.
func hold(ctx context.Context, door, begin string, t *tally) {
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", door)
	if err != nil {
		t.add("connections refused")
		wait(ctx, again)
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	t.add("connections")
	if _, err := io.WriteString(conn, begin); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, conn) // Until one side closes it.
	if ctx.Err() == nil {
		t.add("connections closed by the gateway")
		wait(ctx, again)
	}
}
