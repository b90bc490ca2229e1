// Command sdk-go runs a command beside a testbed: the Admin API as it is, and the
// same behind a gateway. The command finds both in its environment:
//
//	DIRECT_URL   DIRECT_KEY      the API, and its admin key
//	GATEWAY_URL  GATEWAY_TOKEN   the gateway, and the token of a caller that may do everything
//	READER_TOKEN                 the token of a caller that may read
//	UPSTREAM_URL                 the gateway's upstream: /_sandbox has its controls
//	CERTIFICATE                  one that the API accepts
//	OPERATIONS                   the path of operations.txt
//
// The tests of this module do the same with the vendor's SDK for Go.
//
// With -leases, the testbed is a gateway that leases keys, in front of an upstream whose
// clock runs, and the command finds:
//
//	GATEWAY                      the program
//	ADMIN_GATEWAY_ADDRESS, ADMIN_GATEWAY_TOKEN   as gateway lease takes them
//	UPSTREAM_URL                 the gateway's upstream: /v1 takes leased keys
//
// Its roles are lasting, whose leases can be renewed for an hour, and brief, whose leases
// end after some seconds.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := beside(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sdk-go:", err)
		os.Exit(1)
	}
}

// beside runs a command in an environment that names the testbed.
func beside(ctx context.Context, command []string) (err error) {
	leases := len(command) > 0 && command[0] == "-leases"
	if leases {
		command = command[1:]
	}
	if len(command) == 0 {
		return errors.New("usage: sdk-go [-leases] COMMAND [ARGUMENT...]")
	}
	folder, err := os.MkdirTemp("", "sdk-go-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	binary, err := buildGateway(ctx, folder)
	if err != nil {
		return err
	}
	open := openTestbed
	if leases {
		open = openLeasebed
	}
	h, err := open(ctx, binary, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	variables := h.leaseVariables(binary)
	if !leases {
		if variables, err = h.variables(); err != nil {
			return err
		}
	}
	for name, value := range variables {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return run(ctx, command[0], command[1:]...)
}

// variables are those of the testbed.
func (b *testbed) variables() (map[string]string, error) {
	operations, err := filepath.Abs("operations.txt")
	return map[string]string{
		"DIRECT_URL": b.direct.url, "DIRECT_KEY": b.direct.key, "GATEWAY_URL": b.gateway.url, "GATEWAY_TOKEN": b.gateway.key,
		"READER_TOKEN": b.reader.key, "UPSTREAM_URL": b.behindURL, "CERTIFICATE": strings.TrimSpace(b.pem),
		"OPERATIONS": operations,
	}, err
}
