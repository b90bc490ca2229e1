// Command bench measures the gateway side by side with what a user would pick instead of
// it: nginx, Varnish, and servers made of the same libraries. It starts everything itself,
// on loopback, and ends it in every case.
//
// The server under test has the first processor to itself. The servers of a row are loaded
// in turn, round after round, and compared within each round.
//
// The exit code is 2 when nothing could be measured. A missed target is part of the
// result, and no failure of the command.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/admin-gateway/admin-gateway/tools/bench/floor"
	"github.com/admin-gateway/admin-gateway/tools/bench/plainloop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	binary := flags.String("gateway", "bin/gateway", "the `binary` of the gateway")
	quick := flags.Bool("quick", false, "measure the doors only, in two minutes")
	only := flags.String("only", "", "measure these `rows`: ids such as fast-100, or fast for all of a door")
	result := flags.String("result", "", "write the result as JSON into this `file`")
	page := flags.String("page", "", "write the result as a page into this `file`, and its plots into a folder beside it")
	from := flags.String("from", "", "measure nothing, and take the result from this `file`")
	kind := flags.String("floor", "", "serve this floor; the command starts itself so")
	var o floor.Options
	flags.StringVar(&o.Answer, "answer", "", "file with the answer of the floor")
	flags.StringVar(&o.TokenHash, "token-hash", "", "hash of the floor's caller")
	flags.StringVar(&o.Record, "record", "", "file for the floor's records")
	flags.StringVar(&o.Redis, "redis", "", "address of the floor's Redis")
	loop := flags.String("loop", "", "read the inventory below this `URL`; the command starts itself so")
	key := flags.String("key", "", "admin key of the loop")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("there are no arguments: %q", flags.Arg(0))
	}
	switch {
	case *kind != "":
		return floor.Serve(ctx, *kind, o, out)
	case *loop != "":
		r, err := plainloop.Run(ctx, *loop, *key)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "reads=%d items=%d spent=%d took=%d\n", r.Reads, r.Items, r.Spent.Microseconds(), r.Took.Microseconds())
		return err
	}
	b := bench{binary: *binary, quick: *quick, only: strings.Fields(*only), result: *result, page: *page, from: *from}
	return b.run(ctx, out, progress)
}
