package policy

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/explain"
)

func version(set *callers.Set) *controlv1.PolicyVersion {
	return &controlv1.PolicyVersion{Sha256: set.SHA256(), LoadedAt: instant(set.Loaded())}
}

// summary is a caller as a list has it.
func (s service) summary(set *callers.Set, name string) *controlv1.Caller {
	_, _, granted, denied := set.Policy.Rules(name, 0)
	limits, leases := set.Limits(name), set.LeaseLimits(name)
	caller := &controlv1.Caller{
		Name: name, Labels: set.Policy.Labels(name), GrantCount: int32(granted), DenyCount: int32(denied),
		Limits: &controlv1.CallerLimits{
			RequestsPerSecond: limits.RequestsPerSecond, Burst: int32(limits.Burst), Concurrent: int32(limits.Concurrent), Streams: int32(limits.Streams),
			MaxLiveLeases: int32(leases.MaxLive), LeaseMintsPerHour: int32(leases.MintsPerHour),
		},
	}
	if other, ok := s.limits.Of(name); ok {
		caller.LimitOverride = other.Message()
	}
	return caller
}

// describe is all of a caller, within bounds.
func (s service) describe(set *callers.Set, name string) *controlv1.Caller {
	caller := s.summary(set, name)
	for _, c := range set.Table.Describe(name) {
		caller.Credentials = append(caller.Credentials, &controlv1.CallerCredential{
			Kind: c.Kind, Id: c.ID, Issuer: c.Issuer, ExpiresAt: instant(c.Expires),
		})
		if len(caller.Credentials) == mostNames {
			break
		}
	}
	grants, denies, _, _ := set.Policy.Rules(name, mostRules)
	caller.Grants, caller.Denies = rules(grants), rules(denies)
	return caller
}

func rules(list []authz.Rule) []*controlv1.CallerRule {
	described := make([]*controlv1.CallerRule, len(list))
	for i, r := range list {
		described[i] = &controlv1.CallerRule{
			Name: r.Name, Words: explain.Words(r), Permissions: r.Permissions, ProjectIds: first(r.Projects), ProjectCount: int32(len(r.Projects)),
			Roles: first(r.Roles), Condition: r.When,
		}
	}
	return described
}

func first(names []string) []string { return names[:min(len(names), mostNames)] }

// instant is absent where there is none.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
