// Command neighbours measures how much two hostile neighbours take from a third
// caller of a gateway.
//
// It starts a sandbox and a gateway at its default configuration, both on loopback,
// and measures a caller's reads twice for the same time: alone, and beside a caller
// with a grant and a client without a credential, who take all that they can get.
// The hostile ones have a process each, of the lowest priority: they are to take
// what the gateway gives them, and not the processor that the others need.
//
// The exit code is 1 when a target is missed, and 2 when nothing could be measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	shortest = 5 * time.Second
	longest  = 10 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := 0
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "neighbours:", err)
		code = 2
		if errors.Is(err, errMissed) {
			code = 1
		}
	}
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("neighbours", flag.ContinueOnError)
	gateway := flags.String("gateway", "bin/gateway", "the `binary` of the gateway")
	duration := flags.Duration("duration", time.Minute, "how long to measure, alone and beside the hostile neighbours each")
	attack := flags.String("attack", "", "make this attack; the command starts itself so")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("there are no arguments: %q", flags.Arg(0))
	case *duration < shortest || *duration > longest:
		return fmt.Errorf("flag -duration is not between %s and %s", shortest, longest)
	case *attack != "":
		return attackFor(ctx, *attack, in, out)
	default:
		return benchmark(ctx, *gateway, *duration, out)
	}
}
