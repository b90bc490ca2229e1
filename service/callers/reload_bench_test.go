package callers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/policytest"
)

// ticks is the environment variable that makes the test binary one that sends calls.
const ticks = "GATEWAY_TEST_TICKS"

// sendTicks writes the time to its output every 200 µs or so, until nobody reads.
func sendTicks() {
	ticker := time.NewTicker(200 * time.Microsecond)
	defer ticker.Stop()
	for range ticker.C {
		var now [8]byte
		binary.BigEndian.PutUint64(now[:], uint64(time.Now().UnixNano()))
		if _, err := os.Stdout.Write(now[:]); err != nil {
			return
		}
	}
}

// BenchmarkReload reports how long calls take that come while a policy is replaced by
// another of the same size, from when another process sends them to a decision by the
// policy in force. reload=false is the same without a reload.
func BenchmarkReload(b *testing.B) {
	for _, procs := range []int{1, 2} {
		for _, reload := range []bool{false, true} {
			b.Run(fmt.Sprintf("callers=100000/procs=%d/reload=%t", procs, reload), func(b *testing.B) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				benchmarkReload(b, 100_000, reload)
			})
		}
	}
}

func benchmarkReload(b *testing.B, n int, reload bool) {
	b.Helper()
	dir := b.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	// The files are written beforehand, and linked as Kubernetes does.
	for i := range 2 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), append(policytest.YAML(n), fmt.Sprintf("# %d\n", i)...), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	put := func(i int) {
		next := filepath.Join(dir, "next")
		if err := errors.Join(os.Symlink(fmt.Sprint(i), next), os.Rename(next, path)); err != nil {
			b.Fatal(err)
		}
	}
	put(0)
	r := rules(b)
	source, err := Open(File{Path: path, MaxBytes: 64 << 20}, r, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	// Calls come from another process: a timer of this one would be late by itself, since
	// the collector's idle workers look for work from the network and not for timers.
	command := exec.CommandContext(b.Context(), os.Args[0])
	command.Env = append(os.Environ(), ticks+"=1")
	calls, err := command.StdoutPipe()
	if err := errors.Join(err, command.Start()); err != nil {
		b.Fatal(err)
	}
	done := make(chan []time.Duration)
	handle, _ := r.Methods.Lookup(listUsers)
	go func() {
		var late []time.Duration
		var sent [8]byte
		for i := 0; ; i++ {
			if _, err := io.ReadFull(calls, sent[:]); err != nil {
				break
			}
			set, name := source.Current(), policytest.Name(i%n)
			if _, ok := set.Limiter(name).Start(Single); ok {
				set.Limiter(name).Done(Single)
			}
			if !set.Policy.MayCall(name, handle).Allowed {
				panic(name)
			}
			late = append(late, time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(sent[:])))))
		}
		done <- late
	}()
	i := 0
	for b.Loop() {
		if !reload {
			<-time.After(2 * time.Second)
			continue
		}
		i++
		put(i % 2)
		source.look(context.Background())
		source.look(context.Background())
	}
	if err := command.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	late := <-done
	_ = command.Wait() // It was killed.
	if int(source.Reloads()) != i {
		b.Fatalf("%d reloads of %d", source.Reloads(), i)
	}
	slices.Sort(late)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	b.ReportMetric(ms(late[len(late)-1]), "max-ms")
	b.ReportMetric(ms(late[len(late)*999/1000]), "p99.9-ms")
	b.ReportMetric(ms(late[len(late)/2]), "p50-ms")
}
