package main

import (
	"fmt"

	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// demoPolicy is the demo's policy file: one caller that may do everything, and
// one that may read and otherwise nothing.
const demoPolicy = `
callers:
  - name: operator
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: ["*"]}]
  - name: auditor
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: ["*.read"]}]
`

// demoCallers are the demo's two callers, with tokens that end with it.
type demoCallers struct {
	set               *callers.Set
	operator, auditor string
}

// Current is the demo's one policy.
func (d *demoCallers) Current() *callers.Set { return d.set }

func newDemoCallers(rules callers.Rules) (*demoCallers, error) {
	operator, operatorHash, err := authn.NewToken()
	if err != nil {
		return nil, err
	}
	auditor, auditorHash, err := authn.NewToken()
	if err != nil {
		return nil, err
	}
	set, err := callers.Parse("the demo's policy", fmt.Appendf(nil, demoPolicy, operatorHash, auditorHash), rules)
	if err != nil {
		return nil, err
	}
	return &demoCallers{set, operator, auditor}, nil
}
