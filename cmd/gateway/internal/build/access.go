package build

import (
	"context"

	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// policySource returns the policy in force, or nil before one was loaded.
type policySource interface{ Current() *callers.Set }

// access is the authentication of callers and their policy.
type access struct {
	authenticator *authn.Authenticator
	policy        policySource
	// file reloads the policy when its file changes. It is nil for a fixed policy.
	file *callers.Source
}

// openAccess reads the policy file, unless fixed compiles a policy in its place. With
// sessionKeys it makes sessions.
func openAccess(opened *closers, conf config.Config, catalog *Catalog, fixed func(callers.Rules) (*callers.Set, error), sessionKeys func(context.Context) ([][]byte, error), logger *slog.Logger) (*access, error) {
	authenticator, err := authn.New(authn.Config{Issuers: issuers(conf.Authn), SessionKeys: sessionKeys, Logger: logger})
	if err != nil {
		return nil, config.AtKey("authn.issuers", err)
	}
	opened.add(authenticator)
	rules := callers.Rules{
		Methods: catalog.Access(), Issuers: issuerURLs(conf.Authn),
		NoCertificates: conf.TLS.ClientCAFile == "" && conf.TLS.SPIFFESocket == "",
	}
	if fixed != nil {
		set, err := fixed(rules)
		if err != nil {
			return nil, err
		}
		return &access{authenticator: authenticator, policy: fixedPolicy{set}}, nil
	}
	file, err := callers.Open(callers.File{Path: conf.Policy, MaxBytes: int64(conf.Limits.PolicyBytes), Bound: "limits.policy_bytes"}, rules, logger)
	if err != nil {
		return nil, err
	}
	return &access{authenticator, file, file}, nil
}

// Run reloads the policy file when it changes, until ctx ends.
func (a *access) Run(ctx context.Context) error {
	if a.file != nil {
		a.file.Run(ctx)
	}
	return nil
}

func (a *access) collectors() []prometheus.Collector {
	if a.file == nil {
		return nil
	}
	return []prometheus.Collector{
		newCounter("gateway_policy_reloads_total", "Policies that replaced the one before.", a.file.Reloads),
		newCounter("gateway_policy_failures_total", "Attempts to read a policy file that cannot be used.", a.file.Failures),
	}
}

// fixedPolicy is a policy without a file.
type fixedPolicy struct{ set *callers.Set }

// Current returns the policy.
func (p fixedPolicy) Current() *callers.Set { return p.set }

func issuers(c config.Authn) []authn.Issuer {
	var all []authn.Issuer
	for _, i := range c.Issuers {
		all = append(all, authn.Issuer{
			URL: i.URL, Audiences: i.Audiences, Algorithms: i.Algorithms, JWKSURL: i.JWKSURL, CAFile: i.CAFile, TokenFile: i.TokenFile,
		})
	}
	return all
}

func issuerURLs(c config.Authn) []string {
	var all []string
	for _, i := range c.Issuers {
		all = append(all, i.URL)
	}
	return all
}
