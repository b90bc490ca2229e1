package pages_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// readUntil reads lines of a page to one that has a text.
func readUntil(t *testing.T, page *bufio.Reader, text string) string {
	t.Helper()
	var read strings.Builder
	for {
		line, err := page.ReadString('\n')
		read.WriteString(line)
		if strings.Contains(line, text) {
			return read.String()
		}
		if err != nil {
			t.Fatalf("%q does not come: %v after %s", text, err, read.String())
		}
	}
}

// TestPagesBeginAtOnce: while the upstream gives no answer, a page has its frame and what
// is stored, with its age; what is new takes its place.
func TestPagesBeginAtOnce(t *testing.T) {
	t.Parallel()
	now := new(atomic.Int64)
	now.Store(time.Now().Unix())
	open, asked := make(chan struct{}), make(chan struct{}, 64)
	var closed atomic.Bool
	gate := &gatewaytest.Gate{Before: func(ctx context.Context, _ int64, _ *upstream.Endpoint, _ *upstream.Request) error {
		if !closed.Load() {
			return nil
		}
		asked <- struct{}{}
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	g := gatewaytest.New(t, gatewaytest.WithSandbox(gatewaytest.NewSandbox(t, sandbox.Options{})), gatewaytest.WithMemoryCache(), gatewaytest.WithGate(gate),
		gatewaytest.WithClock(func() time.Time { return time.Unix(now.Load(), 0) }), gatewaytest.WithPolicy(fmt.Sprintf(policyFor, "proj_x")))
	b := consoletest.Open(t, g).As(t, "all")
	b.Get("/costs?by=none") // This is stored now.
	closed.Store(true)
	now.Add(600) // And is past its freshness.

	body := b.Begin("/costs?by=none")
	defer body.Close()
	page := bufio.NewReader(body)
	kept := readUntil(t, page, "</section>")
	if !strings.Contains(kept, " kept\"") || !strings.Contains(kept, "10 minutes old, a newer one is on its way") || !strings.Contains(kept, "<svg") {
		t.Errorf("what is stored is shown as %s", kept)
	}
	<-asked // The upstream has been asked, and has not answered.
	close(open)
	rest := readUntil(t, page, "</html>")
	if !strings.Contains(rest, " done\"") || !strings.Contains(rest, "<svg") {
		t.Errorf("then comes %s", rest)
	}

	// Of what is not stored the page says that it waits.
	open = make(chan struct{})
	second := b.Begin("/costs?by=key")
	defer second.Close()
	page = bufio.NewReader(second)
	if waits := readUntil(t, page, "</section>"); !strings.Contains(waits, " waiting\"") || !strings.Contains(waits, `aria-busy="true"`) {
		t.Errorf("what is not stored is shown as %s", waits)
	}
	<-asked
	close(open)
	if rest := readUntil(t, page, "</html>"); !strings.Contains(rest, " done\"") {
		t.Errorf("then comes %s", rest)
	}
}

// TestPagesWithoutBudget: where the budget is used up, a page says so, and keeps what it
// has; and it spends no more than a call for each part of it.
func TestPagesWithoutBudget(t *testing.T) {
	t.Parallel()
	now := new(atomic.Int64)
	now.Store(time.Now().Unix())
	g := gatewaytest.New(t, gatewaytest.WithSandbox(gatewaytest.NewSandbox(t, sandbox.Options{})), gatewaytest.WithMemoryCache(),
		gatewaytest.WithClock(func() time.Time { return time.Unix(now.Load(), 0) }), gatewaytest.WithPolicy(fmt.Sprintf(policyFor, "proj_x")),
		gatewaytest.WithPacing(pace.Options{Window: 20 * time.Minute, Default: pace.Limit{Calls: 1, Burst: 1}, Organization: pace.Limit{Calls: 600, Burst: 100}}))
	b := consoletest.Open(t, g).As(t, "all")
	if first := b.Get("/costs?by=none").Parts()["costs"]; !strings.Contains(first, " done\"") {
		t.Fatalf("with a token: %s", first)
	}
	now.Add(600)
	again := b.Get("/costs?by=none").Parts()["costs"]
	if !strings.Contains(again, "10 minutes old") || !strings.Contains(again, "<svg") {
		t.Errorf("without one, of what is stored: %s", again)
	}
	none := b.Get("/costs?by=key").Parts()["costs"]
	if !strings.Contains(none, " failed\"") || !strings.Contains(none, "Try again in") || strings.Contains(none, "<svg") {
		t.Errorf("without one, of what is not: %s", none)
	}
}

// BenchmarkWarmOverview is the overview with everything in the cache, for 20 people at the
// same time: the time to its first byte, and to its end.
func BenchmarkWarmOverview(b *testing.B) {
	g := gatewaytest.New(b, gatewaytest.WithSandbox(gatewaytest.NewSandbox(b, sandbox.Options{})), gatewaytest.WithMemoryCache(),
		gatewaytest.WithPolicy(fmt.Sprintf(policyFor, "proj_x")), gatewaytest.WithPacing(pace.Options{Default: pace.Limit{Calls: 600, Burst: 50}, Organization: pace.Limit{Calls: 6000, Burst: 500}}))
	c := consoletest.Open(b, g)
	people := make([]*consoletest.Browser, 20)
	for i := range people {
		people[i] = c.As(b, "all")
	}
	people[0].Get("/")
	var mu sync.Mutex
	var first, whole []time.Duration
	for b.Loop() {
		var group sync.WaitGroup
		for _, person := range people {
			group.Go(func() {
				begun := time.Now()
				body := person.Begin("/")
				one := make([]byte, 1)
				_, err := io.ReadFull(body, one)
				at := time.Since(begun)
				_, err2 := io.Copy(io.Discard, body)
				_ = body.Close()
				if err != nil || err2 != nil {
					b.Error(err, err2)
				}
				mu.Lock()
				defer mu.Unlock()
				first, whole = append(first, at), append(whole, time.Since(begun))
			})
		}
		group.Wait()
	}
	b.ReportMetric(float64(percentile(first, 99).Microseconds())/1000, "first-p99-ms")
	b.ReportMetric(float64(percentile(whole, 50).Microseconds())/1000, "page-p50-ms")
	b.ReportMetric(float64(percentile(whole, 99).Microseconds())/1000, "page-p99-ms")
}

// BenchmarkColdOverview is the overview with nothing in the cache, at 7 calls a minute of
// each endpoint: the time to its first byte, to the costs, and to its end.
func BenchmarkColdOverview(b *testing.B) {
	var first, costs, whole []time.Duration
	for b.Loop() {
		b.StopTimer()
		g := gatewaytest.New(b, gatewaytest.WithSandbox(gatewaytest.NewSandbox(b, sandbox.Options{})), gatewaytest.WithMemoryCache(),
			gatewaytest.WithPolicy(fmt.Sprintf(policyFor, "proj_x")), gatewaytest.WithPacing(pace.Options{Default: pace.Limit{Calls: 7, Burst: 1}, Organization: pace.Limit{Calls: 60, Burst: 10}}))
		person := consoletest.Open(b, g).As(b, "all")
		b.StartTimer()
		begun := time.Now()
		body := person.Begin("/")
		first = append(first, time.Since(begun))
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, 4<<20)
		seen := false
		for lines.Scan() {
			if !seen && strings.Contains(lines.Text(), "<svg") {
				seen, costs = true, append(costs, time.Since(begun))
			}
		}
		_ = body.Close()
		whole = append(whole, time.Since(begun))
	}
	b.ReportMetric(float64(percentile(first, 99).Microseconds())/1000, "first-p99-ms")
	b.ReportMetric(float64(percentile(costs, 99).Microseconds())/1000, "costs-p99-ms")
	b.ReportMetric(float64(percentile(whole, 99).Microseconds())/1000, "page-p99-ms")
}

func percentile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*percent/100)]
}
