package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// fakeToken is the token of the fake's only caller.
const fakeToken = "agw_fake"

// fakeLeases is a LeaseService that says what a test wants, over Connect and gRPC. The
// commands are tested against it where what counts is what they send and show.
type fakeLeases struct {
	url         string
	ttl, maxTTL time.Duration

	mu     sync.Mutex
	refuse error // of creates
	made   []*leasev1.CreateLeaseRequest
	leases map[string]*leasev1.Lease
	asked  []proto.Message // all other requests
	events chan *leasev1.WatchLeasesResponse
	parts  []any // of the streams: parts of RevokeLeasesResponse or ReconcileResponse
}

func startFakeLeases(t *testing.T, ttl, maxTTL time.Duration) *fakeLeases {
	t.Helper()
	f := &fakeLeases{ttl: ttl, maxTTL: maxTTL, leases: map[string]*leasev1.Lease{}, events: make(chan *leasev1.WatchLeasesResponse, 8)}
	server := httptest.NewUnstartedServer(f.handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// handler serves the fake to the caller with the token.
func (f *fakeLeases) handler() http.Handler {
	mux := http.NewServeMux()
	server := connect.NewServer(func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			if info, ok := connect.CallInfoForServerContext(ctx); !ok || info.RequestHeader().Get("Authorization") != "Bearer "+fakeToken {
				return connect.NewError(connect.CodeUnauthenticated, "no")
			}
			return next(ctx, spec, stream)
		}
	})
	leasev1connect.RegisterLeaseServiceHandler(server, f)
	connecthttp.Mount(mux, server)
	return mux
}

func (f *fakeLeases) CreateLease(_ context.Context, req *leasev1.CreateLeaseRequest) (*leasev1.CreateLeaseResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made = append(f.made, req)
	if f.refuse != nil {
		return nil, f.refuse
	}
	n, now := len(f.leases)+1, time.Now()
	ttl := f.ttl
	if req.GetTtl() != nil {
		ttl = req.GetTtl().AsDuration()
	}
	lease := &leasev1.Lease{
		Id: fmt.Sprint("lease-", n), Role: req.GetRole(), ProjectId: "proj_1", Caller: "ci", Holder: req.GetHolder(), Labels: req.GetLabels(),
		State: leasev1.LeaseState_LEASE_STATE_ISSUED, ApiKeyId: fmt.Sprint("key_", n), CreatedAt: timestamppb.New(now),
		ExpiresAt: timestamppb.New(now.Add(min(ttl, f.maxTTL))), MaxExpiresAt: timestamppb.New(now.Add(f.maxTTL)),
	}
	f.leases[lease.GetId()] = lease
	return &leasev1.CreateLeaseResponse{Lease: proto.CloneOf(lease), Secret: secretOf(lease)}, nil
}

// secretOf is the secret of the fake's key.
func secretOf(l *leasev1.Lease) string { return "sk-of-" + l.GetApiKeyId() }

// about notes a request, and returns the lease that it is about.
func (f *fakeLeases) about(req proto.Message, id string, change func(*leasev1.Lease)) (*leasev1.Lease, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, req)
	lease := f.leases[id]
	if lease == nil {
		return nil, connect.NewError(connect.CodeNotFound, "the caller has no such lease")
	}
	change(lease)
	return proto.CloneOf(lease), nil
}

func (f *fakeLeases) AcknowledgeLease(_ context.Context, req *leasev1.AcknowledgeLeaseRequest) (*leasev1.AcknowledgeLeaseResponse, error) {
	lease, err := f.about(req, req.GetLeaseId(), func(l *leasev1.Lease) { l.State = leasev1.LeaseState_LEASE_STATE_ACTIVE })
	return &leasev1.AcknowledgeLeaseResponse{Lease: lease}, err
}

func (f *fakeLeases) RenewLease(_ context.Context, req *leasev1.RenewLeaseRequest) (*leasev1.RenewLeaseResponse, error) {
	lease, err := f.about(req, req.GetLeaseId(), func(l *leasev1.Lease) {
		end := time.Now().Add(f.ttl)
		if latest := l.GetMaxExpiresAt().AsTime(); end.After(latest) {
			end = latest
		}
		l.ExpiresAt = timestamppb.New(end)
	})
	return &leasev1.RenewLeaseResponse{Lease: lease}, err
}

