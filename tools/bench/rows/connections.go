package rows

import (
	"context"
	"fmt"

	"github.com/admin-gateway/admin-gateway/tools/bench/h2load"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/peer"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// connectionCounts are how many clients call at once, each on a connection of its own
// with one call in flight.
var connectionCounts = []int{1, 10, 30, 100, 300, 1000}

// connections measures the rate of cached calls by the connections on which they come,
// for a plot.
func (s *suite) connections(ctx context.Context) error {
	return s.onStage(func(g *stage) error {
		d, err := g.openDoors(ctx, 1)
		if err != nil {
			return err
		}
		subjects := []*subject{d.self("gateway, fast gRPC", d.grpc(d.gateway.Fast)), d.self("gateway, REST", d.get(d.gateway.Port))}
		if err := d.with(ctx, &subjects, nameFairGRPC, "grpc-fair", d.protoAnswer, d.grpc); err != nil {
			return err
		}
		err = d.peered(ctx, &subjects, nameGuarded, func(ctx context.Context, upstream string) (*machine.Process, h2load.Load, error) {
			server, err := d.nginx(ctx, peer.Nginx{Upstream: upstream, Cache: true, Token: d.token.Value})
			if err != nil {
				return nil, h2load.Load{}, err
			}
			return server.Process, d.get(server.HTTP1), nil
		})
		if err != nil {
			return err
		}
		plot := report.Plot{Name: "connections", Title: "Cached calls by connections", XName: "connections with one call each", YName: "calls/s", LogX: true}
		for _, u := range subjects {
			plot.Series = append(plot.Series, report.Series{Name: u.name})
		}
		for _, n := range connectionCounts {
			rates, err := g.ratesAt(ctx, n, subjects)
			if err != nil {
				return err
			}
			for i := range subjects {
				plot.Series[i].Points = append(plot.Series[i].Points, point(float64(n), rates[i]))
			}
		}
		g.result.Plots = append(g.result.Plots, plot)
		return nil
	})
}

// ratesAt measures the subjects in turn with so many connections.
func (g *stage) ratesAt(ctx context.Context, connections int, subjects []*subject) ([][]float64, error) {
	rates := make([][]float64, len(subjects))
	calls := make([]int, len(subjects))
	for round := range g.Rounds + 1 { // The first tells how many calls a piece has.
		for i, u := range subjects {
			u.load.Connections, u.load.Streams = connections, 1
			if round == 0 {
				calls[i] = max(g.warmup(), connections)
			}
			r, err := u.load.Run(ctx, calls[i])
			if err != nil {
				return nil, fmt.Errorf("%s with %d connections: %w", u.name, connections, err)
			}
			if round == 0 {
				const part = 3
				calls[i] = max(calls[i], int(r.Rate*g.Piece.Seconds()/part))
				continue
			}
			rates[i] = append(rates[i], r.Rate)
		}
	}
	return rates, nil
}
