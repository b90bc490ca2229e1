package service_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// hostileIDs would be another path, another query or another header if they were
// taken as they are.
var hostileIDs = map[string]string{
	"empty":             "",
	"dot":               ".",
	"dots":              "..",
	"slash":             "a/b",
	"up":                "../users",
	"escaped dots":      "%2e%2e",
	"escaped slash":     "a%2Fb",
	"twice escaped":     "a%252Fb",
	"backslash":         `a\b`,
	"NUL":               "a\x00b",
	"line break":        "a\r\nX-Injected: 1",
	"tab":               "a\tb",
	"delete":            "a\x7fb",
	"query":             "a?limit=1",
	"fragment":          "a#b",
	"10 KB":             strings.Repeat("a", 10<<10),
	"one byte too long": strings.Repeat("a", 257),
}

// TestHostileIDsNeverReachTheUpstream puts each of them into each path variable
// of each RPC.
func TestHostileIDsNeverReachTheUpstream(t *testing.T) {
	t.Parallel()
	for _, d := range []gatewaytest.Door{doors[0], doors[3], doors[4], doors[len(doors)-1]} {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			gw := newTourGateway(t, sandbox.Options{Users: 2, Projects: 1, AuditEvents: 1})
			w := validTourValues(t)
			tried := 0
			for _, s := range readTour(t, gw.Catalog) {
				for _, variable := range s.method.Endpoint.Variables() {
					for what, id := range hostileIDs {
						if racing.Spares(4) {
							continue
						}
						request := s.message(t, w)
						request.ProtoReflect().Set(variable, protoreflect.ValueOfString(id))
						err := gw.call(t.Context(), d, s.method, request, s.method.Response.New().Interface())
						if d.REST { // No path of the API is spelled so.
							if code := reason(t, err); connect.CodeOf(err) != connect.CodeNotFound || code != rpcerror.ReasonUnknownMethod {
								t.Errorf("%s with %s: got %v, want not found", s.method.ShortName(), what, err)
							}
							tried++
							continue
						}
						wantViolation(t, s.method.ShortName()+" with "+what, err, string(variable.Name()))
						tried++
					}
				}
			}
			if tried < racing.Of(1000, 150) {
				t.Errorf("only %d calls were made", tried)
			}
			for operation, n := range gw.Sandbox.Counts() {
				if n > 0 {
					t.Errorf("%s was asked %d times", operation, n)
				}
			}
		})
	}
}

func wantViolation(t *testing.T, what string, err error, field string) {
	t.Helper()
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("%s: got %v, want invalid_argument", what, err)
		return
	}
	for _, violation := range details[*errdetails.BadRequest](t, err) {
		for _, v := range violation.GetFieldViolations() {
			if v.GetField() == field {
				return
			}
		}
	}
	t.Errorf("%s: no violation names %s: %v", what, field, err)
}

// pathRecorder is an upstream that keeps the path of a request and refuses it.
type pathRecorder struct{ path atomic.Pointer[string] }

func (r *pathRecorder) Do(_ context.Context, _ *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	r.path.Store(&request.Path)
	return nil, &upstream.Error{Kind: upstream.NotFound, Reason: upstream.ReasonNotFound, Status: http.StatusNotFound}
}

// idsOnly are the texts that are ids.
var idsOnly = regexp.MustCompile(`\A[A-Za-z0-9_.:-]+\z`)

// FuzzIDs sends any id through the pipeline: it is refused, or it is one whole segment
// of the path.
func FuzzIDs(f *testing.F) {
	for _, id := range hostileIDs {
		f.Add(id)
	}
	f.Add("proj_abc")
	f.Add("é b+c&d=e;f:g@h")
	methods := catalogtest.Gateway(f)
	up := new(pathRecorder)
	client := gatewaytest.New(f, gatewaytest.WithUpstream(up)).Client("root")
	method, ok := methods.Lookup(getProject)
	if !ok {
		f.Fatal("no " + getProject)
	}
	prefix := strings.TrimSuffix(method.Endpoint.Template(), "{project_id}")
	f.Fuzz(func(t *testing.T, id string) {
		up.path.Store(nil)
		request := method.Request.New()
		request.Set(method.Endpoint.Variables()[0], protoreflect.ValueOfString(id))
		err := client.CallUnary(t.Context(), connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: method.Procedure, Schema: method.Descriptor},
			request.Interface(), method.Response.New().Interface())
		path := up.path.Load()
		if path == nil {
			if connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Fatalf("%q: not sent, and %v", id, err)
			}
			return
		}
		segment, under := strings.CutPrefix(*path, prefix)
		unescaped, err := url.PathUnescape(segment)
		if !under || err != nil || unescaped != id || strings.ContainsAny(segment, "/?#\\") || segment == "." || segment == ".." {
			t.Errorf("%q went out as %q", id, *path)
		}
		if !idsOnly.MatchString(id) || len(id) > 256 || len(id) == 0 {
			t.Errorf("%q should have been refused, and went out as %q", id, *path)
		}
	})
}
