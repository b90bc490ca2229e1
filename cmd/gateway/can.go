package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/explain"
)

// policyFlags are the flags of commands that need a policy.
type policyFlags struct {
	Config string `help:"Path of gateway.yaml." placeholder:"FILE" type:"existingfile"`
}

func (f policyFlags) load(std streams) (*build.Catalog, *callers.Set, error) {
	conf, err := openConfig(f.Config, std)
	if err != nil {
		return nil, nil, err
	}
	conf.unknown.Warn(std.err)
	catalog, set, err := build.Check(conf.Config)
	return catalog, set, conf.places.Locate(err)
}

type canCommand struct {
	policyFlags
	Caller  string `required:"" complete:"caller" placeholder:"NAME" help:"Caller, as the policy names it."`
	RPC     string `required:"" complete:"rpc" placeholder:"SERVICE/METHOD" help:"RPC, such as admingateway.admin.v1.ProjectService/GetProject; the package may be left out where the rest is unambiguous."`
	Request string `placeholder:"JSON" help:"The request as ProtoJSON; without it only the permission is looked at."`

	LeaseRole string `complete:"role" placeholder:"NAME" help:"Role of the lease that the call is about, where the request names a lease or none."`
	LeaseOf   string `complete:"caller" placeholder:"CALLER" help:"Caller that this lease belongs to; without it, the caller itself."`
}

// errDenied makes the exit code 1 when the caller may not make the call.
var errDenied = errors.New("denied")

// Run prints the decision, with the grant that allowed it or the reason of a denial.
func (c *canCommand) Run(_ context.Context, std streams) error {
	methods, set, err := c.load(std)
	if err != nil {
		return err
	}
	verdict, err := explain.Answer(methods.Catalog, set, explain.Question{
		Caller: c.Caller, RPC: c.RPC, Request: c.Request, LeaseRole: c.LeaseRole, LeaseOf: c.LeaseOf,
	}, time.Now())
	if err != nil {
		return err
	}
	line := verdict.String()
	for i, part := range verdict.Missing() {
		line += [...]string{" (--", ", --"}[min(i, 1)] + string(part)
	}
	if verdict.Conditional() {
		line += ")"
	}
	if _, err := fmt.Fprintln(std.out, line); err != nil {
		return err
	}
	if !verdict.Allowed {
		return errDenied
	}
	return nil
}
