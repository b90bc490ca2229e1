package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// leaseRoles have keys that live for seconds. A key of the first lives on for as long as
// it is renewed, one of the second has to be replaced.
const leaseRoles = `roles:
  - {name: lasting, project: %[1]s, service_account: lasting, scopes: [api.model.request], ttl: 3s, max_ttl: 1h, grace: 2s}
  - {name: brief, project: %[1]s, service_account: brief, scopes: [api.model.request], ttl: 3s, max_ttl: 9s, grace: 2s}
callers:
`

// openLeasebed starts a sandbox whose clock runs, and a gateway in front of it that leases
// keys.
func openLeasebed(ctx context.Context, binary, folder string) (_ *testbed, err error) {
	b := new(testbed)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.behind, b.behindURL, err = b.play(ctx, time.Now); err != nil {
		return nil, err
	}
	keys, err := b.behind.ProjectKeys("")
	if err != nil {
		return nil, err
	}
	entry, err := newCaller(ctx, binary, "pipeline", "[{permissions: [leases.create, leases.renew, leases.revoke], roles: [lasting, brief]}]", &b.gateway)
	if err != nil {
		return nil, err
	}
	policy := fmt.Sprintf(leaseRoles, keys[0].ProjectID) + entry
	return b, b.start(ctx, binary, folder, policy, fmt.Sprintf("leases: {path: %s}\n", filepath.Join(folder, "leases.db")))
}

// leaseVariables are those of the testbed for leases.
func (b *testbed) leaseVariables(binary string) map[string]string {
	return map[string]string{
		"GATEWAY": binary, "UPSTREAM_URL": b.behindURL,
		"ADMIN_GATEWAY_ADDRESS": strings.TrimSuffix(b.gateway.url, "/v1"), "ADMIN_GATEWAY_TOKEN": b.gateway.key,
	}
}
