// Package explain decides on a call that somebody asks about, and says why, in a line.
// It decides as the gateway does, with the same policy. Command can and the PolicyService
// use it.
package explain

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// Question is whether a caller may make a call. Its fields are the flags of the command,
// and errors name them so.
type Question struct {
	// Caller is a caller of the policy, RPC a name that [catalog.Catalog.Find] finds.
	Caller, RPC string
	// Request is the request as ProtoJSON; "" asks about the permission alone.
	Request string
	// LeaseRole and LeaseOf are the role and the caller of the lease that the call is
	// about, where the request does not say them. LeaseOf "" is the caller.
	LeaseRole, LeaseOf string
}

// Answer decides, and describes the decision. It fails where the question is faulty.
func Answer(methods *catalog.Catalog, set *callers.Set, q Question, now time.Time) (text string, allowed bool, err error) {
	method, err := methods.Find(q.RPC)
	if err != nil {
		return "", false, fmt.Errorf("flag --rpc: %w; gateway catalog lists all of them", err)
	}
	if set.Limiter(q.Caller) == nil {
		return "", false, fmt.Errorf("flag --caller: the policy has no caller %q", q.Caller)
	}
	lease, err := q.lease(method, set)
	if err != nil {
		return "", false, err
	}
	if q.Request == "" {
		d := set.Policy.MayCall(q.Caller, method.Access())
		return verdict(d, true), d.Allowed, nil
	}
	request, err := q.request(method)
	if err != nil {
		return "", false, err
	}
	d := set.Policy.Decide(q.Caller, method.Access(), request, now)
	if d.EachLease && lease != nil {
		d = set.Policy.DecideLease(q.Caller, method.Access(), request, *lease, now)
	}
	return verdict(d, false), d.Allowed, nil
}

// request reads the request as a caller would have sent it.
func (q *Question) request(method *catalog.Method) (protoreflect.Message, error) {
	request := method.Request.New()
	if err := protojson.Unmarshal([]byte(q.Request), request.Interface()); err != nil {
		return nil, fmt.Errorf("flag --request: %w", err)
	}
	if fault := method.CheckTexts(request); fault != nil {
		return nil, fmt.Errorf("flag --request: %s: %s, so the gateway refuses it before a decision", fault.Path, fault.Reason)
	}
	method.ClearUnsent(request)
	return request, nil
}

// lease is the lease that the question is about; nil for none.
func (q *Question) lease(method *catalog.Method, set *callers.Set) (*authz.Lease, error) {
	if q.LeaseRole == "" {
		if q.LeaseOf != "" {
			return nil, errors.New("flag --lease-of: say the role of the lease too, with --lease-role")
		}
		return nil, nil
	}
	role, ok := set.Roles().Lookup(q.LeaseRole)
	switch {
	case !method.Access().Leases():
		return nil, fmt.Errorf("flag --lease-role: %s is not about leases", method.ShortName())
	case q.Request == "":
		return nil, errors.New("flag --lease-role: a lease is decided on with a request (--request)")
	case !ok:
		return nil, fmt.Errorf("flag --lease-role: the policy has no role %q", q.LeaseRole)
	}
	lease := &authz.Lease{Role: role.Name, Project: role.Project, Caller: q.LeaseOf}
	if lease.Caller == "" {
		lease.Caller = q.Caller
	}
	return lease, nil
}

// verdict describes a decision in one line.
func verdict(d authz.Decision, withoutRequest bool) string {
	switch {
	case d.Allowed && withoutRequest:
		return "allow: the permission " + d.Permission + " is granted; projects and conditions depend on the request (--request)"
	case d.Allowed && d.EachLease:
		return "allow: the permission " + d.Permission + " is granted; each lease is decided on by its role and by whose it is (--lease-role, --lease-of)"
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
	if d.Role != "" {
		text += fmt.Sprintf(", role %q", d.Role)
	}
	return text
}
