package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is the admin key of these tests; nothing may show it.
const canary = "sk-admin-CANARY0123456789canary"

type fixedKey string

func (k fixedKey) Key(context.Context) (upstream.Secret, error) {
	return upstream.NewSecret(string(k)), nil
}

// endpoint compiles a method of the Admin API, such as
// "ProjectService.GetProject".
func endpoint(tb testing.TB, name protoreflect.FullName) *upstream.Endpoint {
	tb.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(adminv1.File_admingateway_admin_v1_project_proto.Package() + "." + name)
	if err != nil {
		tb.Fatal(err)
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		tb.Fatalf("%s is no method", name)
	}
	e, err := upstream.Compile(method, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func request(tb testing.TB, e *upstream.Endpoint, m proto.Message) *upstream.Request {
	tb.Helper()
	r, err := e.Request(m.ProtoReflect())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// call is an endpoint with a request for it.
type call struct {
	endpoint *upstream.Endpoint
	request  *upstream.Request
}

func (c call) do(ctx context.Context, client *upstream.Client) (*upstream.Reply, error) {
	return client.Do(ctx, c.endpoint, c.request)
}

func getProject(tb testing.TB) call {
	tb.Helper()
	e := endpoint(tb, "ProjectService.GetProject")
	return call{e, request(tb, e, &adminv1.GetProjectRequest{ProjectId: "proj_1"})}
}

func createProject(tb testing.TB) call {
	tb.Helper()
	e := endpoint(tb, "ProjectService.CreateProject")
	return call{e, request(tb, e, &adminv1.CreateProjectRequest{Name: "new"})}
}

func archiveProject(tb testing.TB) call {
	tb.Helper()
	e := endpoint(tb, "ProjectService.ArchiveProject")
	return call{e, request(tb, e, &adminv1.ArchiveProjectRequest{ProjectId: "proj_1"})}
}

func deleteUser(tb testing.TB) call {
	tb.Helper()
	e := endpoint(tb, "UserService.DeleteUser")
	return call{e, request(tb, e, &adminv1.DeleteUserRequest{UserId: "user_1"})}
}

// newClient returns a client of base; change adapts its configuration.
func newClient(tb testing.TB, base string, change ...func(*upstream.Config)) *upstream.Client {
	tb.Helper()
	config := upstream.Config{BaseURL: base, Key: fixedKey(canary)}
	for _, f := range change {
		f(&config)
	}
	client, err := upstream.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

// serve starts a server whose answers are JSON unless they say otherwise. Its
// cleanup runs after the client's, so that no idle connection is waited for.
func serve(tb testing.TB, handler http.HandlerFunc) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		handler(w, r)
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// failure is err as an *upstream.Error.
func failure(tb testing.TB, err error) *upstream.Error {
	tb.Helper()
	if err == nil {
		tb.Fatal("no error")
	}
	e, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		tb.Fatalf("error of type %T: %v", err, err)
	}
	return e
}

func wantKind(tb testing.TB, err error, kind upstream.Kind, reason string) {
	tb.Helper()
	e := failure(tb, err)
	if e.Kind != kind || e.Reason != reason {
		tb.Errorf("got %s (%s), want %s (%s): %v", e.Kind, e.Reason, kind, reason, err)
	}
}
