package client_test

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/admin-gateway/admin-gateway/client"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// seen is a call as a fake gateway got it.
type seen struct {
	procedure, token, key, agent string
	// left is the time until its deadline; 0 where it has none.
	left time.Duration
	at   time.Time
}

// fake is a server with TLS that answers as it is told.
type fake struct {
	adminv1connect.UnimplementedProjectServiceHandler
	leasev1connect.UnimplementedLeaseServiceHandler
	inventoryv1connect.UnimplementedInventoryServiceHandler

	*httptest.Server
	// answer is the error of the n-th call, from 1 on; nil where it is answered.
	answer func(ctx context.Context, n int, call seen) error
	// headers are those of every answer.
	headers map[string]string

	mu    sync.Mutex
	calls []seen
}

// serve starts a fake.
func serve(t *testing.T, answer func(ctx context.Context, n int, call seen) error) *fake {
	t.Helper()
	f := &fake{answer: answer}
	server := connect.NewServer(f.script)
	adminv1connect.RegisterProjectServiceHandler(server, f)
	leasev1connect.RegisterLeaseServiceHandler(server, f)
	inventoryv1connect.RegisterInventoryServiceHandler(server, f)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	f.Server = httptest.NewUnstartedServer(mux)
	f.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f.EnableHTTP2 = true
	f.StartTLS()
	t.Cleanup(f.Close)
	return f
}

// script is the interceptor that notes a call, and answers it with an error.
func (f *fake) script(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		info, _ := connect.CallInfoForServerContext(ctx)
		h := info.RequestHeader()
		call := seen{spec.Procedure, strings.TrimPrefix(h.Get("Authorization"), "Bearer "), h.Get("Idempotency-Key"), h.Get("User-Agent"), 0, time.Now()}
		if deadline, ok := ctx.Deadline(); ok {
			call.left = time.Until(deadline)
		}
		f.mu.Lock()
		f.calls = append(f.calls, call)
		n := len(f.calls)
		f.mu.Unlock()
		for name, value := range f.headers {
			info.ResponseHeader().Set(name, value)
		}
		if err := f.answer(ctx, n, call); err != nil {
			return err
		}
		return next(ctx, spec, stream)
	}
}

// got are the calls so far.
func (f *fake) got() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (*fake) ListProjects(context.Context, *adminv1.ListProjectsRequest) (*adminv1.ListProjectsResponse, error) {
	return &adminv1.ListProjectsResponse{Data: []*adminv1.Project{{Id: "proj_a"}}}, nil
}

func (*fake) CreateProject(_ context.Context, req *adminv1.CreateProjectRequest) (*adminv1.CreateProjectResponse, error) {
	return &adminv1.CreateProjectResponse{Project: &adminv1.Project{Id: "proj_b", Name: proto.String(req.GetName())}}, nil
}

func (*fake) CreateLease(context.Context, *leasev1.CreateLeaseRequest) (*leasev1.CreateLeaseResponse, error) {
	return &leasev1.CreateLeaseResponse{Secret: "sk-made"}, nil
}

func (*fake) RenewLease(context.Context, *leasev1.RenewLeaseRequest) (*leasev1.RenewLeaseResponse, error) {
	return &leasev1.RenewLeaseResponse{}, nil
}

func (*fake) ListApiKeys(_ context.Context, _ *inventoryv1.ListApiKeysRequest, stream inventoryv1connect.InventoryServiceListApiKeysServerStream) error { //nolint:revive,staticcheck // The name in the stubs.
	return stream.Send(&inventoryv1.ListApiKeysResponse{Event: &inventoryv1.ListApiKeysResponse_End{End: &inventoryv1.End{}}})
}

// ca is the fake's certificate.
func (f *fake) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
}

// connectTo connects to a fake.
func (f *fake) connect(t *testing.T, credential client.Credential, opts ...client.Option) *client.Gateway {
	t.Helper()
	gateway, err := client.Connect(f.URL, credential, append([]client.Option{client.CA(f.ca())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gateway.Close() })
	return gateway
}

// projects is a client with a token.
func (f *fake) projects(t *testing.T, opts ...client.Option) adminv1connect.ProjectServiceClient {
	t.Helper()
	return adminv1connect.NewProjectServiceClient(f.connect(t, client.Token("t1"), opts...).Client())
}

// refusal is an error of a gateway's.
func refusal(code connect.Code, reason string, details ...proto.Message) *connect.Error {
	err := connect.NewError(code, "no")
	for _, message := range append(details, &errdetails.ErrorInfo{Reason: reason, Domain: "admin-gateway"}) {
		detail, detailErr := connectproto.NewErrorDetail(message)
		if detailErr != nil {
			panic(detailErr)
		}
		err = err.WithDetail(detail)
	}
	return err
}

// wait is a time to wait, as a detail of an error.
func wait(d time.Duration) proto.Message { return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)} }

// first refuses the first calls.
func first(refused int, err error) func(context.Context, int, seen) error {
	return func(_ context.Context, n int, _ seen) error {
		if n <= refused {
			return err
		}
		return nil
	}
}
