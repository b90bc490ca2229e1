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
	if len(command) == 0 {
		return errors.New("usage: sdk-go COMMAND [ARGUMENT...]")
	}
	folder, err := os.MkdirTemp("", "sdk-go-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	operations, err := filepath.Abs("operations.txt")
	if err != nil {
		return err
	}
	binary, err := buildGateway(ctx, folder)
	if err != nil {
		return err
	}
	h, err := openTestbed(ctx, binary, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	for name, value := range map[string]string{
		"DIRECT_URL": h.direct.url, "DIRECT_KEY": h.direct.key, "GATEWAY_URL": h.gateway.url, "GATEWAY_TOKEN": h.gateway.key,
		"READER_TOKEN": h.reader.key, "UPSTREAM_URL": h.behindURL, "CERTIFICATE": strings.TrimSpace(h.pem),
		"OPERATIONS": operations,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return run(ctx, command[0], command[1:]...)
}
