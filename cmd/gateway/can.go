package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	"github.com/admin-gateway/admin-gateway/internal/nearest"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/explain"
)

// policyFlags are the flags of commands that need a policy.
type policyFlags struct {
	Config string `help:"Path of gateway.yaml." placeholder:"FILE" type:"existingfile"`
}

// load reads config and policy.
func (f policyFlags) load(std streams) (*build.Catalog, *callers.Set, error) {
	_, catalog, set, err := f.open(std)
	return catalog, set, err
}

// open is load, with the config.
func (f policyFlags) open(std streams) (openedConfig, *build.Catalog, *callers.Set, error) {
	conf, err := openConfig(f.Config, std)
	if err != nil {
		return openedConfig{}, nil, nil, err
	}
	conf.unknown.Warn(std.err)
	catalog, set, err := build.Check(conf.Config)
	return conf, catalog, set, conf.places.Locate(err)
}

type canCommand struct {
	policyFlags
	Caller  string `required:"" complete:"caller" placeholder:"NAME" help:"Caller, as the policy names it."`
	RPC     string `required:"" complete:"rpc" placeholder:"SERVICE/METHOD" help:"RPC, such as admingateway.admin.v1.ProjectService/GetProject; the package may be left out where the rest is unambiguous."`
	Request string `placeholder:"JSON" help:"The request as ProtoJSON; without it only the permission is looked at."`

	LeaseRole string `complete:"role" placeholder:"NAME" help:"Role of the lease that the call is about, where the request names a lease or none."`
	LeaseOf   string `complete:"caller" placeholder:"CALLER" help:"Caller that this lease belongs to; without it, the caller itself."`

	Format output.Format `enum:"table,json,yaml" default:"table" help:"table, which is lines for people, json or yaml."`
}

// The exit codes of can, besides 0.
const (
	exitDenied     = 1
	exitNoQuestion = 2
	exitInvalid    = 3
)

// Help says what no flag does.
func (*canCommand) Help() string {
	return "Exit codes: 0 allowed; 1 denied; 2 no answer: the command line, config or policy is faulty; 3 the request is invalid, so that the gateway refuses it before it decides."
}

// Run prints the decision with the rule that made it, and the rules that nearly made
// another one.
func (c *canCommand) Run(std streams) error {
	methods, set, err := c.load(std)
	if err != nil {
		return &exitError{exitNoQuestion, err}
	}
	verdict, err := explain.Answer(methods.Catalog, set, explain.Question{
		Caller: c.Caller, RPC: c.RPC, Request: c.Request, LeaseRole: c.LeaseRole, LeaseOf: c.LeaseOf,
	}, time.Now())
	if err != nil {
		return c.noAnswer(err, set)
	}
	if c.Format == output.Text {
		err = writeVerdict(std.out, verdict)
	} else {
		err = output.Value(std.out, c.Format, newCanAnswer(verdict))
	}
	switch {
	case err != nil:
		return &exitError{exitNoQuestion, err}
	case len(verdict.Invalid) > 0:
		return &exitError{exitInvalid, nil}
	case !verdict.Allowed:
		return &exitError{exitDenied, nil}
	}
	return nil
}

// noAnswer is the error for a question that is faulty.
func (c *canCommand) noAnswer(err error, set *callers.Set) error {
	fault, ok := errors.AsType[*explain.QuestionError](err)
	switch {
	case ok && fault.Invalid:
		return &exitError{exitInvalid, err}
	case ok && fault.Part == explain.PartCaller:
		err = fmt.Errorf("%w%s", err, nearest.Hint(c.Caller, set.Callers()))
	case ok && fault.Part == explain.PartRPC:
		err = fmt.Errorf("%w; gateway catalog lists all of them", err)
	}
	return &exitError{exitNoQuestion, err}
}
