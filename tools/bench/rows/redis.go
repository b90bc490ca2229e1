package rows

import (
	"context"
	"fmt"
	"net/http"

	"github.com/admin-gateway/admin-gateway/tools/bench/drive"
	"github.com/admin-gateway/admin-gateway/tools/bench/floor"
	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/peer"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

const (
	nameGET     = "connect handler with one GET"
	targetRedis = 0.8
	// redisCalls is how many calls a second of a piece has, each about a project of its
	// own: a gateway keeps in its memory what it has once read.
	redisCalls = 3000
	// redisConnections are few: to the gateway a Redis that takes 8 ms has failed, and in
	// a long queue on a busy processor everything takes so long.
	redisConnections = 2
	// redisHits is the least part of the gateway's reads that Redis has to answer.
	redisHits = 0.98
)

// caller is a server of Connect that is asked about projects.
type caller struct {
	name    string
	process *machine.Process
	address string
}

// redis measures reads that a gateway finds in Redis and not in its memory: those that
// another one, which has ended since, has stored.
func (s *suite) redis(ctx context.Context) error {
	return s.onStage(func(g *stage) error {
		calls := max(g.Trial, int(redisCalls*g.Piece.Seconds()))
		all := calls * (g.Rounds + 1) // The first warms up.
		reading, handler, err := g.openRedis(ctx, all)
		if err != nil {
			return err
		}
		row := report.Row{ID: "redis", Title: "Redis hit, Connect protobuf"}
		callers := []caller{{nameGateway, reading.Process, reading.Port}, {nameGET, handler.Process, handler.address}}
		for range callers {
			row.Subjects = append(row.Subjects, report.Subject{Metrics: []report.Metric{
				{Name: report.Rate, Unit: "calls/s"}, {Name: report.Processor, Unit: "µs"},
			}})
		}
		for round := range g.Rounds + 1 {
			for i, c := range callers {
				rate, spent, err := g.once(ctx, c.process, distinct(c.address, redisConnections, round*calls, calls, g.connectRequest))
				if err != nil {
					return err
				}
				subject := &row.Subjects[i]
				subject.Name = c.name
				if round > 0 {
					subject.Metrics[0].Rounds = append(subject.Metrics[0].Rounds, rate)
					subject.Metrics[1].Rounds = append(subject.Metrics[1].Rounds, spent)
				}
			}
		}
		hits, err := reading.Metric(ctx, `gateway_cache_events_total{event="hit",store="redis"}`)
		if err != nil {
			return err
		}
		if hits < redisHits*float64(all) {
			return fmt.Errorf("%.0f of %d reads were found in Redis: the machine is too busy for the gateway's patience with it", hits, all)
		}
		row.Judge(nameGET, "of a connect handler with one GET", targetRedis)
		g.result.Rows = append(g.result.Rows, row)
		return nil
	})
}

// openRedis starts a gateway that finds the answers about so many projects in a Redis and
// has none of them in its memory, and the handler that it is compared with.
func (g *stage) openRedis(ctx context.Context, projects int) (*gateway.Gateway, floorServer, error) {
	folder, err := g.subfolder("redis")
	if err != nil {
		return nil, floorServer{}, err
	}
	process, address, err := peer.StartRedis(ctx, folder)
	if err != nil {
		return nil, floorServer{}, err
	}
	g.owns(process)
	answer, err := g.file("project", []byte(projectJSON))
	if err != nil {
		return nil, floorServer{}, err
	}
	upstream, err := g.upstream(ctx, answer)
	if err != nil {
		return nil, floorServer{}, err
	}
	o := gateway.Options{BaseURL: "http://" + upstream.address + "/v1", RedisURL: "redis://" + address}
	filling, err := g.gateway(ctx, o)
	if err != nil {
		return nil, floorServer{}, err
	}
	if _, err := drive.Run(ctx, distinct(filling.Port, redisConnections, 0, projects, g.connectRequest)); err != nil {
		return nil, floorServer{}, err
	}
	message, err := fetch(ctx, http.MethodPost, "http://"+filling.Port+getProject, "application/proto", g.token.Value, projectRequest(0))
	if err != nil {
		return nil, floorServer{}, err
	}
	filling.Stop()
	reading, err := g.gateway(ctx, o)
	if err != nil {
		return nil, floorServer{}, err
	}
	file, err := g.file("message", message)
	if err != nil {
		return nil, floorServer{}, err
	}
	handler, err := g.floorOn(ctx, g.cores.Server, "redis", floor.Options{Answer: file, Redis: address})
	if err != nil {
		return nil, floorServer{}, err
	}
	_, err = drive.Run(ctx, distinct(handler.address, redisConnections, 0, projects, g.connectRequest))
	return reading, handler, err
}

// once runs a plan against a process, and returns the calls a second and the microseconds
// of processor time of a call.
func (g *stage) once(ctx context.Context, process *machine.Process, plan drive.Plan) (rate, spent float64, err error) {
	before, err := process.Spent()
	if err != nil {
		return 0, 0, err
	}
	o, err := drive.Run(ctx, plan)
	if err != nil {
		return 0, 0, err
	}
	after, err := process.Spent()
	if err != nil {
		return 0, 0, err
	}
	return o.Rate(), micros(after-before) / float64(plan.Calls), nil
}
