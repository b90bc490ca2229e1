package upstream_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// api is every endpoint with the type of its requests, and the router of them.
type api struct {
	router *upstream.Router
	inputs map[*upstream.Endpoint]protoreflect.MessageDescriptor
	all    []*upstream.Endpoint
}

func newAPI(tb testing.TB) api {
	tb.Helper()
	a := api{inputs: map[*upstream.Endpoint]protoreflect.MessageDescriptor{}}
	methods(func(md protoreflect.MethodDescriptor) {
		e, err := upstream.Compile(md, nil)
		if err != nil {
			tb.Fatal(err)
		}
		a.inputs[e] = md.Input()
		a.all = append(a.all, e)
	})
	var err error
	if a.router, err = upstream.NewRouter(a.all); err != nil {
		tb.Fatal(err)
	}
	return a
}

// find is the endpoint with the verb and template.
func (a api) find(tb testing.TB, name string) *upstream.Endpoint {
	tb.Helper()
	i := slices.IndexFunc(a.all, func(e *upstream.Endpoint) bool { return e.String() == name })
	if i < 0 {
		tb.Fatalf("no %s", name)
	}
	return a.all[i]
}

func TestRouterFindsEveryEndpoint(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, e := range a.all {
		path, want := e.Template(), []string(nil)
		for i, variable := range e.Variables() {
			id := []string{"a b+c", "é;x=1:@&$", "..."}[i]
			path = strings.Replace(path, "{"+string(variable.Name())+"}", url.PathEscape(id), 1)
			want = append(want, id)
		}
		m, ok := a.router.Match(e.Verb(), path)
		if !ok || m.Endpoint != e || !slices.Equal(m.Values, want) || !slices.Contains(m.Allowed, e.Verb()) {
			t.Errorf("%s %s: got %v %q, want %s %q", e.Verb(), path, m.Endpoint, m.Values, e, want)
		}
		for _, verb := range []string{"PUT", "PATCH", "HEAD", "OPTIONS", "", strings.ToLower(e.Verb())} {
			if m, ok := a.router.Match(verb, path); !ok || m.Endpoint != nil || !slices.Contains(m.Allowed, e.Verb()) {
				t.Errorf("%s %s: got %v, allowed %v", verb, path, m.Endpoint, m.Allowed)
			}
		}
		_, rest, _ := strings.Cut(path[1:], "/")
		first := strings.TrimSuffix(path[1:], "/"+rest)
		wrong := []string{
			path + "/", "/" + path, path[1:], "//" + first + "//" + rest, "/" + first + "//" + rest, strings.ToUpper(path), "/" + strings.ToUpper(first) + "/" + rest,
			path + "/.", path + "/x/..", "/./" + path[1:], "/" + first + "/x/../" + rest, "/" + first + "/./" + rest,
			"/%6f" + path[2:], "/%70" + path[2:], "/" + first + "%2f" + rest, "/" + first + ";a/" + rest, "/" + first + "%20/" + rest, path + "%00", path + "%2f", path + "?", path + "#",
		}
		if !strings.HasSuffix(e.Template(), "}") {
			wrong = append(wrong, path+"%20", path+"+", path+";x=1", path+".", path+"%2e", path+"s")
		}
		for _, w := range wrong {
			// It may be an id of the next operation, as in certificates/activate.
			if m, ok := a.router.Match(e.Verb(), w); ok && (m.Endpoint == e || len(m.Values) <= len(want)) {
				t.Errorf("%s %s is taken for %v with %q", e.Verb(), w, m.Endpoint, m.Values)
			}
		}
	}
}

