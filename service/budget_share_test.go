package service_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/redis/go-redis/v9"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// TestACallerThatDeletesNothingStarvesNobody: 24 workers of a caller with one project
// delete things in it that do not exist. A neighbour's reads have half of the calls, and
// its own revocation goes first, where a gateway counts alone and where it counts in a
// Redis.
func TestACallerThatDeletesNothingStarvesNobody(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]bool{"alone": false, "on Redis": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const all = 30
			fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
			// The organization's budget is what all wait for.
			options := pace.Options{Window: 4 * time.Second, Organization: pace.Limit{Calls: 30, Burst: 1}, Default: pace.Limit{Calls: 1000, Burst: 100}}
			if shared {
				client := redis.NewClient(&redis.Options{Addr: redistest.Start(t), MaxRetries: -1, ContextTimeoutEnabled: true})
				t.Cleanup(func() { _ = client.Close() })
				budget, err := pace.NewRedis(client, pace.RedisOptions{Organization: "org", CallTimeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				options.Shared = budget
			}
			gateway := newPacedGateway(t, fake, options, gatewaytest.WithPolicy(`
callers:
  - name: hostile
    authenticate: [{token_sha256: $hostile}]
    grants: [{permissions: ["*"], projects: [proj_mine]}]
    limits: $free
  - name: neighbour
    authenticate: [{token_sha256: $neighbour}]
    grants: [{permissions: ["*"]}]
    limits: $free
`))
			ctx, cancel := context.WithCancel(t.Context())
			var workers sync.WaitGroup
			log := make(chan string, 1000)
			for i := range 24 {
				workers.Go(func() {
					deleteNothing(ctx, t, gateway.Client("hostile"), i%2 == 0, log)
				})
			}
			queued := func() pace.Queued { return gateway.Pacer.Snapshot(t.Context())[0].Queued }
			eventually(t, "the deletes wait", func() bool { return queued().Revocation > 10 })
			users := adminv1connect.NewUserServiceClient(gateway.Client("neighbour"))
			for range 24 {
				workers.Go(func() {
					for ctx.Err() == nil {
						if _, err := users.GetUser(ctx, &adminv1.GetUserRequest{UserId: "user_none"}); connect.CodeOf(err) == connect.CodeNotFound {
							log <- "r"
						}
					}
				})
			}
			eventually(t, "the reads wait", func() bool { return queued().Interactive > 10 })
			for len(log) > 0 {
				<-log
			}
			var order strings.Builder
			for range all {
				order.WriteString(<-log)
			}
			if reads := strings.Count(order.String(), "r"); reads < all*2/5 {
				t.Errorf("%d reads among %s", reads, order.String())
			}
			before := len(log)
			if _, err := users.DeleteUser(ctx, &adminv1.DeleteUserRequest{UserId: "user_none"}); connect.CodeOf(err) != connect.CodeNotFound {
				t.Error(err)
			}
			// The one that has its token already, and one whose turn it is.
			if after := len(log) - before; after > 4 {
				t.Errorf("%d calls went before the revocation", after)
			}
			cancel()
			workers.Wait()
		})
	}
}

// deleteNothing deletes what does not exist, again and again.
func deleteNothing(ctx context.Context, t *testing.T, client *connect.Client, key bool, log chan<- string) {
	t.Helper()
	keys, accounts := adminv1connect.NewProjectApiKeyServiceClient(client), adminv1connect.NewProjectServiceAccountServiceClient(client)
	for ctx.Err() == nil {
		var err error
		if key {
			_, err = keys.DeleteProjectApiKey(ctx, &adminv1.DeleteProjectApiKeyRequest{ProjectId: "proj_mine", ApiKeyId: "key_none"})
		} else {
			_, err = accounts.DeleteProjectServiceAccount(ctx, &adminv1.DeleteProjectServiceAccountRequest{ProjectId: "proj_mine", ServiceAccountId: "sa_none"})
		}
		if connect.CodeOf(err) == connect.CodeNotFound {
			log <- "D"
		}
	}
}
