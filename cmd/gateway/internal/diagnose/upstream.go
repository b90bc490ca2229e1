package diagnose

import (
	"context"
	"errors"
	"fmt"
	"time"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

const upstreamKey = "upstream.base_url"

// upstream makes one read: it costs one call of the budget, for which it waits among the
// calls of the replicas.
func (d *diagnosis) upstream(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, upstreamPatience)
	defer cancel()
	began := d.now()
	reply, pacer, err := d.listOneProject(ctx)
	if err != nil {
		key, text := whyNot(err)
		d.failure(key, text)
	} else {
		d.ok(upstreamKey, fmt.Sprintf("one project was listed in %s, of which the upstream's request id is %q", d.now().Sub(began).Round(time.Millisecond), reply.RequestID))
	}
	if d.Config.Cache.RedisURL != "" && pacer != nil {
		d.sharing(ctx, pacer)
	}
}

func (d *diagnosis) listOneProject(ctx context.Context) (*upstream.Reply, *pace.Pacer, error) {
	method, found := d.Catalog.Lookup(adminv1connect.ProjectServiceListProjectsProcedure)
	if !found {
		return nil, nil, errors.New("this build cannot list projects")
	}
	request, err := method.Endpoint.Request((&adminv1.ListProjectsRequest{Limit: new(int32(1))}).ProtoReflect())
	if err != nil {
		return nil, nil, err
	}
	sender, pacer, err := d.Upstream(ctx)
	if err != nil {
		return nil, nil, err
	}
	reply, err := sender.Do(ctx, method.Endpoint, request)
	if err != nil {
		return nil, pacer, err
	}
	if _, err := method.Endpoint.Decode(reply.Body); err != nil {
		return nil, pacer, err
	}
	return reply, pacer, nil
}

// whyNot says which key is at fault for a call that failed, and what to do.
func whyNot(err error) (key, text string) {
	failed, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		return upstreamKey, err.Error() + ": no call can be made"
	}
	switch failed.Reason {
	case upstream.ReasonCredentialRejected:
		return "upstream.admin_key", err.Error() + ": the upstream refuses the key; is it an admin key of this organization, and not revoked?"
	case upstream.ReasonCredentialUnreadable:
		return "upstream.admin_key", err.Error() + ": no call can be made"
	case upstream.ReasonNoBudget, upstream.ReasonDeadlineExceeded:
		return upstreamKey, err.Error() + ": replicas that run spend the budget; gateway top says who"
	case upstream.ReasonRateLimited:
		return upstreamKey, err.Error() + ": somebody else spends the budget, past the gateways"
	}
	return upstreamKey, err.Error() + ": is the address right, and may this machine connect?"
}

// sharing tells whether the replicas count the calls together.
func (d *diagnosis) sharing(ctx context.Context, pacer *pace.Pacer) {
	for _, state := range pacer.Snapshot(ctx) {
		if !state.Shared {
			d.failure(redisKey, "replicas do not count their calls together, and each has a part of the budget: may the user of Redis do what docs/upstream.md lists?")
			return
		}
	}
	d.ok(redisKey, "replicas count their calls together")
}
