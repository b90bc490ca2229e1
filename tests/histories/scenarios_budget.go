//go:build unix

package histories

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// What docs/upstream.md says of the budget without configuration.
const (
	bucketCalls       = 7  // a minute, of an endpoint
	organizationCalls = 60 // a minute, of all
	outage            = time.Minute
	asked             = 15
	// leastAnswered of the endpoints that are asked have to answer in time.
	leastAnswered = 14
)

// ask is a call by its name below admingateway.admin.v1, with its request.
type ask struct {
	method  string
	request map[string]string
}

// uncached are reads of endpoints of their own, which nobody has asked before.
func uncached() []ask {
	none, of := map[string]string{}, map[string]string{"projectId": Register(0)}
	return []ask{
		{"AdminApiKeyService/ListAdminApiKeys", none}, {"AuditLogService/ListAuditLogs", none},
		{"CertificateService/ListCertificates", none}, {"ExternalKeyService/ListExternalKeys", none},
		{"GroupService/ListGroups", none}, {"InviteService/ListInvites", none},
		{"ProjectApiKeyService/ListProjectApiKeys", of}, {"ProjectCertificateService/ListProjectCertificates", of},
		{"ProjectGroupService/ListProjectGroups", of}, {"ProjectRateLimitService/ListProjectRateLimits", of},
		{"ProjectService/ListProjects", none}, {"ProjectServiceAccountService/ListProjectServiceAccounts", of},
		{"ProjectUserService/ListProjectUsers", of}, {"RoleService/ListRoles", none},
		{"SpendAlertService/ListSpendAlerts", none},
	}
}

// revocations take access away.
func revocations() []ask {
	return []ask{
		{"AdminApiKeyService/DeleteAdminApiKey", map[string]string{"keyId": "key-1"}},
		{"ProjectApiKeyService/DeleteProjectApiKey", map[string]string{"projectId": Register(0), "apiKeyId": "key-2"}},
		{"UserService/DeleteUser", map[string]string{"userId": "user-1"}},
		{"ProjectUserService/DeleteProjectUser", map[string]string{"projectId": Register(0), "userId": "user-2"}},
		{"InviteService/DeleteInvite", map[string]string{"inviteId": "invite-1"}},
		{"GroupUserService/RemoveGroupUser", map[string]string{"groupId": "group-1", "userId": "user-3"}},
	}
}

// lostRedis loses Redis for a minute, with the budget that gateways have without
// configuration. Endpoints that nobody has asked before are asked once each, access
// is taken away, and a caller that wants as much as it can get spends one endpoint's
// budget through all replicas, before, meanwhile and after.
func lostRedis(name string, lose func(c *Cluster) error, back func(ctx context.Context, c *Cluster) error) Scenario {
	return Scenario{
		Name: name, About: "a lost Redis costs nobody half a minute, and no budget",
		Options: ClusterOptions{Registers: 1, DefaultBudget: true}, Bound: Isolated,
		Run: func(ctx context.Context, c *Cluster) error {
			greedy, stop := context.WithCancel(ctx)
			var all sync.WaitGroup
			defer all.Wait()
			defer stop()
			for _, r := range c.Replicas {
				if err := c.SeesRedis(ctx, r); err != nil {
					return err
				}
				all.Go(func() { c.want(greedy, r) })
			}
			if err := processtest.Pause(ctx, 3*time.Second); err != nil {
				return err
			}
			if err := lose(c); err != nil {
				return err
			}
			answered, refused, err := c.askAll(ctx)
			if err != nil {
				return err
			}
			if err := back(ctx, c); err != nil {
				return err
			}
			if err := processtest.Pause(ctx, 5*time.Second); err != nil {
				return err
			}
			return c.judge(answered, refused)
		},
	}
}

// want asks one endpoint for ever new answers.
func (c *Cluster) want(ctx context.Context, r *Replica) {
	for i := 0; processtest.Pause(ctx, 500*time.Millisecond) == nil; i++ {
		// Most are refused: there is no budget for as many.
		_ = r.Invoke(ctx, 5*time.Second, "admingateway.admin.v1.UserService/ListUsers",
			map[string]string{"after": fmt.Sprintf("user-%s-%d", r.Name(), i)})
	}
}

// askAll spreads the calls over the outage and the replicas, and returns how many
// reads were answered, and which calls were not.
func (c *Cluster) askAll(ctx context.Context) (answered int, refused []string, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	reads, revoked := uncached(), revocations()
	call := func(a ask, r *Replica, read bool) {
		began := c.Clock.Now()
		failure := r.Invoke(ctx, callLimit, "admingateway.admin.v1."+a.method, a.request)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case failure == nil && read:
			answered++
		case failure == nil:
		case isRefusal(failure):
			refused = append(refused, fmt.Sprintf("at %s through %s: %s: %v", moment(began), r.Name(), a.method, failure))
		default:
			err = errors.Join(err, fmt.Errorf("%s: %w", a.method, failure)) // The test asks what it cannot ask.
		}
	}
	for i := range asked {
		if failed := processtest.Pause(ctx, outage/asked); failed != nil {
			all.Wait()
			return 0, nil, failed
		}
		all.Go(func() { call(reads[i], c.Replicas[i%Replicas], true) })
		if i%2 == 0 && i/2 < len(revoked) {
			all.Go(func() { call(revoked[i/2], c.Replicas[(i+1)%Replicas], false) })
		}
	}
	all.Wait()
	return answered, refused, err
}

// isRefusal returns whether a call got no answer for want of budget, time or Redis.
func isRefusal(err error) bool {
	failure, ok := errors.AsType[*CallError](err)
	return !ok || slices.Contains([]string{"resource_exhausted", "deadline_exceeded", "unavailable"}, failure.Code)
}

// judge compares what was answered, and what came to the upstream, with the promise.
func (c *Cluster) judge(answered int, refused []string) error {
	var broken []string
	if answered < leastAnswered {
		broken = append(broken, fmt.Sprintf("%d of %d endpoints answered in time", answered, asked))
	}
	if lost := len(refused) - (asked - answered); lost > 0 {
		broken = append(broken, fmt.Sprintf("%d of %d revocations were refused", lost, len(revocations())))
	}
	most := c.Upstream.Busiest()
	busiest := slices.Max(slices.Collect(maps.Values(most)))
	c.log("%d of %d endpoints answered in time, %d calls refused; in a minute %d calls of one endpoint at the most, %d of all",
		answered, asked, len(refused), busiest, c.Upstream.BusiestOfAll())
	for _, bucket := range slices.Sorted(maps.Keys(most)) {
		if most[bucket] > bucketCalls+Replicas {
			broken = append(broken, fmt.Sprintf("%d calls in a minute: %s", most[bucket], bucket))
		}
	}
	if n := c.Upstream.BusiestOfAll(); n > organizationCalls+Replicas {
		broken = append(broken, fmt.Sprintf("%d calls in a minute of all endpoints", n))
	}
	if len(broken) == 0 {
		return nil
	}
	return violated("%s\n\t%s", strings.Join(broken, "; "), strings.Join(refused, "\n\t"))
}

func lostRedisKilled() Scenario {
	return lostRedis("LostRedisKilled",
		func(c *Cluster) error { return c.Redis.Kill() },
		func(ctx context.Context, c *Cluster) error { return c.Redis.Start(ctx) })
}

func lostRedisStopped() Scenario {
	return lostRedis("LostRedisStopped",
		func(c *Cluster) error { return c.Redis.Stop() },
		func(_ context.Context, c *Cluster) error { return c.Redis.Continue() })
}
