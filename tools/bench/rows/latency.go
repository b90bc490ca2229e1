package rows

import (
	"context"
	"fmt"

	"github.com/admin-gateway/admin-gateway/tools/bench/drive"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

const (
	targetP99 = 1.5
	// judgedShare is the load at which the tails are compared.
	judgedShare = 0.6
	// maxima is how often the maximum is looked for: what disturbs a run makes it look
	// smaller, and never larger.
	maxima = 3
	// tailRounds is the least number of rounds, and tailPart how much of a piece each
	// load has: tails vary more than rates.
	tailRounds, tailPart = 5, 2
)

// loads are shares of a server's own maximum.
var loads = []float64{0.1, 0.3, judgedShare, 0.75, 0.9}

// grpcServer is a server of gRPC whose tail is measured.
type grpcServer struct {
	name, address string
	maximum       float64 // Calls a second.
	// Of each load and round, in microseconds.
	p50, p99 [][]float64
}

// latency measures how long calls at the fast door take when they come at random moments,
// by the share of the server's own maximum at which they come.
func (s *suite) latency(ctx context.Context) error {
	return s.onStage(func(g *stage) error {
		d, err := g.openDoors(ctx, 1)
		if err != nil {
			return err
		}
		fair, err := g.floor(ctx, "grpc-fair", d.protoAnswer)
		if err != nil {
			return err
		}
		servers := []*grpcServer{{name: nameGateway, address: d.gateway.Fast}, {name: nameFairGRPC, address: fair.address}}
		for range maxima {
			for _, server := range servers {
				if err := d.findMaximum(ctx, server); err != nil {
					return fmt.Errorf("%s: %w", server.name, err)
				}
			}
		}
		for round := range max(g.Rounds, tailRounds) {
			for _, server := range servers {
				if err := d.tails(ctx, server, uint64(round)); err != nil {
					return fmt.Errorf("%s: %w", server.name, err)
				}
			}
		}
		g.result.Rows = append(g.result.Rows, latencyRow(servers))
		g.result.Plots = append(g.result.Plots, latencyPlot(servers))
		return nil
	})
}

// plan is a run of the list of projects over gRPC.
func (d *doors) plan(address string) drive.Plan {
	request := drive.GRPCRequest(address, listProjects, d.token.Value, d.forms.protoRequest)
	return drive.Plan{
		Address: address, Protocol: drive.GRPC, Connections: h2Connections, Streams: h2Streams,
		Request: func(int) []byte { return request },
	}
}

// findMaximum runs a closed loop, and keeps its rate if it is the highest so far.
func (d *doors) findMaximum(ctx context.Context, server *grpcServer) error {
	plan := d.plan(server.address)
	plan.Calls = d.Trial
	if server.maximum > 0 {
		plan.Calls = max(d.Trial, int(server.maximum*d.Piece.Seconds()))
	}
	o, err := drive.Run(ctx, plan)
	if err != nil {
		return err
	}
	server.maximum = max(server.maximum, o.Rate())
	return nil
}

// tails measures a server once at every load.
func (d *doors) tails(ctx context.Context, server *grpcServer, seed uint64) error {
	plan := d.plan(server.address)
	plan.Seed = seed
	for i, share := range loads {
		plan.Rate = share * server.maximum
		plan.Calls = max(d.Trial/2, int(plan.Rate*d.Piece.Seconds()/tailPart))
		o, err := drive.Run(ctx, plan)
		if err != nil {
			return err
		}
		if len(server.p50) <= i {
			server.p50, server.p99 = append(server.p50, nil), append(server.p99, nil)
		}
		server.p50[i] = append(server.p50[i], micros(stats.Quantile(o.Times, 0.5)))
		server.p99[i] = append(server.p99[i], micros(stats.Quantile(o.Times, 0.99)))
	}
	return nil
}

func latencyRow(servers []*grpcServer) report.Row {
	row := report.Row{ID: "latency", Title: fmt.Sprintf("Fast gRPC at %.0f %% of its own maximum", 100*judgedShare)}
	var judged int
	for i, share := range loads {
		if share == judgedShare {
			judged = i
		}
	}
	for _, s := range servers {
		row.Subjects = append(row.Subjects, report.Subject{Name: s.name, Metrics: []report.Metric{
			{Name: "p50", Unit: "µs at p50", Rounds: s.p50[judged]}, {Name: "p99", Unit: "µs at p99", Rounds: s.p99[judged]},
			{Name: "maximum", Unit: "calls/s at most", Rounds: []float64{s.maximum}},
		}})
	}
	row.Verdicts = []report.Verdict{{
		Of: "of the p99 of the fair grpc-go floor", Value: stats.Ratios(servers[0].p99[judged], servers[1].p99[judged]), Target: targetP99,
	}}
	return row
}

func latencyPlot(servers []*grpcServer) report.Plot {
	plot := report.Plot{Name: "latency", Title: "Time of a cached call by load", XName: "load, % of the server's own maximum", YName: "µs", LogY: true}
	for _, s := range servers {
		for _, q := range []struct {
			name   string
			values [][]float64
		}{{"p50", s.p50}, {"p99", s.p99}} {
			series := report.Series{Name: s.name + ", " + q.name}
			for i, share := range loads {
				series.Points = append(series.Points, point(100*share, q.values[i]))
			}
			plot.Series = append(plot.Series, series)
		}
	}
	return plot
}

// point is a measurement of several rounds.
func point(x float64, rounds []float64) report.Point {
	s := stats.Of(rounds)
	return report.Point{X: x, Y: s.Median, Low: s.Low, High: s.High}
}
