//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

// attackVariable names the attack that a process makes. The gateway is what its
// standard input tells.
const attackVariable = "GATEWAY_TEST_ATTACK"

// somebodyElse is an attack on a server that does nothing but read: what an
// attacker costs who is on the same machine.
const somebodyElse = "rapid reset of somebody else"

// attacked is where an attacker finds a gateway.
type attacked struct{ Listen, GRPCListen, Token string }

// BenchmarkNeighbour reports how long a neighbour waits for answers from the
// cache while an attack goes on, and how many times as long as without it. The
// attacker has a process of its own, with the lowest priority: it is to take what
// the gateway gives it, and not the processor on which the neighbour runs.
func BenchmarkNeighbour(b *testing.B) {
	var alone float64
	names := []string{"alone", somebodyElse}
	for name := range attacks() {
		names = append(names, name)
	}
	slices.Sort(names[2:])
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			c := startChild(b, "\nshutdown: {delay: 0s}\n")
			client := http2Client()
			b.Cleanup(client.CloseIdleConnections)
			calls := c.users(client)
			end := startAttack(b, name, attacked{c.Listen, c.GRPCListen, c.other})
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := calls.ListUsers(b.Context(), &adminv1.ListUsersRequest{}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			end()
			slices.Sort(took)
			p99 := float64(took[len(took)*99/100].Microseconds())
			if name == "alone" {
				alone = p99
			}
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(p99, "p99-µs")
			if alone > 0 {
				b.ReportMetric(p99/alone, "×alone")
			}
		})
	}
}

// startAttack begins one, and gives what ends it.
func startAttack(b *testing.B, name string, at attacked) func() {
	b.Helper()
	switch name {
	case "alone":
		return func() {}
	case somebodyElse:
		at.Listen = newSink(b)
	}
	where, err := json.Marshal(at)
	if err != nil {
		b.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), "chrt", "--idle", "0", binary)
	cmd.Env = append(os.Environ(), attackVariable+"="+name)
	out := newOutput()
	cmd.Stderr = out
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	begun, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Fprintf(in, "%s\n", where); err != nil {
		b.Fatal(err)
	}
	if _, err := begun.Read(make([]byte, 1)); err != nil {
		b.Fatalf("the attack did not begin: %v\n%s", err, out)
	}
	return func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("the attack: %v\n%s", err, out)
		}
	}
}

// attackAlone makes an attack until standard input ends, and gives the exit code.
func attackAlone(name string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	in := json.NewDecoder(os.Stdin)
	var at attacked
	if err := in.Decode(&at); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // Until it ends.
		cancel()
	}()
	if name == somebodyElse {
		name = "rapid reset"
	}
	attack := attacks()[name]
	squeezed()
	_, _ = fmt.Fprint(os.Stdout, "!") // Where nobody reads it, there is nobody to attack for.
	if err := attack(ctx, &child{Listen: at.Listen, GRPCListen: at.GRPCListen, other: at.Token}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// newSink is a server that reads, and says nothing.
func newSink(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				_, _ = io.Copy(io.Discard, conn) // Until the client has gone.
				_ = conn.Close()
			})
		}
	})
	b.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	return l.Addr().String()
}
