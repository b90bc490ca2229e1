// Command vendortests runs the tests of the vendor's SDKs for Go and Python, those of
// the Admin API, twice: against a mock of the vendor's description alone, and against
// the REST door of a gateway in front of the same mock. A test that passes on the mock
// and fails through the gateway is a failure of the gateway.
//
// tools/vendortests.sh installs what it needs. The description and the suites are not
// part of the project.
//
//	main.go         flags, and the order of things
//	description.go  the description as the mock needs it
//	mock.go         the mock: a process of Prism
//	gateway.go      the gateway: a process, and a proxy that exchanges the credential
//	process.go      processes that end with the command
//	suites.go       how a suite is run, and its results read
//	compare.go      what two runs of a suite have to have in common
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// patience bounds every wait for an event that should come at once.
const patience = 60 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vendortests:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context) (err error) {
	openapi := flag.String("openapi", "", "the vendor's OpenAPI description in JSON")
	prism := flag.String("prism", "", "the script that starts Prism")
	python := flag.String("python", "", "a Python with the SDK and pytest; none skips its suite")
	source := flag.String("source", "", "the source distribution of the SDK for Python, unpacked")
	flag.Parse()
	if *openapi == "" || *prism == "" {
		return errors.New("-openapi and -prism are required")
	}
	folder, err := os.MkdirTemp("", "vendortests-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	suites := []suite{goSuite{folder: folder}}
	if *python != "" {
		suites = append(suites, pythonSuite{python: *python, source: *source, folder: folder})
	}
	return run(ctx, folder, *openapi, *prism, suites)
}

// run runs every suite against both places, and says of each test that fails in the
// second alone why.
func run(ctx context.Context, folder, openapi, prism string, suites []suite) (err error) {
	description := filepath.Join(folder, "description.json")
	if err := prepare(openapi, description); err != nil {
		return err
	}
	mock, err := startMock(ctx, prism, description)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mock.stop()) }()
	gateway, err := startGateway(ctx, folder, mock.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()

	var faults []error
	for _, s := range suites {
		alone, err := s.run(ctx, mock.url)
		if err != nil {
			return fmt.Errorf("%s, on the mock alone: %w", s.name(), err)
		}
		before := gateway.calls()
		through, err := s.run(ctx, gateway.url)
		if err != nil {
			return fmt.Errorf("%s, through the gateway: %w", s.name(), err)
		}
		lines, err := report(s.name(), alone, through, gateway.calls()-before)
		faults = append(faults, err)
		for _, line := range lines {
			fmt.Println(line)
		}
	}
	return errors.Join(faults...)
}
