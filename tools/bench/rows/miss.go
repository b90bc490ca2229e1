package rows

import (
	"context"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/drive"
	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/peer"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

const (
	nameForward   = "nginx proxy_pass"
	targetMiss    = 1.2
	targetMissP99 = 1.5
)

// hop is what stands between the client and the upstream: nothing, a peer, the gateway.
type hop struct {
	process *machine.Process
	address string
	// Of each round, in microseconds.
	p50, p99, spent []float64
}

// miss measures what a read that is not stored takes more than the upstream alone: one
// call at a time, each about another project, at the REST door.
func (s *suite) miss(ctx context.Context) error {
	return s.onStage(func(g *stage) error {
		answer, err := g.file("project", []byte(projectJSON))
		if err != nil {
			return err
		}
		upstream, err := g.upstream(ctx, answer)
		if err != nil {
			return err
		}
		gw, err := g.gateway(ctx, gateway.Options{BaseURL: "http://" + upstream.address + "/v1"})
		if err != nil {
			return err
		}
		n, err := g.nginx(ctx, peer.Nginx{Upstream: upstream.address})
		if err != nil {
			return err
		}
		direct, pass, own := &hop{upstream.Process, upstream.address, nil, nil, nil}, &hop{n.Process, n.HTTP1, nil, nil, nil}, &hop{gw.Process, gw.Port, nil, nil, nil}
		var number int
		for _, h := range []*hop{direct, pass, own} {
			if number, err = g.pass(ctx, h, number, g.warmup()); err != nil {
				return err
			}
			h.p50, h.p99, h.spent = nil, nil, nil
		}
		// So many that the 99th percentile is not that of a handful.
		calls := max(g.warmup(), int(1000*g.Piece.Seconds()))
		for range max(g.Rounds, missRounds) {
			for _, h := range []*hop{direct, pass, own} {
				if number, err = g.pass(ctx, h, number, calls); err != nil {
					return err
				}
			}
		}
		row := report.Row{ID: "miss", Title: "Miss, one call at a time"}
		for _, named := range []struct {
			name string
			hop  *hop
		}{{nameGateway, own}, {nameForward, pass}} {
			row.Subjects = append(row.Subjects, report.Subject{Name: named.name, Metrics: []report.Metric{
				{Name: "p50", Unit: "µs added at p50", Rounds: added(named.hop.p50, direct.p50)},
				{Name: "p99", Unit: "µs added at p99", Rounds: added(named.hop.p99, direct.p99)},
				{Name: report.Processor, Unit: "µs of processor", Rounds: named.hop.spent},
			}})
		}
		for _, v := range []struct {
			metric string
			target float64
		}{{"p50", targetMiss}, {"p99", targetMissP99}} {
			row.Verdicts = append(row.Verdicts, report.Verdict{
				Of:     fmt.Sprintf("of the time that nginx proxy_pass adds at %s", v.metric),
				Value:  stats.Ratios(row.Subjects[0].Metric(v.metric).Rounds, row.Subjects[1].Metric(v.metric).Rounds),
				Target: v.target,
			})
		}
		g.result.Rows = append(g.result.Rows, row)
		return nil
	})
}

// missRounds is the least number of rounds of the miss: differences of small times vary
// more than rates.
const missRounds = 5

// pass makes calls through a hop, from a number of a project on, and returns the next.
func (g *stage) pass(ctx context.Context, h *hop, from, calls int) (int, error) {
	before, err := h.process.Spent()
	if err != nil {
		return 0, err
	}
	o, err := drive.Run(ctx, distinct(h.address, 1, from, calls, g.restRequest))
	if err != nil {
		return 0, err
	}
	after, err := h.process.Spent()
	if err != nil {
		return 0, err
	}
	h.p50 = append(h.p50, micros(stats.Quantile(o.Times, 0.5)))
	h.p99 = append(h.p99, micros(stats.Quantile(o.Times, 0.99)))
	h.spent = append(h.spent, micros(after-before)/float64(calls))
	return from + calls, nil
}

// added is how much more a round has than the same round of the upstream alone.
func added(through, direct []float64) []float64 {
	differences := make([]float64, len(through))
	for i := range through {
		differences[i] = through[i] - direct[i]
	}
	return differences
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
