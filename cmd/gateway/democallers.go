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
	operator, auditor string // their tokens

	operatorHash, auditorHash string
}

func newDemoCallers() (who *demoCallers, err error) {
	who = new(demoCallers)
	if who.operator, who.operatorHash, err = authn.NewToken(); err != nil {
		return nil, err
	}
	if who.auditor, who.auditorHash, err = authn.NewToken(); err != nil {
		return nil, err
	}
	return who, nil
}

// policy is the demo's one policy.
func (d *demoCallers) policy(rules callers.Rules) (*callers.Set, error) {
	return callers.Parse("the demo's policy", fmt.Appendf(nil, demoPolicy, d.operatorHash, d.auditorHash), rules)
}
