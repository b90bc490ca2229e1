// Command clients plays the conformance script of clients/conformance with a runner: a
// small program in the language of a client, which makes the calls that it is told to by
// the package's public API. The script, what answers, and the judgement are here, once
// for all languages.
//
//	house.go      a gateway behind TLS, the sandbox that it calls, their files
//	script.go     a server that answers what a case says, and notes what it saw
//	cases.go      the form of clients/conformance/*.yaml
//	runner.go     the runner, and the lines between it and this program
//	play.go       one case: faults, commands, what happens meanwhile
//	check.go      what was expected, and what came
//	records.go    the gateway's records of the calls
//	certs.go      authorities and certificates
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	var o options
	var only string
	flag.StringVar(&o.gateway, "gateway", "bin/gateway", "`program` to call")
	flag.StringVar(&o.cases, "cases", "clients/conformance", "`folder` with the cases")
	flag.StringVar(&o.runner, "runner", "", "`program` that makes the calls")
	flag.StringVar(&o.name, "name", "client", "what to call it")
	flag.StringVar(&only, "only", "", "`regexp` of the cases to play")
	flag.BoolVar(&o.verbose, "v", false, "print what the runner was told and what it said")
	flag.DurationVar(&o.limit, "limit", 10*time.Minute, "for all cases together")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(only); err != nil || o.runner == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	failed, err := run(ctx, o)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", o.name, err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	gateway, cases, runner, name string

	only    *regexp.Regexp
	verbose bool
	limit   time.Duration
}

// run plays all cases, and returns how many failed.
func run(ctx context.Context, o options) (failed int, err error) {
	cases, err := readCases(o.cases, o.only)
	if err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "clients-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	house, err := openHouse(ctx, o.gateway, folder)
	if err != nil {
		return 0, err
	}
	defer func() { _ = house.close() }()
	runner, err := startRunner(ctx, o.runner, o.verbose)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for i := range cases {
		problems, err := play(ctx, house, runner, &cases[i])
		if err != nil {
			return failed, fmt.Errorf("%s: %w", cases[i].Name, err)
		}
		if len(problems) > 0 {
			failed++
			fmt.Printf("%s: FAILED: %s\n", o.name, cases[i].Name)
			for _, problem := range problems {
				fmt.Printf("%s:     %s\n", o.name, problem)
			}
		}
	}
	if err := runner.stop(); err != nil {
		return failed, err
	}
	fmt.Printf("%s: %d of %d cases passed, %.1f s\n", o.name, len(cases)-failed, len(cases), time.Since(start).Seconds())
	return failed, nil
}
