// Command vaultclients runs a command beside a testbed: a gateway with leases and Vault's
// HTTP API, in front of a fake Admin API. The command finds both in its environment:
//
//	VAULT_ADDR                the gateway
//	ANN_TOKEN  BOB_TOKEN      the tokens of two callers with leases of the roles search and brief
//	POD_JWT                   a JWT of a third one
//	UPSTREAM_URL              the fake Admin API, whose data plane takes leased keys
//
// The tests of this module do the same with Vault's and OpenBao's clients for Go, and with
// consul-template.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := beside(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vaultclients:", err)
		os.Exit(1)
	}
}

// beside runs a command in an environment that names the testbed.
func beside(ctx context.Context, command []string) (err error) {
	if len(command) == 0 {
		return errors.New("usage: vaultclients COMMAND [ARGUMENT...]")
	}
	folder, err := os.MkdirTemp("", "vaultclients-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b, err := openTestbed(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	jwt, err := b.issuer.token(podSubject)
	if err != nil {
		return err
	}
	run := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // By whoever started us.
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	run.Env = append(os.Environ(), "VAULT_ADDR="+b.url, "ANN_TOKEN="+b.tokens["ann"], "BOB_TOKEN="+b.tokens["bob"], "POD_JWT="+jwt, "UPSTREAM_URL="+b.upstream)
	return run.Run()
}
