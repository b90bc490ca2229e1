package service_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// tourNow is the sandbox's clock during a tour: a Wednesday afternoon.
var tourNow = time.Date(2026, time.March, 18, 15, 30, 20, 0, time.UTC)

// doors are the ways to call a gateway over a connection with TLS.
var doors = gatewaytest.Doors()

// TestEveryRPCThroughEveryDoor calls every RPC through every door, and compares every field of
// every answer with what the sandbox said, and what was written with what the
// sandbox holds afterwards. What the gateway wrote about it, down to the lines for
// debugging, has no key.
func TestEveryRPCThroughEveryDoor(t *testing.T) {
	t.Parallel()
	for _, d := range doors {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			newTourGateway(t, sandbox.Options{}).tour(t, d)
		})
	}
	t.Run("costs as numbers", func(t *testing.T) {
		t.Parallel()
		newTourGateway(t, sandbox.Options{CostsAsNumbers: true}).tour(t, doors[0])
	})
}

// tourGateway is a gateway in front of a sandbox, both over HTTP, that tests call
// with the requests of the tour.
type tourGateway struct{ *gatewaytest.Gateway }

// newTourGateway makes one with telemetry, a log and an audit log in a file. Without
// users in its options the sandbox has the organization that the tour needs.
func newTourGateway(t *testing.T, fake sandbox.Options, options ...gatewaytest.Option) *tourGateway {
	t.Helper()
	fake.Now = func() time.Time { return tourNow }
	if fake.Users == 0 {
		fake.Users, fake.Projects, fake.AuditEvents = 60, 12, 400
	}
	return &tourGateway{gatewaytest.New(t, append([]gatewaytest.Option{
		gatewaytest.WithSandbox(gatewaytest.NewSandbox(t, fake)), gatewaytest.WithDrift(), gatewaytest.WithTelemetry(), gatewaytest.WithLogs(), gatewaytest.WithAuditFile(),
		gatewaytest.WithClock(fake.Now),
	}, options...)...)}
}

// call makes one call through a door.
func (gw *tourGateway) call(ctx context.Context, d gatewaytest.Door, method *catalog.Method, request, response proto.Message) error {
	return gatewaytest.As("root", gw.Transport(d)).CallUnary(ctx, method.Spec(), request, response)
}

func (gw *tourGateway) tour(t *testing.T, d gatewaytest.Door) {
	t.Helper()
	w := newTourValues(t)
	readBack := 0
	var secrets []string
	for _, s := range readTour(t, gw.Catalog) {
		before := gw.Sandbox.Counts()[s.method.Endpoint.String()]
		request, response := s.message(t, w), s.method.Response.New()
		if err := gw.call(t.Context(), d, s.method, request, response.Interface()); err != nil {
			t.Fatalf("tour.txt:%d: %s: %v", s.line, s.method.ShortName(), err)
		}
		asked, said := gw.LastRequest(), gw.Sandbox.Last()
		if d.Fast {
			if asked != nil {
				t.Fatalf("%s came over the other door", s.method.ShortName())
			}
		} else if get := d.Get && s.method.Read; get != (asked.Method == http.MethodGet) {
			t.Fatalf("%s came as %s", s.method.ShortName(), asked.Method)
		} else if kind := asked.Header.Get("Content-Type"); !get && !strings.HasPrefix(kind, d.ContentType) {
			t.Fatalf("%s came as %s", s.method.ShortName(), kind)
		}
		if n := gw.Sandbox.Counts()[s.method.Endpoint.String()] - before; n != 1 {
			t.Errorf("%s: the sandbox was asked %d times, want once", s.method.ShortName(), n)
		}
		gw.compare(t, s, said, response)
		if d.REST && !bytes.Equal(gw.LastREST().Body, said.Body) {
			t.Errorf("%s: the REST door answered %s, the sandbox %s", s.method.ShortName(), gw.LastREST().Body, said.Body)
		}
		if !s.method.Read && gw.readBack(t, s, said, response) {
			readBack++
		}
		s.learn(t, w, response.Interface())
		if s.method.Secret {
			secrets = append(secrets, valuesOf(decodeJSON(t, said.Body))...)
		}
	}
	gw.hides(t, d, secrets)
	if readBack < 45 {
		t.Errorf("only %d writes could be compared with what the sandbox held afterwards", readBack)
	}
	if unknown := gw.Drift.Snapshot(); len(unknown) > 0 {
		t.Errorf("the answers had what the schema lacks: %v", unknown)
	}
}

