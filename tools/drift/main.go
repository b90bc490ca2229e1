// Drift compares an OpenAPI 3.1 description of the Admin API, in JSON, with the
// protos that mirror it:
//
//	drift -openapi FILE [-allow FILE]
//
// It prints a line for each difference, of four columns with tabs between them:
//
//	operation   GET /organization/users
//	side        openapi or proto, the one that has a thing which the other lacks; both,
//	            where both have it and do not agree
//	path        query.limit, body.name, response.data[].id; "-" for the operation
//	what        the type, enum value, limit or presence
//
// allowed.tsv lists the intended differences with their reasons. The status is 1 when a
// difference is not listed, or when a listed one is gone.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // Registers the descriptors that are compared.
)

// mirrorPackage is the proto package that mirrors the Admin API.
const mirrorPackage = "admingateway.admin.v1"

//go:embed allowed.tsv
var allowed []byte

// errDrift reports that the two sides differ in a way that no exception explains.
var errDrift = errors.New("the descriptions differ")

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "drift:", err)
		os.Exit(1)
	}
}

// run writes differences to out and returns errDrift when there are any, and
// another error when it could not compare.
func run(args []string, out, usage io.Writer) error {
	flags := flag.NewFlagSet("drift", flag.ContinueOnError)
	flags.SetOutput(usage)
	openapiFile := flags.String("openapi", "", "the OpenAPI `file`, in JSON")
	allowFile := flags.String("allow", "", "a `file` of intended differences, in place of the built-in one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *openapiFile == "" || flags.NArg() > 0 {
		flags.Usage()
		return errors.New("-openapi names the description, and there are no other arguments")
	}
	raw, err := os.ReadFile(*openapiFile)
	if err != nil {
		return err
	}
	list := allowed
	if *allowFile != "" {
		if list, err = os.ReadFile(*allowFile); err != nil {
			return err
		}
	}
	return check(out, raw, list, protoregistry.GlobalFiles)
}

// check compares the description with the protos in files.
func check(out io.Writer, description, list []byte, files *protoregistry.Files) error {
	exceptions, err := readExceptions(bytes.NewReader(list))
	if err != nil {
		return err
	}
	openapi, err := readOpenAPI(bytes.NewReader(description))
	if err != nil {
		return err
	}
	protos, err := readProto(files, mirrorPackage)
	if err != nil {
		return err
	}
	left, stale := unexplained(compare(openapi, protos), exceptions)
	for _, d := range left {
		if _, err := fmt.Fprintln(out, d); err != nil {
			return err
		}
	}
	for _, e := range stale {
		if _, err := fmt.Fprintf(out, "allowed.tsv:%d matches nothing: %s\n", e.line, e.text); err != nil {
			return err
		}
	}
	if n := len(left) + len(stale); n > 0 {
		return fmt.Errorf("%w: %d lines", errDrift, n)
	}
	return nil
}
