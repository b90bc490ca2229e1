package main

import (
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

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

// openCallers reads everything that tells who may call.
func openCallers(conf config.Config, catalog *service.Catalog, logger *slog.Logger) (*authn.Authenticator, *callers.Source, error) {
	authenticator, err := authn.New(authn.Config{Issuers: issuers(conf.Authn), Logger: logger})
	if err != nil {
		return nil, nil, err
	}
	policy, err := callers.Open(conf.Policy, callers.Rules{Methods: catalog.Access(), Issuers: issuerURLs(conf.Authn)}, logger)
	if err != nil {
		authenticator.Close()
		return nil, nil, err
	}
	return authenticator, policy, nil
}
