package vaultdoor

import (
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// maxFailures bounds the failures of one revocation that its answer names.
const maxFailures = 8

// leaseRoutes are those of the roles, and of Vault's leases. Some have older paths too,
// which Vault's clients still use.
func (d *Door) leaseRoutes() []*route {
	routes := []*route{
		newRoute(either, d.mount+"/creds/{role}", leasev1connect.LeaseServiceCreateLeaseProcedure, createRequest, created),
		newRoute(writes, "sys/leases/lookup", leasev1connect.LeaseServiceGetLeaseProcedure, lookupRequest, found),
	}
	for _, under := range []string{"sys/leases/", "sys/"} {
		for _, path := range []string{"renew", "renew/{lease_id...}"} {
			routes = append(routes, newRoute(writes, under+path, leasev1connect.LeaseServiceRenewLeaseProcedure, renewRequest, renewed))
		}
		for _, path := range []string{"revoke", "revoke/{lease_id...}"} {
			routes = append(routes, newRoute(writes, under+path, leasev1connect.LeaseServiceRevokeLeaseProcedure, revokeRequest, revoked))
		}
		routes = append(routes, newRoute(writes, under+"revoke-prefix/{prefix...}", leasev1connect.LeaseServiceRevokeLeasesProcedure, revokeAllRequest, revokedAll))
	}
	return routes
}

// vaultID is the id of a lease as Vault writes it: below the path that made it.
func (d *Door) vaultID(l *leasev1.Lease) string {
	return d.mount + "/creds/" + l.GetRole() + "/" + l.GetId()
}

// leaseID reads an id that vaultID wrote, from the path or from what the request says.
// The gateway's own id is the last part of it; the rest is where clients expect it.
func (x *exchange) leaseID(said *parameters) (string, error) {
	const field = "lease_id"
	of := x.bound[field]
	for _, name := range []string{field, "url_lease_id"} {
		if of == "" {
			var err error
			if of, err = said.text(name); err != nil {
				return "", err
			}
		}
	}
	if of == "" {
		return "", rpcerror.InvalidField(field, "is missing", nil)
	}
	below, ok := strings.CutPrefix(of, x.door.mount+"/creds/")
	role, id, parts := strings.Cut(below, "/")
	if !ok || !parts || role == "" || id == "" || strings.Contains(id, "/") {
		return "", rpcerror.InvalidField(field, "is not a lease of this mount: "+x.door.mount+"/creds/ROLE/ID", nil)
	}
	return id, nil
}

func createRequest(x *exchange) (*leasev1.CreateLeaseRequest, error) {
	said, err := x.parameters()
	if err != nil {
		return nil, err
	}
	ttl, err := said.duration("ttl")
	if err != nil {
		return nil, err
	}
	return &leasev1.CreateLeaseRequest{Role: x.bound["role"], Ttl: ttl, RequestId: x.requestID()}, nil
}

// secrets is what the answer of a role has.
type secrets struct {
	APIKey           string `json:"api_key"`
	APIKeyID         string `json:"api_key_id"`
	ServiceAccount   string `json:"service_account"`
	ServiceAccountID string `json:"service_account_id"`
	ProjectID        string `json:"project_id"`
	ExpiresAt        any    `json:"expires_at"`
}

// created does not acknowledge the secret: nothing says that it has arrived. The first
// renewal does, or the gateway forgets it by itself.
func created(x *exchange, m *leasev1.CreateLeaseResponse) *reply {
	l := m.GetLease()
	if m.GetSecret() == "" {
		return &reply{http.StatusConflict, &failure{[]string{
			"the request of this " + keyHeader + " was answered and acknowledged before, and its secret is not kept: ask again with another one",
		}}}
	}
	return x.enveloped(envelope{
		LeaseID: x.door.vaultID(l), LeaseDuration: seconds(l.GetExpiresAt()), Renewable: renewable(l), MountType: mountType,
		Data: secrets{
			APIKey: m.GetSecret(), APIKeyID: l.GetApiKeyId(), ServiceAccount: l.GetRole(), ServiceAccountID: l.GetServiceAccountId(),
			ProjectID: l.GetProjectId(), ExpiresAt: instant(l.GetExpiresAt()),
		},
	})
}

// renewable says whether the end of a lease can be moved.
func renewable(l *leasev1.Lease) bool {
	alive := l.GetState() == leasev1.LeaseState_LEASE_STATE_ISSUED || l.GetState() == leasev1.LeaseState_LEASE_STATE_ACTIVE
	return alive && l.GetExpiresAt().AsTime().Before(l.GetMaxExpiresAt().AsTime())
}

func lookupRequest(x *exchange) (*leasev1.GetLeaseRequest, error) {
	said, err := x.parameters()
	if err != nil {
		return nil, err
	}
	id, err := x.leaseID(said)
	return &leasev1.GetLeaseRequest{LeaseId: id}, err
}

func found(x *exchange, m *leasev1.GetLeaseResponse) *reply {
	l := m.GetLease()
	if seconds(l.GetExpiresAt()) == 0 || l.GetState() != leasev1.LeaseState_LEASE_STATE_ISSUED && l.GetState() != leasev1.LeaseState_LEASE_STATE_ACTIVE {
		return &reply{http.StatusBadRequest, &failure{[]string{"invalid lease: it is over"}}}
	}
	return x.enveloped(envelope{Data: map[string]any{
		"id": x.door.vaultID(l), "issue_time": instant(l.GetCreatedAt()), "expire_time": instant(l.GetExpiresAt()),
		"last_renewal": nil, "renewable": renewable(l), "ttl": seconds(l.GetExpiresAt()),
	}})
}

func renewRequest(x *exchange) (*leasev1.RenewLeaseRequest, error) {
	said, err := x.parameters()
	if err != nil {
		return nil, err
	}
	id, err := x.leaseID(said)
	if err != nil {
		return nil, err
	}
	increment, err := said.duration("increment")
	return &leasev1.RenewLeaseRequest{LeaseId: id, Ttl: increment}, err
}

// renewed calls every lease renewable, as Vault does: clients see by a life that gets
// shorter that the latest end is near. Those that hear of it otherwise ask for another
// lease at once, while this one still has a part of its life.
func renewed(x *exchange, m *leasev1.RenewLeaseResponse) *reply {
	l := m.GetLease()
	return x.enveloped(envelope{LeaseID: x.door.vaultID(l), Renewable: true, LeaseDuration: seconds(l.GetExpiresAt())})
}

func revokeRequest(x *exchange) (*leasev1.RevokeLeaseRequest, error) {
	said, err := x.parameters()
	if err != nil {
		return nil, err
	}
	id, err := x.leaseID(said)
	if err != nil {
		return nil, err
	}
	wait, err := said.sync()
	return &leasev1.RevokeLeaseRequest{LeaseId: id, Wait: wait}, err
}

// revoked is an error where the client waits for the deletion and the time was not enough
// for it, so that it asks again: the revocation is durable in any case.
func revoked(x *exchange, m *leasev1.RevokeLeaseResponse) *reply {
	if said, err := x.parameters(); err == nil {
		if wait, err := said.sync(); err == nil && wait && m.GetLease().GetState() == leasev1.LeaseState_LEASE_STATE_REVOKING {
			x.writer.Header().Set("Retry-After", "1")
			return &reply{http.StatusServiceUnavailable, &failure{[]string{"the lease is revoked, and its key is not deleted yet; repeat the request to wait for it"}}}
		}
	}
	return nothing()
}

// revokeAllRequest selects the leases of a role that the caller may revoke: its own, or
// those of all with the permission for it.
func revokeAllRequest(x *exchange) (*leasev1.RevokeLeasesRequest, error) {
	said, err := x.parameters()
	if err != nil {
		return nil, err
	}
	if _, err := said.sync(); err != nil {
		return nil, err
	}
	role, ok := strings.CutPrefix(x.bound["prefix"], x.door.mount+"/creds/")
	if !ok || strings.Contains(role, "/") {
		return nil, rpcerror.InvalidField("prefix", "is not a role of this mount: "+x.door.mount+"/creds/ROLE", nil)
	}
	return &leasev1.RevokeLeasesRequest{Role: role}, nil
}

// revokedAll waits for the end of the stream, and collects the failures until then.
func revokedAll(x *exchange, m *leasev1.RevokeLeasesResponse) *reply {
	switch part := m.GetPart().(type) {
	case *leasev1.RevokeLeasesResponse_Failure:
		if len(x.failures) < maxFailures {
			x.failures = append(x.failures, "lease "+part.Failure.GetLeaseId()+": "+part.Failure.GetMessage())
		}
	case *leasev1.RevokeLeasesResponse_End:
		if part.End.GetComplete() != nil {
			return nothing()
		}
		summary := fmt.Sprintf("not all leases are revoked: %d of %d are, and %d failed; repeat the request", part.End.GetToRevoke(), part.End.GetLeases(), part.End.GetFailures())
		return &reply{statuses[connect.CodeUnavailable], &failure{append([]string{summary}, x.failures...)}}
	case *leasev1.RevokeLeasesResponse_Progress:
	}
	return nil
}
