package main

import (
	"fmt"

	"github.com/admin-gateway/admin-gateway/service/authn"
)

type tokenCommand struct {
	New tokenNewCommand `cmd:"" help:"Print a random caller token, and the hash that goes into the policy."`
}

type tokenNewCommand struct{}

// Run prints a token and its hash. The token is not stored anywhere.
func (*tokenNewCommand) Run(std streams) error {
	token, hash, err := authn.NewToken()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "token: %s\npolicy: {token_sha256: %s}\n", token, hash)
	return err
}
