// Command example is a tour of the Go client: lists, writes, an inventory, costs, and what
// to do about errors.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/client"
	"github.com/admin-gateway/admin-gateway/client/inventories"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/pages"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// dial connects as somebody. No connection is made before the first call.
func dial(token string) (*client.Gateway, error) {
	return client.Connect(os.Getenv("GATEWAY"), client.Token(token),
		client.CA(os.Getenv("GATEWAY_CA")), client.UserAgent("example/1"))
}

func run(ctx context.Context) error {
	gateway, err := dial(os.Getenv("GATEWAY_TOKEN"))
	if err != nil {
		return err
	}
	defer gateway.Close()
	project, err := listProjects(ctx, gateway)
	if err != nil {
		return err
	}
	if err := serviceAccount(ctx, gateway, project); err != nil {
		return err
	}
	if err := inventory(ctx, gateway); err != nil {
		return err
	}
	if err := costs(ctx, gateway); err != nil {
		return err
	}
	if err := refused(ctx); err != nil {
		return err
	}
	if err := wait(ctx, gateway, project); err != nil {
		return err
	}
	return deadline(ctx, gateway)
}

// listProjects goes through all pages: the list is whole, or there is an error.
func listProjects(ctx context.Context, gateway *client.Gateway) (first string, err error) {
	heading("Projects")
	projects := adminv1connect.NewProjectServiceClient(gateway.Client())
	count := 0
	request := &adminv1.ListProjectsRequest{Limit: proto.Int32(10)} // of a page
	for project, err := range pages.Walk[*adminv1.Project](ctx, projects.ListProjects, request) {
		if err != nil {
			return "", err
		}
		if count++; count <= 3 {
			line("%-30s %s", project.GetName(), project.GetId())
		}
		if first == "" {
			first = project.GetId()
		}
	}
	if count > 3 {
		line("… and %d more", count-3)
	}
	if first == "" {
		return "", errors.New("there is no project")
	}
	return first, nil
}

// serviceAccount makes an account and deletes it. Each write gets an idempotency key, so
// that it is repeated where that helps, and made once.
func serviceAccount(ctx context.Context, gateway *client.Gateway, project string) error {
	heading("A service account")
	accounts := adminv1connect.NewProjectServiceAccountServiceClient(gateway.Client())
	made, err := accounts.CreateProjectServiceAccount(ctx, &adminv1.CreateProjectServiceAccountRequest{ProjectId: project, Name: "example"})
	if err != nil {
		return err
	}
	line("created %s", made.GetId())
	if _, err = accounts.DeleteProjectServiceAccount(ctx, &adminv1.DeleteProjectServiceAccountRequest{ProjectId: project, ServiceAccountId: made.GetId()}); err != nil {
		return err
	}
	line("deleted it")
	return nil
}

// inventory reads the API keys of all projects. A stream that is cut goes on by itself.
func inventory(ctx context.Context, gateway *client.Gateway) error {
	heading("API keys of all projects")
	stock := inventoryv1connect.NewInventoryServiceClient(gateway.Client())
	keys, bar := 0, newBar()
	for page, err := range inventories.Walk(ctx, stock.ListApiKeys, &inventoryv1.ListApiKeysRequest{}, inventories.OnProgress(bar.show)) {
		if incomplete, ok := errors.AsType[*inventories.IncompleteError](err); ok {
			bar.clear()
			line("%d keys, and not all of them: %v; %d reads failed", keys, incomplete.Reasons, len(incomplete.Failures)+incomplete.MoreFailures)
			return nil
		}
		if err != nil {
			return err
		}
		keys += len(page.GetKeys().GetItems())
	}
	bar.clear()
	line("%d keys, complete", keys)
	return nil
}

// refused makes a call that its caller may not make. The error says what is missing.
func refused(ctx context.Context) error {
	heading("A refusal")
	token := os.Getenv("AUDITOR_TOKEN")
	if token == "" {
		line("AUDITOR_TOKEN is not set: nobody to refuse")
		return nil
	}
	auditor, err := dial(token)
	if err != nil {
		return err
	}
	defer auditor.Close()
	_, err = adminv1connect.NewProjectServiceClient(auditor.Client()).CreateProject(ctx, &adminv1.CreateProjectRequest{Name: "mine"})
	refusal, ok := errors.AsType[*client.Error](err)
	if !ok || refusal.Kind != client.PermissionDenied {
		return fmt.Errorf("the auditor was not refused: %w", err)
	}
	line("the auditor may not create a project: %s is missing", refusal.Permission)
	line("the gateway's log has the call as %s", refusal.RequestID)
	return nil
}

// wait asks for new answers until the budget of the moment is spent. The client waits by
// itself, where the deadline allows it; here there is no time, so the error comes at once,
// with the time to wait.
func wait(ctx context.Context, gateway *client.Gateway, project string) error {
	heading("A wait")
	keys := adminv1connect.NewProjectApiKeyServiceClient(gateway.Client())
	read := func(ctx context.Context, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ctx, info := connect.NewClientContext(ctx)
		info.RequestHeader().Set("Cache-Control", "no-cache")
		_, err := keys.ListProjectApiKeys(ctx, &adminv1.ListProjectApiKeysRequest{ProjectId: project})
		return err
	}
	for calls := range 100 {
		err := read(ctx, 50*time.Millisecond)
		if err == nil || client.KindOf(err) == client.DeadlineExceeded {
			continue
		}
		busy, ok := errors.AsType[*client.Error](err)
		if !ok || busy.Kind != client.ResourceExhausted && busy.Kind != client.Unavailable {
			return err
		}
		line("call %d: %s; the gateway says to wait %v", calls+1, busy.Reason, busy.RetryDelay.Round(time.Millisecond))
		began := time.Now()
		if err := read(ctx, time.Minute); err != nil {
			return err
		}
		line("with a minute of patience it is answered, after %v", time.Since(began).Round(time.Millisecond))
		return nil
	}
	line("a hundred calls, and no need to wait")
	return nil
}

// deadline makes a call that has no time.
func deadline(ctx context.Context, gateway *client.Gateway) error {
	heading("A deadline")
	ctx, cancel := context.WithTimeout(ctx, time.Microsecond)
	defer cancel()
	_, err := adminv1connect.NewProjectServiceClient(gateway.Client()).ListProjects(ctx, &adminv1.ListProjectsRequest{})
	if client.KindOf(err) != client.DeadlineExceeded {
		return fmt.Errorf("a microsecond was enough: %w", err)
	}
	line("a microsecond is not enough; without a deadline of its own a call has %v", client.DefaultDeadline)
	return nil
}
