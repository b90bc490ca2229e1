package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// sample is one call of the demo, made by a real client.
type sample struct {
	name, caller, over string
	// call returns a summary of the response. An error fails the demo.
	call func(context.Context) (string, error)
}

// samples are the demo's calls to a gateway, and with leased keys to the fake API.
func samples(w io.Writer, gateway, fake string, who *demoCallers, secure *demoTLS) []sample {
	dial := func(token string, options ...connecthttp.Option) *connect.Client {
		return connect.NewClient(connecthttp.NewTransport(secure.client(), gateway, options...), withToken(token))
	}
	grpc := dial(who.operator, connecthttp.WithGRPC())
	asJSON := dial(who.operator, connecthttp.WithProtoJSON())
	grpcWeb := dial(who.auditor, connecthttp.WithGRPCWeb())
	tour := &tour{
		users:    adminv1connect.NewUserServiceClient(grpc),
		projects: adminv1connect.NewProjectServiceClient(asJSON),
		accounts: adminv1connect.NewProjectServiceAccountServiceClient(grpc),
		usage:    adminv1connect.NewUsageServiceClient(grpcWeb),
		reading:  adminv1connect.NewProjectServiceClient(dial(who.auditor, connecthttp.WithGRPC())),
		stock:    inventoryv1connect.NewInventoryServiceClient(grpc),
		shown:    w,
		nobody:   adminv1connect.NewUserServiceClient(dial("", connecthttp.WithGRPC())),
	}
	leases := &leaseTour{client: leasev1connect.NewLeaseServiceClient(grpc), http: http1Client(), fake: fake}
	return []sample{
		{"CreateLease, a call with its key", "operator", "gRPC", leases.leased},
		{"ListUsers", "operator", "gRPC", tour.listUsers},
		{"GetProject", "operator", "Connect JSON", tour.getProject},
		{"GetProject, again", "operator", "Connect JSON", tour.remembered},
		{"UpdateProject, GetProject", "operator", "Connect JSON", tour.changed},
		{"CreateProjectServiceAccount", "operator", "gRPC", tour.createServiceAccount},
		{"GetProject, id ../users", "operator", "Connect JSON", tour.badID},
		{"ListCompletionsUsage, last week", "auditor", "gRPC-Web", tour.usageOfLastWeek},
		{"ListApiKeys, of all projects", "operator", "gRPC stream", tour.inventory},
		{"RenewLease", "operator", "gRPC", leases.renewed},
		{"RevokeLease, a call with its key", "operator", "gRPC", leases.revoked},
		{"a call with a key whose lease ended", "operator", "HTTP", leases.ended},
		{"CreateProject", "auditor", "gRPC", tour.notAllowed},
		{"ListUsers", "nobody", "gRPC", tour.notKnown},
	}
}

// http2Client speaks HTTP/2 without TLS.
func http2Client() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols:       protocols,
		DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		IdleConnTimeout: time.Second,
	}}
}

// http1Client calls the fake API.
func http1Client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{IdleConnTimeout: time.Second}}
}

// tour holds the clients, and the results that later calls need.
type tour struct {
	users    adminv1connect.UserServiceClient
	projects adminv1connect.ProjectServiceClient
	accounts adminv1connect.ProjectServiceAccountServiceClient
	usage    adminv1connect.UsageServiceClient
	reading  adminv1connect.ProjectServiceClient
	nobody   adminv1connect.UserServiceClient
	stock    inventoryv1connect.InventoryServiceClient
	shown    io.Writer // receives the progress of an inventory
	project  string
}

// withToken sends a caller token with every call, unless it is empty.
func withToken(token string) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok && token != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+token)
			}
			return next(ctx, spec)
		}
	}
}

func (t *tour) listUsers(ctx context.Context) (string, error) {
	limit := int32(100)
	users, err := t.users.ListUsers(ctx, &adminv1.ListUsersRequest{Limit: &limit})
	if err != nil {
		return "", err
	}
	if len(users.GetData()) == 0 {
		return "", errors.New("no users")
	}
	return fmt.Sprintf("%d users on the first page, more: %t", len(users.GetData()), users.GetHasMore()), nil
}

func (t *tour) getProject(ctx context.Context) (string, error) {
	projects, err := t.projects.ListProjects(ctx, &adminv1.ListProjectsRequest{})
	if err != nil {
		return "", err
	}
	if len(projects.GetData()) == 0 {
		return "", errors.New("no projects")
	}
	t.project = projects.GetData()[0].GetId()
	project, err := t.projects.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: t.project})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%q, made %s", project.GetProject().GetName(), project.GetProject().GetCreatedAt().AsTime().Format(time.DateOnly)), nil
}