func TestRouterRefusesValues(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, id := range []string{
		"", ".", "..", "%2e", "%2e%2e", "%2E%2e", "a%2fb", "a%2Fb", "a%252fb", "a%5cb", "a%3fb", "a%23b", "a%25", "a%00b", "a%0d%0ab", "a%7f", "a%c2%85b", "%ff", "a%zzb", "a%2", strings.Repeat("x", 257),
	} {
		if m, ok := a.router.Match(http.MethodGet, "/organization/projects/"+id); ok {
			t.Errorf("%q is taken for %q of %v", id, m.Values, m.Endpoint)
		}
		if m, ok := a.router.Match(http.MethodGet, "/organization/projects/"+id+"/users/user_1"); ok {
			t.Errorf("%q in between is taken for %q of %v", id, m.Values, m.Endpoint)
		}
	}
}

// TestLiteralsAreNobodysIDs: a value that the upstream would read as another operation
// is refused.
func TestLiteralsAreNobodysIDs(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	m, ok := a.router.Match(http.MethodPost, "/organization/certificates/activate")
	if !ok || m.Endpoint != a.find(t, "POST /organization/certificates/activate") {
		t.Errorf("activate is taken for %v", m.Endpoint)
	}
	if m, ok := a.router.Match(http.MethodGet, "/organization/certificates/activate"); !ok || m.Endpoint != nil {
		t.Errorf("the certificate activate is %v", m.Endpoint)
	}
	update := a.find(t, "POST /organization/certificates/{certificate_id}")
	for id, taken := range map[string]bool{"activate": true, "deactivate": true, "Activate": false, "activate1": false} {
		_, err := update.Request((&adminv1.UpdateCertificateRequest{CertificateId: id}).ProtoReflect())
		bad, ok := errors.AsType[*upstream.RequestError](err)
		if ok != taken || ok && bad.Field != "certificate_id" {
			t.Errorf("updating %q: %v", id, err)
		}
	}
}

func TestRouterRefusesTheSamePathTwice(t *testing.T) {
	t.Parallel()
	one, two := endpoint(t, "ProjectService.GetProject"), endpoint(t, "ProjectService.GetProject")
	if _, err := upstream.NewRouter([]*upstream.Endpoint{one, two}); err == nil {
		t.Error("two endpoints share a path")
	}
}

// FuzzRouter: the request of the endpoint that a path matches has that path again.
func FuzzRouter(f *testing.F) {
	for _, path := range []string{"/organization/projects/a", "/organization/projects/../users", "/organization/certificates/activate", "/organization//users", "/organization/users/%2e%2e", "/organization/users/a%2fb", "organization/users"} {
		f.Add("GET", path)
		f.Add("POST", path)
	}
	a := newAPI(f)
	f.Fuzz(func(t *testing.T, verb, path string) {
		match, ok := a.router.Match(verb, path)
		if !ok || match.Endpoint == nil {
			return
		}
		m := dynamicpb.NewMessage(a.inputs[match.Endpoint])
		for i, variable := range match.Endpoint.Variables() {
			m.Set(variable, protoreflect.ValueOfString(match.Values[i]))
		}
		sent, err := match.Endpoint.Request(m)
		if err != nil {
			if bad, ok := errors.AsType[*upstream.RequestError](err); ok && match.Endpoint.HasBody() && !slices.ContainsFunc(match.Endpoint.Variables(), func(v protoreflect.FieldDescriptor) bool { return string(v.Name()) == bad.Field }) {
				return // The body lacks what it needs.
			}
			t.Fatalf("%s %s is taken for %s, which cannot be sent: %v", verb, path, match.Endpoint, err)
		}
		want, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := url.PathUnescape(sent.Path)
		if err != nil || got != want || sent.Verb != verb || strings.Count(sent.Path, "/") != strings.Count(path, "/") {
			t.Errorf("%s %s goes out as %s %s", verb, path, sent.Verb, sent.Path)
		}
		if again, ok := a.router.Match(sent.Verb, sent.Path); !ok || again.Endpoint != match.Endpoint {
			t.Errorf("%s %s is taken for %v the second time", sent.Verb, sent.Path, again.Endpoint)
		}
	})
}