func (f *fakeLeases) RotateLease(_ context.Context, req *leasev1.RotateLeaseRequest) (*leasev1.RotateLeaseResponse, error) {
	lease, err := f.about(req, req.GetLeaseId(), func(l *leasev1.Lease) { l.ApiKeyId += "_2" })
	return &leasev1.RotateLeaseResponse{Lease: lease, Secret: secretOf(lease), Previous: &leasev1.PreviousKey{ApiKeyId: "key_1"}}, err
}

func (f *fakeLeases) RevokeLease(_ context.Context, req *leasev1.RevokeLeaseRequest) (*leasev1.RevokeLeaseResponse, error) {
	lease, err := f.about(req, req.GetLeaseId(), func(l *leasev1.Lease) { l.State = leasev1.LeaseState_LEASE_STATE_REVOKING })
	return &leasev1.RevokeLeaseResponse{Lease: lease}, err
}

func (f *fakeLeases) GetLease(_ context.Context, req *leasev1.GetLeaseRequest) (*leasev1.GetLeaseResponse, error) {
	lease, err := f.about(req, req.GetLeaseId(), func(*leasev1.Lease) {})
	return &leasev1.GetLeaseResponse{Lease: lease}, err
}

// ListLeases has a page for each lease.
func (f *fakeLeases) ListLeases(_ context.Context, req *leasev1.ListLeasesRequest) (*leasev1.ListLeasesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, req)
	n := 1
	if req.GetPageToken() != "" {
		_, _ = fmt.Sscan(req.GetPageToken(), &n)
	}
	page := &leasev1.ListLeasesResponse{}
	if lease := f.leases[fmt.Sprint("lease-", n)]; lease != nil {
		page.Leases = append(page.Leases, proto.CloneOf(lease))
	}
	if n < len(f.leases) {
		page.NextPageToken = fmt.Sprint(n + 1)
	}
	return page, nil
}

func (f *fakeLeases) WatchLeases(ctx context.Context, req *leasev1.WatchLeasesRequest, stream leasev1connect.LeaseServiceWatchLeasesServerStream) error {
	f.mu.Lock()
	f.asked = append(f.asked, req)
	f.mu.Unlock()
	for {
		select {
		case event := <-f.events:
			if event == nil {
				return connect.NewError(connect.CodeUnavailable, "stopping")
			}
			if err := stream.Send(event); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeLeases) RevokeLeases(_ context.Context, req *leasev1.RevokeLeasesRequest, stream leasev1connect.LeaseServiceRevokeLeasesServerStream) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, req)
	for _, part := range f.parts {
		message, _ := part.(*leasev1.RevokeLeasesResponse)
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeLeases) Reconcile(_ context.Context, req *leasev1.ReconcileRequest, stream leasev1connect.LeaseServiceReconcileServerStream) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, req)
	for _, part := range f.parts {
		message, _ := part.(*leasev1.ReconcileResponse)
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeLeases) ReadStaticRole(context.Context, *leasev1.ReadStaticRoleRequest) (*leasev1.ReadStaticRoleResponse, error) {
	return nil, connect.NewError(connect.CodeUnimplemented, "there are no static roles")
}

func (f *fakeLeases) RotateStaticRole(context.Context, *leasev1.RotateStaticRoleRequest) (*leasev1.RotateStaticRoleResponse, error) {
	return nil, connect.NewError(connect.CodeUnimplemented, "there are no static roles")
}

// change changes the fake.
func (f *fakeLeases) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// states are those of the leases, in the order in which they were made.
func (f *fakeLeases) states() (states []leasev1.LeaseState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range len(f.leases) {
		states = append(states, f.leases[fmt.Sprint("lease-", n+1)].GetState())
	}
	return states
}

// requests are those of the creates.
func (f *fakeLeases) requests() []*leasev1.CreateLeaseRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.made)
}

// saw says whether a request like this one came.
func (f *fakeLeases) saw(want proto.Message) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.asked, func(got proto.Message) bool { return proto.Equal(got, want) })
}
