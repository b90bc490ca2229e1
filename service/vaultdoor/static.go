package vaultdoor

import (
	"time"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// staticRoutes are those of static roles.
func (d *Door) staticRoutes() []*route {
	return []*route{
		newRoute(reads, d.mount+"/static-creds/{role}", leasev1connect.LeaseServiceReadStaticRoleProcedure, readStaticRequest, readStatic),
		newRoute(writes, d.mount+"/rotate-role/{role}", leasev1connect.LeaseServiceRotateStaticRoleProcedure, rotateStaticRequest, rotatedStatic),
	}
}

func readStaticRequest(x *exchange) (*leasev1.ReadStaticRoleRequest, error) {
	_, err := x.parameters()
	return &leasev1.ReadStaticRoleRequest{Role: x.bound["role"]}, err
}

// staticSecrets is what the answer of a static role has. It has no lease: clients read it
// again when its ttl is over.
type staticSecrets struct {
	secrets

	LastRotation   any   `json:"last_vault_rotation"`
	RotationPeriod int64 `json:"rotation_period"` // in seconds
	TTL            int64 `json:"ttl"`             // in seconds
}

func readStatic(x *exchange, m *leasev1.ReadStaticRoleResponse) *reply {
	s := m.GetStaticRole()
	return x.enveloped(envelope{MountType: mountType, Data: staticSecrets{
		secrets: secrets{
			APIKey: m.GetSecret(), APIKeyID: s.GetApiKeyId(), ServiceAccount: s.GetRole(), ServiceAccountID: s.GetServiceAccountId(),
			ProjectID: s.GetProjectId(), ExpiresAt: instant(s.GetUpstreamExpiresAt()),
		},
		LastRotation: instant(s.GetRotatedAt()), RotationPeriod: int64(s.GetRotationPeriod().AsDuration() / time.Second), TTL: seconds(s.GetNextRotationAt()),
	}})
}

func rotateStaticRequest(x *exchange) (*leasev1.RotateStaticRoleRequest, error) {
	_, err := x.parameters()
	return &leasev1.RotateStaticRoleRequest{Role: x.bound["role"], RequestId: x.requestID()}, err
}

func rotatedStatic(*exchange, *leasev1.RotateStaticRoleResponse) *reply { return nothing() }
