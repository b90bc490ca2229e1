// Drift compares what the vendor says of the Admin API with the protos that mirror it:
//
//	drift [-openapi FILE] [-sdk VERSION]
//
// The vendor's descriptions are an OpenAPI 3.1 document in JSON, and the source of
// the SDK for Go, which comes from the registry: at the version that tools/sdk-go
// pins ("pinned"), at another one, or at the newest one ("latest").
//
// It prints a line for each difference, of four columns with tabs between them:
//
//	operation   GET /organization/users
//	side        openapi, sdk or proto, the one that has a thing which the other lacks;
//	            both, where both have it and do not agree
//	path        query.limit, body.name, response.data[].id; "-" for the operation
//	what        the type, enum value, limit or presence
//
// allowed.tsv and allowed-sdk.tsv list the intended differences with their reasons. The
// status is 1 when a difference is not listed, or when a listed one is gone. The newest SDK
// is another matter: whatever it has beyond the protos is reported, and is no failure.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // Registers the descriptors that are compared.
)

// mirrorPackage is the proto package that mirrors the Admin API.
const mirrorPackage = "admingateway.admin.v1"

// The lists of intended differences.
var (
	//go:embed allowed.tsv
	allowed []byte
	//go:embed allowed-sdk.tsv
	allowedSDK []byte
)

// errDrift reports that the two sides differ in a way that no exception explains.
var errDrift = errors.New("the descriptions differ")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "drift:", err)
		os.Exit(1)
	}
}

// run writes differences to out and returns errDrift when there are any, and
// another error when it could not compare.
func run(ctx context.Context, args []string, out, usage io.Writer) error {
	flags := flag.NewFlagSet("drift", flag.ContinueOnError)
	flags.SetOutput(usage)
	openapiFile := flags.String("openapi", "", "an OpenAPI `file`, in JSON")
	version := flags.String("sdk", "", "a `version` of the SDK for Go: pinned, latest, or v3.N.N")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *openapiFile == "" && *version == "" || flags.NArg() > 0 {
		flags.Usage()
		return errors.New("-openapi or -sdk names a description, and there are no other arguments")
	}
	var failed error
	if *openapiFile != "" {
		description, err := os.ReadFile(*openapiFile)
		if err != nil {
			return err
		}
		failed = checkOpenAPI(out, description, allowed, protoregistry.GlobalFiles)
	}
	if *version == "" {
		return failed
	}
	sdk, err := fetchSDK(ctx, *version)
	if err != nil {
		return errors.Join(failed, err)
	}
	if _, err := fmt.Fprintf(out, "%s %s\n", sdkModule, sdk.Version); err != nil {
		return err
	}
	if *version == "latest" {
		return errors.Join(failed, reportSDK(out, sdk.Dir, allowedSDK, protoregistry.GlobalFiles))
	}
	return errors.Join(failed, checkSDK(out, sdk.Dir, allowedSDK, protoregistry.GlobalFiles))
}

// checkOpenAPI compares the description with the protos in files.
func checkOpenAPI(out io.Writer, description, list []byte, files *protoregistry.Files) error {
	operations, err := readOpenAPI(bytes.NewReader(description))
	if err != nil {
		return err
	}
	return check(out, vendor{side: onlyOpenAPI, operations: operations}, list, files)
}

// checkSDK compares the SDK in the folder with the protos in files.
func checkSDK(out io.Writer, folder string, list []byte, files *protoregistry.Files) error {
	operations, err := readSDK(folder)
	if err != nil {
		return err
	}
	return check(out, vendor{side: onlySDK, operations: operations, names: true}, list, files)
}

// reportSDK writes what the SDK in the folder has beyond the protos, which is no
// error.
func reportSDK(out io.Writer, folder string, list []byte, files *protoregistry.Files) error {
	operations, err := readSDK(folder)
	if err != nil {
		return err
	}
	left, _, err := differences(vendor{side: onlySDK, operations: operations, names: true}, list, files)
	if err != nil {
		return err
	}
	n := 0
	for _, d := range left {
		if d.side == onlyProto {
			continue
		}
		n++
		if _, err := fmt.Fprintln(out, d); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%d lines: what it has beyond the protos\n", n)
	return err
}

// check writes the differences that the list does not explain, and the lines of the list
// that explain nothing. Either is an error.
func check(out io.Writer, v vendor, list []byte, files *protoregistry.Files) error {
	left, stale, err := differences(v, list, files)
	if err != nil {
		return err
	}
	for _, d := range left {
		if _, err := fmt.Fprintln(out, d); err != nil {
			return err
		}
	}
	for _, e := range stale {
		if _, err := fmt.Fprintf(out, "line %d of the list of the %s matches nothing: %s\n", e.line, v.side, e.text); err != nil {
			return err
		}
	}
	if n := len(left) + len(stale); n > 0 {
		return fmt.Errorf("%w: %d lines against the %s", errDrift, n, v.side)
	}
	return nil
}

// differences returns those that the list does not explain, and the lines of the list
// that explain nothing.
func differences(v vendor, list []byte, files *protoregistry.Files) ([]difference, []*exception, error) {
	exceptions, err := readExceptions(bytes.NewReader(list))
	if err != nil {
		return nil, nil, err
	}
	protos, err := readProto(files, mirrorPackage)
	if err != nil {
		return nil, nil, err
	}
	left, stale := unexplained(compare(v, protos), exceptions)
	return left, stale, nil
}
