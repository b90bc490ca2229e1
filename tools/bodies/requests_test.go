package bodies

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// exchange is one request with its answer, at the door and at the upstream.
type exchange struct {
	answer   []byte
	received *upstream.Request
}

// Do is the upstream: it keeps the request, and answers as it was told.
func (x *exchange) Do(_ context.Context, _ *upstream.Endpoint, r *upstream.Request) (*upstream.Reply, error) {
	x.received = r
	return &upstream.Reply{Status: http.StatusOK, Body: x.answer}, nil
}

// TestRequests sends random requests through the REST door, which answers with random
// answers.
func TestRequests(t *testing.T) {
	t.Parallel()
	known, seed := loadIntended(t), seed(t)
	t.Cleanup(func() { known.check(t, seed, "body", "query") }) // After all operations.
	d, all := mirrored(t)
	for _, o := range all {
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			x := new(exchange)
			handler := gatewaytest.New(t, gatewaytest.WithUpstream(x)).Handler()
			report := newReport(t, seed)
			for i := range count(o.operation) {
				g := generate(d, seed, "request "+o.String(), i)
				r := g.request(o)
				x.received, x.answer = nil, []byte(spell(g, g.value(o.answer, hint{message: answerOf(o.method).message})))
				report.add(i, r.target()+" "+r.text, requested(t, known, o.operation, g, handler, x, r))
			}
		})
	}
}

// requested sends one request, and puts a fault into what the upstream received. It
// returns what is wrong.
func requested(t *testing.T, known *intended, o operation, g *generator, handler http.Handler, x *exchange, r *request) (wrong []string) {
	t.Helper()
	sent := httptest.NewRequestWithContext(t.Context(), o.verb, "/v1"+r.target(), strings.NewReader(r.text))
	sent.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
	if r.body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, sent)
	if answer.Code != http.StatusOK || x.received == nil {
		return known.others(o, r.side(), []difference{refusal(answer)})
	}
	if got := answer.Body.String(); got != string(x.answer) {
		wrong = append(wrong, fmt.Sprintf("the answer is not the upstream's: %s and not %s", got, x.answer))
	}
	if got := x.received.Verb + " " + x.received.Path; got != o.verb+" "+r.path {
		wrong = append(wrong, "path: "+got)
	}
	query, err := url.ParseQuery(x.received.Query)
	if err != nil {
		return append(wrong, "query: "+err.Error())
	}
	wrong = append(wrong, known.others(o, "query", compare(r.queryTree(), parameters(query), true))...)
	if r.body == nil {
		return wrong
	}
	got, err := parse(x.received.Body)
	if err != nil {
		return append(wrong, "body: "+err.Error())
	}
	before := compare(r.body, got, true)
	wrong = append(wrong, known.others(o, "body", before)...)
	what := damage(got, g.Rand, "")
	if after := compare(r.body, got, true); slices.Equal(after, before) {
		wrong = append(wrong, "a fault is not found: "+what)
	}
	return wrong
}

// refusal is the difference that no request arrived.
func refusal(answer *httptest.ResponseRecorder) difference {
	var sent struct {
		Error struct{ Message, Param string }
	}
	_ = json.Unmarshal(answer.Body.Bytes(), &sent) // Otherwise it names no member, and nothing explains it.
	return difference{"." + sent.Error.Param, refused, fmt.Sprintf(": status %d: %s", answer.Code, sent.Error.Message)}
}

// request is what a client of the upstream sends.
type request struct {
	path  string // escaped
	query url.Values
	body  *node // nil: none
	text  string
}

func (r *request) target() string {
	if len(r.query) == 0 {
		return r.path
	}
	return r.path + "?" + r.query.Encode()
}

// side is where a request says what it wants.
func (r *request) side() string {
	if r.body == nil {
		return "query"
	}
	return "body"
}

func (r *request) queryTree() *node { return parameters(r.query) }

// parameters is a query as a tree, in which the brackets of a list mean nothing.
func parameters(query url.Values) *node {
	n := &node{kind: structure}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		one := &node{kind: array}
		for _, v := range query[name] {
			one.items = append(one.items, &node{kind: text, text: v})
		}
		n.members = append(n.members, member{name: strings.TrimSuffix(name, "[]"), value: one})
	}
	return n
}

// request draws a request.
func (g *generator) request(o mirror) *request {
	r := &request{path: o.path, query: url.Values{}}
	for _, variable := range o.method.Endpoint.Variables() {
		r.path = strings.Replace(r.path, "{"+string(variable.Name())+"}", url.PathEscape(g.id()), 1)
	}
	for _, p := range o.query {
		if p.required || g.IntN(100) < g.full {
			g.parameter(r.query, p, hint{message: o.method.Descriptor.Input()}.member(p.name))
		}
	}
	if o.body != nil {
		r.body = g.value(o.body, hint{message: o.method.Descriptor.Input()})
		g.settle(r.body)
		r.text = spell(g, r.body)
	}
	return r
}

// id is a name that fits into one segment of a path.
func (g *generator) id() string {
	return spelling(g.Rand, idAlphabet)
}

// parameter adds one parameter as a client spells it.
func (g *generator) parameter(query url.Values, p parameter, h hint) {
	s := g.description.alternatives(p.schema)[0] // The other is null, which a query cannot say.
	name := p.name
	switch s["type"] {
	case "array":
		for range 1 + g.IntN(3) {
			if value := g.value(object(s["items"]), h.element()).text; !slices.Contains(query[name+"[]"], value) {
				query.Add(name+"[]", value)
			}
		}
	case "object":
		for _, inner := range slices.Sorted(maps.Keys(object(s["properties"]))) {
			query.Set(name+"["+inner+"]", whole(g.Rand, 0, lastInstant))
		}
	case "integer":
		low, high := limit(s, "minimum", 1), limit(s, "maximum", 7) // Descriptions have bounds that schemas lack; this is within all.
		if strings.HasSuffix(name, "_time") {
			low, high = 0, lastInstant
		}
		query.Set(name, whole(g.Rand, low, high))
	default:
		query.Set(name, g.value(s, h).text)
	}
}

// settle removes what the API refuses although the schema allows it.
func (g *generator) settle(body *node) {
	for _, pair := range [][2]string{{"geography", "residency"}} {
		if body.member(pair[0]) != nil && body.member(pair[1]) != nil {
			gone := pick(g.Rand, pair[:]...)
			body.without(func(name string) bool { return name == gone })
		}
	}
	if only := body.member("create_service_account_only"); only != nil && only.text == "true" {
		body.without(func(name string) bool { return name == "expires_in_seconds" })
	}
}
