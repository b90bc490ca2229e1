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
	// maximumPart is how much of a piece finds the maximum.
	maximumPart = 2
)

// loads are shares of a server's own maximum.
var loads = []float64{0.1, 0.3, judgedShare, 0.75, 0.9}

// grpcServer is a server of gRPC whose tail is measured.
type grpcServer struct {
	name, address string
	maximum       []float64 // Calls a second, of each round.
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
		for round := range g.Rounds {
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

// tails measures a server once at every load.
func (d *doors) tails(ctx context.Context, server *grpcServer, seed uint64) error {
	plan := d.plan(server.address)
	plan.Calls = d.Trial
	o, err := drive.Run(ctx, plan)
	if err != nil {
		return err
	}
	plan.Calls = max(d.Trial, int(o.Rate()*d.Piece.Seconds()/maximumPart))
	if o, err = drive.Run(ctx, plan); err != nil {
		return err
	}
	server.maximum = append(server.maximum, o.Rate())
	plan.Seed = seed
	for i, share := range loads {
		plan.Rate = share * server.maximum[len(server.maximum)-1]
		plan.Calls = max(d.Trial/2, int(plan.Rate*d.Piece.Seconds()))
		if o, err = drive.Run(ctx, plan); err != nil {
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
			{Name: "maximum", Unit: "calls/s at most", Rounds: s.maximum},
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
