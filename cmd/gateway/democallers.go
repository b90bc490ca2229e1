package main

import (
	"fmt"

	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// demoPolicy is the policy file of the demo: operator may do everything, and auditor
// may only read. The role's grace is short, so that the demo sees a key end.
const demoPolicy = `
roles:
  - {name: demo, project: %s, service_account: demo, scopes: [api.model.request], ttl: 1h, max_ttl: 24h, grace: 2s}
callers:
  - name: operator
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: ["*"], roles: ["*"]}]
  - name: auditor
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: ["*.read"]}]
`

// demoCallers are the callers of the demo. Their tokens are random.
type demoCallers struct {
	operator, auditor string // their tokens

	operatorHash, auditorHash string

	project string // of the leased keys
}

func newDemoCallers(project string) (who *demoCallers, err error) {
	who = &demoCallers{project: project}
	if who.operator, who.operatorHash, err = authn.NewToken(); err != nil {
		return nil, err
	}
	if who.auditor, who.auditorHash, err = authn.NewToken(); err != nil {
		return nil, err
	}
	return who, nil
}

// policy compiles the policy of the demo.
func (d *demoCallers) policy(rules callers.Rules) (*callers.Set, error) {
	return callers.Parse("the demo's policy", fmt.Appendf(nil, demoPolicy, d.project, d.operatorHash, d.auditorHash), rules)
}
