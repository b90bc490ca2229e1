// Conformance runs the conformance suite of connectrpc.com against the gateway's doors,
// and against the library alone, as the reference for the doors:
//
//	conformance -runner PROGRAM -protos FOLDER
//
// The runner is connectrpc.com/conformance/cmd/connectconformance; the folder has the
// .proto files of the same module. It prints a line for each server. The status is 1
// when a door fails a case that the library alone passes.
//
// With -serve NAME the program is one of the servers: the runner starts it, describes
// the server that it wants on standard input, and reads the server's address from
// standard output.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, usage io.Writer) (err error) {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(usage)
	protos := flags.String("protos", "", "the `folder` of the suite's .proto files")
	runner := flags.String("runner", "", "the suite's `program`")
	name := flags.String("serve", "", "be the `server` under test: bare, port or fast")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *protos == "" || (*runner == "") == (*name == "") || flags.NArg() > 0 {
		flags.Usage()
		return errors.New("-protos goes with -runner or with -serve, and there are no other arguments")
	}
	if *name != "" {
		start, ok := starters[*name]
		if !ok {
			return fmt.Errorf("flag -serve: there is no server %q", *name)
		}
		s, err := load(ctx, *protos)
		if err != nil {
			return err
		}
		// A runner that is gone reads no error.
		ctx, cancel := context.WithTimeout(ctx, longestRun)
		defer cancel()
		return serve(ctx, s, start, in, out)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	return suiteRun{runner: *runner, protos: *protos, self: self, folder: folder}.run(ctx, out)
}
