package rows

import (
	"context"
	"fmt"

	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/h2load"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/peer"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// The load of a door: calls in flight as several clients have them. HTTP/1.1 has one call
// on each connection.
const (
	h2Connections, h2Streams = 8, 32
	h1Connections            = 64
)

// The names of subjects.
const (
	nameGateway   = "gateway"
	nameGRPC      = "bare grpc-go"
	nameFairGRPC  = "fair grpc-go"
	nameConnect   = "bare connect"
	nameFairHTTP  = "fair net/http"
	nameNginx     = "nginx proxy_cache"
	nameGuarded   = "nginx, token and log"
	nameVarnish   = "Varnish"
	nameProtobuf  = "gateway, Connect protobuf"
	targetNginxH2 = 1.0
	targetFair    = 0.8
	targetJSON    = 0.7
	targetGuarded = 0.6
)

func doorIDs(projects int) []string {
	ids := make([]string, 0, 5)
	for _, door := range []string{"fast", "connect", "json", "rest", "port"} {
		ids = append(ids, fmt.Sprintf("%s-%d", door, projects))
	}
	return ids
}

// doors measures the cached list of projects at every door.
func (s *suite) doors(ctx context.Context, projects int) error {
	return s.onStage(func(g *stage) error {
		d, err := g.openDoors(ctx, projects)
		if err != nil {
			return err
		}
		for i, measure := range []func(context.Context, *report.Row) error{d.fast, d.connect, d.json, d.rest, d.port} {
			row := report.Row{ID: doorIDs(projects)[i]}
			if !g.wants(row.ID) {
				continue
			}
			if err := measure(ctx, &row); err != nil {
				if ctx.Err() != nil {
					return err
				}
				g.skip(row.ID, err)
				continue
			}
			g.result.Rows = append(g.result.Rows, row)
		}
		return nil
	})
}

// doors are a gateway that has the list of so many projects in its cache, and everything
// that a row compares it with.
type doors struct {
	*stage
	projects int
	forms    forms
	gateway  *gateway.Gateway
	// Files with bodies of requests and answers.
	frame, protoRequest, jsonRequest, protoAnswer, jsonAnswer, restAnswer string
}

func (g *stage) openDoors(ctx context.Context, projects int) (*doors, error) {
	upstream, err := g.sandbox(ctx, projects)
	if err != nil {
		return nil, err
	}
	d := &doors{stage: g, projects: projects, forms: listForms(projects)}
	if d.gateway, err = g.gateway(ctx, gateway.Options{BaseURL: upstream.BaseURL}); err != nil {
		return nil, err
	}
	if err := d.forms.fetch(ctx, d.gateway.Port, g.token.Value); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		path    *string
		content []byte
	}{
		{&d.frame, framed(d.forms.protoRequest)}, {&d.protoRequest, d.forms.protoRequest}, {&d.jsonRequest, d.forms.jsonRequest},
		{&d.protoAnswer, d.forms.protoAnswer}, {&d.jsonAnswer, d.forms.jsonAnswer}, {&d.restAnswer, d.forms.restAnswer},
	} {
		if *f.path, err = g.file("message", f.content); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// title names a row of so many projects.
func (d *doors) title(door string) string {
	if d.projects == 1 {
		return door + ", 1 project"
	}
	return fmt.Sprintf("%s, %d projects", door, d.projects)
}

// authorized are the headers of every call.
func (d *doors) authorized(more ...string) []string {
	return append([]string{"authorization: Bearer " + d.token.Value}, more...)
}

// grpc is the load of a gRPC server.
func (d *doors) grpc(address string) h2load.Load {
	return h2load.Load{
		URL: "http://" + address + listProjects, BodyFile: d.frame, Connections: h2Connections, Streams: h2Streams,
		Headers: d.authorized("content-type: application/grpc", "te: trailers"),
	}
}

// unary is the load of a server of Connect over HTTP/1.1.
func (d *doors) unary(address, kind, body string) h2load.Load {
	return h2load.Load{
		URL: "http://" + address + listProjects, HTTP1: true, BodyFile: body, Connections: h1Connections,
		Headers: d.authorized("content-type: " + kind),
	}
}

// get is the load of a server of REST over HTTP/1.1.
func (d *doors) get(address string) h2load.Load {
	return h2load.Load{URL: "http://" + address + d.forms.path, HTTP1: true, Connections: h1Connections, Headers: d.authorized()}
}

// self is the gateway as a subject.
func (d *doors) self(name string, load h2load.Load) *subject {
	return &subject{name: name, process: d.gateway.Process, load: load}
}

// with adds a floor to subjects, with the load of its address.
func (d *doors) with(ctx context.Context, subjects *[]*subject, name, kind, answer string, load func(address string) h2load.Load) error {
	f, err := d.floor(ctx, kind, answer)
	if err != nil {
		return err
	}
	*subjects = append(*subjects, &subject{name: name, process: f.Process, load: load(f.address)})
	return nil
}

// peered adds a server of another project to subjects, unless it cannot be had.
func (d *doors) peered(ctx context.Context, subjects *[]*subject, name string, start func(ctx context.Context, upstream string) (*machine.Process, h2load.Load, error)) error {
	upstream, err := d.upstream(ctx, d.restAnswer)
	if err != nil {
		return err
	}
	process, load, err := start(ctx, upstream.address)
	if err != nil {
		d.skip(name, err)
		return nil // What is missing is named in the result.
	}
	*subjects = append(*subjects, &subject{name: name, process: process, load: load})
	return nil
}

// fast is gRPC at the fast door.
func (d *doors) fast(ctx context.Context, row *report.Row) error {
	row.Title = d.title("fast gRPC")
	subjects := []*subject{d.self(nameGateway, d.grpc(d.gateway.Fast))}
	if err := d.with(ctx, &subjects, nameFairGRPC, "grpc-fair", d.protoAnswer, d.grpc); err != nil {
		return err
	}
	if err := d.with(ctx, &subjects, nameGRPC, "grpc", d.protoAnswer, d.grpc); err != nil {
		return err
	}
	for _, n := range []struct{ name, token string }{{nameGuarded, d.token.Value}, {nameNginx, ""}} {
		err := d.peered(ctx, &subjects, n.name, func(ctx context.Context, upstream string) (*machine.Process, h2load.Load, error) {
			server, err := d.nginx(ctx, peer.Nginx{Upstream: upstream, Cache: true, Token: n.token})
			if err != nil {
				return nil, h2load.Load{}, err
			}
			return server.Process, h2load.Load{URL: "http://" + server.HTTP2 + d.forms.path, Headers: d.authorized(), Connections: h2Connections, Streams: h2Streams}, nil
		})
		if err != nil {
			return err
		}
	}
	if err := d.interleave(ctx, row, subjects); err != nil {
		return err
	}
	row.Judge(nameNginx, "of nginx proxy_cache, HTTP/2", targetNginxH2)
	row.Judge(nameGuarded, "of the same with a token check and a buffered log", targetNginxH2)
	row.Judge(nameFairGRPC, "of the fair grpc-go floor", targetFair)
	return nil
}

// connect is Connect with protobuf over HTTP/1.1.
func (d *doors) connect(ctx context.Context, row *report.Row) error {
	row.Title = d.title("Connect protobuf")
	load := func(address string) h2load.Load { return d.unary(address, "application/proto", d.protoRequest) }
	subjects := []*subject{d.self(nameGateway, load(d.gateway.Port))}
	if err := d.with(ctx, &subjects, nameFairHTTP, "http-fair", d.protoAnswer, load); err != nil {
		return err
	}
	if err := d.with(ctx, &subjects, nameConnect, "connect", d.protoAnswer, load); err != nil {
		return err
	}
	if err := d.interleave(ctx, row, subjects); err != nil {
		return err
	}
	row.Judge(nameFairHTTP, "of the fair net/http floor", targetFair)
	return nil
}

// json is Connect with JSON over HTTP/1.1.
func (d *doors) json(ctx context.Context, row *report.Row) error {
	row.Title = d.title("Connect JSON")
	load := func(address string) h2load.Load { return d.unary(address, "application/json", d.jsonRequest) }
	subjects := []*subject{
		d.self(nameGateway, load(d.gateway.Port)),
		d.self(nameProtobuf, d.unary(d.gateway.Port, "application/proto", d.protoRequest)),
	}
	if err := d.with(ctx, &subjects, nameConnect, "connect", d.jsonAnswer, load); err != nil {
		return err
	}
	if err := d.interleave(ctx, row, subjects); err != nil {
		return err
	}
	if d.projects > 1 {
		row.Judge(nameProtobuf, "of its own Connect protobuf", targetJSON)
	}
	return nil
}

// rest is the Admin API's own path over HTTP/1.1.
func (d *doors) rest(ctx context.Context, row *report.Row) error {
	row.Title = d.title("REST")
	subjects := []*subject{d.self(nameGateway, d.get(d.gateway.Port))}
	for _, n := range []struct{ name, token string }{{nameGuarded, d.token.Value}, {nameNginx, ""}} {
		err := d.peered(ctx, &subjects, n.name, func(ctx context.Context, upstream string) (*machine.Process, h2load.Load, error) {
			server, err := d.nginx(ctx, peer.Nginx{Upstream: upstream, Cache: true, Token: n.token})
			if err != nil {
				return nil, h2load.Load{}, err
			}
			return server.Process, d.get(server.HTTP1), nil
		})
		if err != nil {
			return err
		}
	}
	err := d.peered(ctx, &subjects, nameVarnish, func(ctx context.Context, upstream string) (*machine.Process, h2load.Load, error) {
		server, err := d.varnish(ctx, upstream)
		if err != nil {
			return nil, h2load.Load{}, err
		}
		return server.Process, d.get(server.HTTP1), nil
	})
	if err != nil {
		return err
	}
	if err := d.interleave(ctx, row, subjects); err != nil {
		return err
	}
	row.Judge(nameGuarded, "of nginx with a token check and a buffered log", targetGuarded)
	return nil
}

// port is gRPC at the one port.
func (d *doors) port(ctx context.Context, row *report.Row) error {
	row.Title = d.title("gRPC, one port")
	subjects := []*subject{d.self(nameGateway, d.grpc(d.gateway.Port))}
	if err := d.with(ctx, &subjects, nameConnect, "connect", d.protoAnswer, d.grpc); err != nil {
		return err
	}
	return d.interleave(ctx, row, subjects)
}
