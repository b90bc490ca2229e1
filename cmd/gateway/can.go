package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// policyFlags are the flags of commands that need a policy.
type policyFlags struct {
	Config string `help:"Path of gateway.yaml." placeholder:"FILE" type:"existingfile"`
}

func (f policyFlags) load(std streams) (*build.Catalog, *callers.Set, error) {
	conf, unknown, err := openConfig(f.Config, std)
	if err != nil {
		return nil, nil, err
	}
	unknown.Warn(std.err)
	return build.Check(conf)
}

type canCommand struct {
	policyFlags
	Caller  string `required:"" placeholder:"NAME" help:"Caller, as the policy names it."`
	RPC     string `required:"" placeholder:"SERVICE/METHOD" help:"RPC, such as admingateway.admin.v1.ProjectService/GetProject; the package may be left out where the rest is unambiguous."`
	Request string `placeholder:"JSON" help:"The request as ProtoJSON; without it only the permission is looked at."`
}

// errDenied makes the exit code 1 when the caller may not make the call.
var errDenied = errors.New("denied")

// Run prints the decision, with the grant that allowed it or the reason of a denial.
func (c *canCommand) Run(_ context.Context, std streams) error {
	methods, set, err := c.load(std)
	if err != nil {
		return err
	}
	method, err := methods.Find(c.RPC)
	if err != nil {
		return fmt.Errorf("flag --rpc: %w; gateway catalog lists all of them", err)
	}
	if set.Limiter(c.Caller) == nil {
		return fmt.Errorf("flag --caller: the policy has no caller %q", c.Caller)
	}
	var d authz.Decision
	if c.Request == "" {
		d = set.Policy.MayCall(c.Caller, method.Access())
	} else {
		request := method.Request.New()
		if err := protojson.Unmarshal([]byte(c.Request), request.Interface()); err != nil {
			return fmt.Errorf("flag --request: %w", err)
		}
		if fault := method.CheckTexts(request); fault != nil {
			return fmt.Errorf("flag --request: %s: %s, so the gateway refuses it before a decision", fault.Path, fault.Reason)
		}
		method.ClearUnsent(request)
		d = set.Policy.Decide(c.Caller, method.Access(), request, time.Now())
	}
	if _, err := fmt.Fprintln(std.out, verdict(d, c.Request == "")); err != nil {
		return err
	}
	if !d.Allowed {
		return errDenied
	}
	return nil
}

// verdict describes a decision in one line.
func verdict(d authz.Decision, withoutRequest bool) string {
	switch {
	case d.Allowed && withoutRequest:
		return "allow: the permission " + d.Permission + " is granted; projects and conditions depend on the request (--request)"
	case d.Allowed:
		return "allow: " + d.Permission + " by " + d.Grant
	}
	text := "deny: " + d.Permission + ": " + strings.ReplaceAll(d.Reason.String(), "_", " ")
	if d.Grant != "" {
		text += ", by " + d.Grant
	}
	if d.Project != "" {
		text += fmt.Sprintf(", project %q", d.Project)
	}
	return text
}
