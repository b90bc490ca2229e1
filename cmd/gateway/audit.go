package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

type auditCommand struct {
	Find   auditFindCommand   `cmd:"" default:"withargs" help:"Say why a call was refused, or slow, and who cannot log in: from the last records of all replicas, or from a file. Exit code 1 when nothing is found."`
	HMAC   hmacCommand        `cmd:"" name:"hmac" help:"Print the fingerprint that the record of a request has, to confirm a request that is suspected."`
	Schema auditSchemaCommand `cmd:"" help:"Print the JSON Schema of a line of the audit log."`
}

type hmacCommand struct {
	policyFlags
	RPC     string `required:"" complete:"rpc" placeholder:"SERVICE/METHOD" help:"RPC, such as admingateway.admin.v1.ProjectService/GetProject; the package may be left out where the rest is unambiguous."`
	Request string `required:"" placeholder:"JSON" help:"The request as ProtoJSON."`
}

var errNoKey = errors.New("config key audit.hmac_key is not set, so records have no fingerprints")

// Run prints the fingerprint.
func (c *hmacCommand) Run(ctx context.Context, std streams) error {
	conf, err := openConfig(c.Config, std)
	if err != nil {
		return err
	}
	conf.unknown.Warn(std.err)
	if conf.Audit.HMACKey.Env == "" && conf.Audit.HMACKey.File == "" {
		return errNoKey
	}
	key, err := build.FingerprintKey(ctx, conf.Audit, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	methods, err := build.LoadCatalog(conf.Upstream)
	if err != nil {
		return err
	}
	method, err := methods.Find(c.RPC)
	if err != nil {
		return fmt.Errorf("flag --rpc: %w; gateway catalog lists all of them", err)
	}
	request := method.Request.New()
	if err := protojson.Unmarshal([]byte(c.Request), request.Interface()); err != nil {
		return fmt.Errorf("flag --request: %w", err)
	}
	method.ClearUnsent(request)
	fingerprint, err := key.Fingerprint(method.Procedure, request)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, fingerprint)
	return err
}

type auditSchemaCommand struct{}

// Run prints the schema.
func (*auditSchemaCommand) Run(std streams) error {
	_, err := std.out.Write(audit.Schema())
	return err
}