// cacheStatus reads the project and returns the Cache-Status of the response (RFC
// 9211).
func (t *tour) cacheStatus(ctx context.Context) (string, error) {
	ctx, info := connect.NewClientContext(ctx)
	_, err := t.projects.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: t.project})
	return info.ResponseHeader().Get("Cache-Status"), err
}

func (t *tour) remembered(ctx context.Context) (string, error) {
	status, err := t.cacheStatus(ctx)
	if err != nil || !strings.Contains(status, "; hit") {
		return "", fmt.Errorf("should have been remembered, but: %s, %w", status, err)
	}
	return "the upstream was not asked: " + status, nil
}

func (t *tour) changed(ctx context.Context) (string, error) {
	name := "Renamed by the demo"
	if _, err := t.projects.UpdateProject(ctx, &adminv1.UpdateProjectRequest{ProjectId: t.project, Name: &name}); err != nil {
		return "", err
	}
	status, err := t.cacheStatus(ctx)
	if err != nil || !strings.Contains(status, "fwd=miss") {
		return "", fmt.Errorf("should have been asked for anew, but: %s, %w", status, err)
	}
	return "after the change it was asked for anew: " + status, nil
}

func (t *tour) createServiceAccount(ctx context.Context) (string, error) {
	account, err := t.accounts.CreateProjectServiceAccount(ctx, &adminv1.CreateProjectServiceAccountRequest{ProjectId: t.project, Name: "demo"})
	if err != nil {
		return "", err
	}
	secret := account.GetApiKey().GetValue()
	if secret == "" {
		return "", errors.New("no key came with the service account")
	}
	return fmt.Sprintf("%s with a key of %d characters, shown once and never stored", account.GetId(), len(secret)), nil
}

// inventory reads the keys of every project in one call, and shows its progress.
func (t *tour) inventory(ctx context.Context) (string, error) {
	stream, err := t.stock.ListApiKeys(ctx, &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		return "", err
	}
	projects, keys := 0, 0
	var end *inventoryv1.End
	for {
		response, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		switch event := response.GetEvent().(type) {
		case *inventoryv1.ListApiKeysResponse_Keys_:
			projects++
			keys += len(event.Keys.GetItems())
		case *inventoryv1.ListApiKeysResponse_Progress:
			p := event.Progress
			if _, err := fmt.Fprintf(t.shown, "inventory: %d of %d calls, %d keys, %s left\n",
				p.GetCallsDone(), p.GetCallsKnown(), p.GetItems(), p.GetTimeLeft().AsDuration().Round(100*time.Millisecond)); err != nil {
				return "", err
			}
		case *inventoryv1.ListApiKeysResponse_End:
			end = event.End
		}
	}
	if end.GetComplete() == nil || keys == 0 {
		return "", fmt.Errorf("%d keys, and then %v", keys, end)
	}
	return fmt.Sprintf("%d keys of %d projects in %d calls, complete", keys, projects, end.GetCalls()), nil
}

func (t *tour) badID(ctx context.Context) (string, error) {
	_, err := t.projects.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "../users"})
	return refusal(err, connect.CodeInvalidArgument)
}

func (t *tour) notAllowed(ctx context.Context) (string, error) {
	_, err := t.reading.CreateProject(ctx, &adminv1.CreateProjectRequest{Name: "demo"})
	return refusal(err, connect.CodePermissionDenied)
}

func (t *tour) notKnown(ctx context.Context) (string, error) {
	_, err := t.nobody.ListUsers(ctx, &adminv1.ListUsersRequest{})
	return refusal(err, connect.CodeUnauthenticated)
}

// refusal checks that a call was refused with a code.
func refusal(err error, want connect.Code) (string, error) {
	if connect.CodeOf(err) != want {
		return "", fmt.Errorf("should have been refused with %s, but: %w", want, err)
	}
	return "refused, and the upstream was not asked: " + err.Error(), nil
}

func (t *tour) usageOfLastWeek(ctx context.Context) (string, error) {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	usage, err := t.usage.ListCompletionsUsage(ctx, &adminv1.ListCompletionsUsageRequest{
		StartTime: timestamppb.New(today.AddDate(0, 0, -7)),
		EndTime:   timestamppb.New(today),
	})
	if err != nil {
		return "", err
	}
	var tokens, requests int64
	for _, bucket := range usage.GetData() {
		for _, result := range bucket.GetResults() {
			tokens += result.GetInputTokens() + result.GetOutputTokens()
			requests += result.GetNumModelRequests()
		}
	}
	if requests == 0 {
		return "", errors.New("no usage")
	}
	return fmt.Sprintf("%d days, %d requests, %d tokens", len(usage.GetData()), requests, tokens), nil
}