// compare wants every value of the sandbox's answer in the typed one.
func (gw *tourGateway) compare(t *testing.T, s stop, said gatewaytest.Answer, response protoreflect.Message) {
	t.Helper()
	var o oracle
	o.object("$", decodeJSON(t, said.Body), payload(s.method, response))
	for _, fault := range o.faults {
		t.Errorf("tour.txt:%d: %s: %s", s.line, s.method.ShortName(), fault)
	}
	if list := response.Descriptor().Fields().ByName("data"); list != nil && response.Get(list).List().Len() == 0 {
		t.Errorf("tour.txt:%d: %s lists nothing: there was nothing to compare", s.line, s.method.ShortName())
	}
	if o.leaves == 0 {
		t.Errorf("tour.txt:%d: %s: not one value to compare", s.line, s.method.ShortName())
	}
}

// payload is the message that the upstream's JSON fills.
func payload(m *catalog.Method, response protoreflect.Message) protoreflect.Message {
	rule, _ := proto.GetExtension(m.Descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if name := rule.GetResponseBody(); name != "" {
		return response.Get(response.Descriptor().Fields().ByName(protoreflect.Name(name))).Message()
	}
	return response
}

// readBack asks the sandbox itself what a write has left behind: at the path of
// the write, or below it at the id of what was created. False where the API has
// no such read.
func (gw *tourGateway) readBack(t *testing.T, s stop, said gatewaytest.Answer, response protoreflect.Message) bool {
	t.Helper()
	path := said.Path
	template := s.method.Endpoint.Template()
	body := payload(s.method, response)
	if !gw.readable(template) || s.method.Endpoint.Verb() == http.MethodPost && gw.readable(template+"/{}") {
		id := body.Descriptor().Fields().ByName("id")
		if id == nil || !gw.readable(template+"/{}") {
			return false
		}
		path += "/" + body.Get(id).String()
	}
	status, held := gw.ask(t, path)
	if s.method.Endpoint.Verb() == http.MethodDelete {
		// What is a setting goes back to a default, or is gone too.
		if object, _ := decodeJSON(t, held).(map[string]any); status != http.StatusNotFound && object["id"] != nil {
			t.Errorf("%s: the sandbox still holds %s", s.method.ShortName(), held)
		}
		return true
	}
	if status != http.StatusOK {
		t.Errorf("%s: reading %s gives %d", s.method.ShortName(), path, status)
		return true
	}
	object, ok := decodeJSON(t, held).(map[string]any)
	if !ok {
		t.Fatalf("%s holds %s", path, held)
	}
	var told map[string]any
	if told, ok = decodeJSON(t, said.Body).(map[string]any); !ok {
		t.Fatalf("%s answered %s", s.method.ShortName(), said.Body)
	}
	// The answer to a write may leave members out that a read has.
	for name := range object {
		if _, there := told[name]; !there {
			delete(object, name)
		}
	}
	for _, fault := range lost("$", object, told) {
		t.Errorf("%s: answered otherwise than the sandbox holds: %s", s.method.ShortName(), fault)
	}
	return true
}

// readable tells whether a read has the template, whatever its variables are
// called.
func (gw *tourGateway) readable(template string) bool {
	for _, method := range gw.Catalog.Mirrored() {
		if method.Read && pathVariable.ReplaceAllString(method.Endpoint.Template(), "{}") == pathVariable.ReplaceAllString(template, "{}") {
			return true
		}
	}
	return false
}

// ask is a direct GET, past the gateway.
func (gw *tourGateway) ask(t *testing.T, path string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gw.Sandbox.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+sandbox.DefaultAdminKey)
	response, err := gw.Sandbox.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// TestNothingOnTheWayStoresAnswers: every answer over HTTP says no-store, whatever the
// path, the protocol and the outcome.
func TestNothingOnTheWayStoresAnswers(t *testing.T) {
	t.Parallel()
	h := newRESTGateway(t)
	const rpc = "/admingateway.admin.v1.ProjectService/GetProject"
	for name, reply := range map[string]restReply{
		"a read":            h.send(t, http.MethodGet, "/v1/organization/projects/proj_1", nil),
		"a refusal":         h.send(t, http.MethodGet, "/v1/organization/projects/proj_1", nil, "Authorization"),
		"no such operation": h.send(t, http.MethodGet, "/v1/chat/completions", nil),
		"an RPC":            h.send(t, http.MethodPost, rpc, strings.NewReader(`{"project_id":"proj_1"}`)),
		"a refused RPC":     h.send(t, http.MethodPost, rpc, strings.NewReader(`{"project_id":"proj_1"}`), "Authorization"),
		"no such path":      h.send(t, http.MethodGet, "/favicon.ico", nil),
	} {
		if got := reply.header.Values("Cache-Control"); len(got) != 1 || got[0] != "no-store" {
			t.Errorf("%s: %d with Cache-Control %q", name, reply.status, got)
		}
	}
}
