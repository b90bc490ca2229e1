package rows

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/drive"
	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

const (
	targetEntry = 3.0 // KiB.
	targetBytes = 1.4
	// entrySize is about the size of the answers, in bytes.
	entrySize = 2 << 10
	// entriesMemory is more than all of them take.
	entriesMemory = "8GiB"
	// longestFill is how long filling may take: answers are fresh for five minutes.
	longestFill = 200 * time.Second
	kib         = 1 << 10
)

// entryCounts are how many answers are stored, one step after the other.
var entryCounts = []int{1_000, 10_000, 100_000, 1_000_000}

// errTooSlow is the reason why a number of entries is left out.
var errTooSlow = errors.New("filling the cache would take longer than its answers are fresh")

// entries measures the memory of stored answers, which were asked for in one form, and
// the rate of calls about random ones of them.
func (s *suite) entries(ctx context.Context) error {
	return s.onStage(func(g *stage) error {
		page, size := listPage()
		answer, err := g.file("page", page)
		if err != nil {
			return err
		}
		upstream, err := g.upstream(ctx, answer)
		if err != nil {
			return err
		}
		gw, err := g.gateway(ctx, gateway.Options{BaseURL: "http://" + upstream.address + "/v1", Memory: entriesMemory})
		if err != nil {
			return err
		}
		f := &filled{stage: g, gateway: gw, size: size}
		if err := f.measureEmpty(ctx); err != nil {
			return err
		}
		for _, n := range entryCounts {
			if err := f.fill(ctx, n); err != nil {
				if !errors.Is(err, errTooSlow) {
					return err
				}
				g.skip(fmt.Sprintf("%d entries", n), err)
				break
			}
			if err := f.measure(ctx); err != nil {
				return err
			}
		}
		f.report()
		return nil
	})
}

// listPage is a page of projects of about entrySize, and its size.
func listPage() ([]byte, int) {
	var items []string
	for i := 0; len(strings.Join(items, ",")) < entrySize-len(projectJSON); i++ {
		items = append(items, strings.Replace(projectJSON, "proj_AMjpb18YUsKrQRxdhIYi6Sn7", projectID(i), 1))
	}
	page := fmt.Appendf(nil, `{"object":"list","data":[%s],"first_id":%q,"last_id":%q,"has_more":true}`, strings.Join(items, ","), projectID(0), projectID(len(items)-1))
	return page, len(page)
}

// pageRequest is a GET of the page of projects behind that one.
func (s *suite) pageRequest(address string, number int) []byte {
	return fmt.Appendf(nil, "GET /v1/organization/projects?limit=9&after=%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", projectID(number), address, s.token.Value)
}

// filled is a gateway with so many answers in its cache.
type filled struct {
	*stage
	gateway      *gateway.Gateway
	size         int // Of an answer, in bytes.
	entries      int
	empty, alive int64         // Bytes of the heap after a collection, without and with the answers.
	perEntry     time.Duration // That the last of them took to fill in.

	heap, resident, rate report.Series
}

func (f *filled) measureEmpty(ctx context.Context) error {
	// What is made with the first calls is not an entry's.
	if _, err := drive.Run(ctx, f.plan(f.warmup(), func(int) int { return 0 })); err != nil {
		return err
	}
	f.entries = 1
	var err error
	f.empty, err = f.gateway.LiveHeap(ctx)
	return err
}

// plan is a closed loop of calls about pages with the numbers that the function gives.
func (f *filled) plan(calls int, number func(call int) int) drive.Plan {
	return drive.Plan{
		Address: f.gateway.Port, Connections: h1Connections, Calls: calls,
		Request: func(call int) []byte { return f.pageRequest(f.gateway.Port, number(call)) },
	}
}

// fill stores answers until there are so many.
func (f *filled) fill(ctx context.Context, n int) error {
	if expected := time.Duration(n-f.entries) * f.perEntry; expected > longestFill {
		return fmt.Errorf("%w: about %.0f s", errTooSlow, expected.Seconds())
	}
	o, err := drive.Run(ctx, f.plan(n-f.entries, func(call int) int { return f.entries + call }))
	if err != nil {
		return err
	}
	f.perEntry = o.Took / time.Duration(n-f.entries)
	f.entries = n
	return nil
}

func (f *filled) measure(ctx context.Context) error {
	var err error
	if f.alive, err = f.gateway.LiveHeap(ctx); err != nil {
		return err
	}
	rss, err := f.gateway.RSS()
	if err != nil {
		return err
	}
	x := float64(f.entries)
	f.heap.Points = append(f.heap.Points, point(x, []float64{float64(f.alive-f.empty) / (1 << 20)}))
	f.resident.Points = append(f.resident.Points, point(x, []float64{float64(rss) / (1 << 20)}))
	random := rand.New(rand.NewPCG(1, uint64(f.entries))) //nolint:gosec // Which page is asked for is no secret.
	calls := f.Trial
	var rates []float64
	for round := range f.Rounds + 1 { // The first warms up.
		o, err := drive.Run(ctx, f.plan(calls, func(int) int { return random.IntN(f.entries) }))
		if err != nil {
			return err
		}
		calls = max(f.Trial, int(o.Rate()*f.Piece.Seconds()/2))
		if round > 0 {
			rates = append(rates, o.Rate())
		}
	}
	f.rate.Points = append(f.rate.Points, point(x, rates))
	return nil
}

// report adds the row and the plots.
func (f *filled) report() {
	last := f.heap.Points[len(f.heap.Points)-1]
	each := last.Y * (1 << 20) / last.X
	f.result.Rows = append(f.result.Rows, report.Row{
		ID: "entries", Title: fmt.Sprintf("%.0f answers of %.1f KiB in one form", last.X, float64(f.size)/kib),
		Subjects: []report.Subject{{Name: nameGateway, Metrics: []report.Metric{
			{Name: "entry", Unit: "KiB of heap each", Rounds: []float64{each / kib}},
			{Name: "rss", Unit: "MiB resident", Rounds: []float64{f.resident.Points[len(f.resident.Points)-1].Y}},
			{Name: report.Rate, Unit: "calls/s", Rounds: []float64{f.rate.Points[len(f.rate.Points)-1].Y}},
		}}},
		Verdicts: []report.Verdict{
			{Of: "KiB of heap an entry", Value: stats.Of([]float64{each / kib}), Target: targetEntry},
			{Of: "times the bytes of the answer", Value: stats.Of([]float64{each / float64(f.size)}), Target: targetBytes},
		},
	})
	f.heap.Name, f.resident.Name, f.rate.Name = "heap of the answers", "resident memory", nameGateway
	f.result.Plots = append(f.result.Plots,
		report.Plot{Name: "entries", Title: "Cached calls by stored answers", XName: "stored answers of 2 KiB", YName: "calls/s", LogX: true, Series: []report.Series{f.rate}},
		report.Plot{Name: "memory", Title: "Memory by stored answers", XName: "stored answers of 2 KiB", YName: "MiB", LogX: true, LogY: true, Series: []report.Series{f.heap, f.resident}})
}
