// Package explain decides on a call that somebody asks about, and says why, in a line.
// It decides as the gateway does, with the same policy. Command can and the PolicyService
// use it.
package explain

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// Question is whether a caller may make a call.
type Question struct {
	// Caller is a caller of the policy, RPC a name that [catalog.Catalog.Find] finds.
	Caller, RPC string
	// Request is the request as ProtoJSON; "" asks about the permission alone.
	Request string
	// LeaseRole and LeaseOf are the role and the caller of the lease that the call is
	// about, where the request does not say them. LeaseOf "" is the caller.
	LeaseRole, LeaseOf string
}

// Part is a part of a [Question].
type Part string

// The parts of a question.
const (
	PartCaller    Part = "caller"
	PartRPC       Part = "rpc"
	PartRequest   Part = "request"
	PartLeaseRole Part = "lease-role"
	PartLeaseOf   Part = "lease-of"
)

// QuestionError says what is wrong with a question.
type QuestionError struct {
	// Part is the part that is at fault.
	Part Part
	// Reason says what is wrong with it. It quotes the question.
	Reason string
	// Invalid says that the question can be understood, and that the gateway refuses such a
	// request before it decides.
	Invalid bool
}

// Error names the part by the flag of command can.
func (e *QuestionError) Error() string { return "flag --" + string(e.Part) + ": " + e.Reason }

func faultf(part Part, format string, args ...any) error {
	return &QuestionError{Part: part, Reason: fmt.Sprintf(format, args...)}
}

// Verdict is the answer to a question.
type Verdict struct {
	authz.Decision
	// WithoutRequest says that the permission alone was decided on.
	WithoutRequest bool
	// Near are the rules that came near to another decision, at most ten; none where the
	// call is allowed. [Why] says what each of them lacks.
	Near []authz.Near
	// Invalid are the rules that the request does not meet, at most six. The gateway
	// refuses it for them before it decides: the decision is about one that is mended.
	Invalid []string
}

// mostNear bounds them.
const mostNear = 10

// Answer decides as the gateway would at a moment. It fails with a [*QuestionError] where the
// question is faulty.
func Answer(methods *catalog.Catalog, set *callers.Set, q Question, now time.Time) (Verdict, error) {
	method, err := methods.Find(q.RPC)
	if err != nil {
		return Verdict{}, faultf(PartRPC, "%v", err)
	}
	if !set.Has(q.Caller) {
		return Verdict{}, faultf(PartCaller, "the policy has no caller %q", q.Caller)
	}
	lease, err := q.lease(method, set)
	if err != nil {
		return Verdict{}, err
	}
	verdict := func(request protoreflect.Message, d authz.Decision, lease *authz.Lease) Verdict {
		near := set.Policy.Near(d, q.Caller, method.Access(), request, lease, now, mostNear)
		return Verdict{Decision: d, WithoutRequest: request == nil, Near: near}
	}
	if q.Request == "" {
		return verdict(nil, set.Policy.MayCall(q.Caller, method.Access()), nil), nil
	}
	request, invalid, err := q.request(method)
	if err != nil {
		return Verdict{}, err
	}
	d := set.Policy.Decide(q.Caller, method.Access(), request, now)
	if d.EachLease && lease != nil {
		d = set.Policy.DecideLease(q.Caller, method.Access(), request, *lease, now)
	} else {
		lease = nil
	}
	v := verdict(request, d, lease)
	v.Invalid = invalid
	return v, nil
}

// request reads the request as a caller would have sent it, and lists the rules that it
// does not meet.
func (q *Question) request(method *catalog.Method) (request protoreflect.Message, invalid []string, err error) {
	request = method.Request.New()
	if err := protojson.Unmarshal([]byte(q.Request), request.Interface()); err != nil {
		return nil, nil, faultf(PartRequest, "%v", err)
	}
	if invalid, err = violations(request); err != nil {
		return nil, nil, fmt.Errorf("check %s: %w", method.ShortName(), err)
	}
	if fault := method.CheckTexts(request); fault != nil {
		return nil, nil, &QuestionError{PartRequest, fmt.Sprintf("%s: %s, so the gateway refuses it before a decision", fault.Path, fault.Reason), true}
	}
	method.ClearUnsent(request)
	return request, invalid, nil
}

// lease is the lease that the question is about; nil for none.
func (q *Question) lease(method *catalog.Method, set *callers.Set) (*authz.Lease, error) {
	if q.LeaseRole == "" {
		if q.LeaseOf != "" {
			return nil, faultf(PartLeaseOf, "say the role of the lease too, with --lease-role")
		}
		return nil, nil
	}
	role, ok := set.Roles().Lookup(q.LeaseRole)
	switch {
	case !method.Access().Leases():
		return nil, faultf(PartLeaseRole, "%s is not about leases", method.ShortName())
	case q.Request == "":
		return nil, faultf(PartLeaseRole, "a lease is decided on with a request (--request)")
	case !ok:
		return nil, faultf(PartLeaseRole, "the policy has no role %q", q.LeaseRole)
	}
	lease := &authz.Lease{Role: role.Name, Project: role.Project, Caller: q.LeaseOf}
	if lease.Caller == "" {
		lease.Caller = q.Caller
	}
	return lease, nil
}

// Conditional says that more decides on a call than the question had.
func (d Verdict) Conditional() bool { return d.Allowed && (d.WithoutRequest || d.EachLease) }

// Missing are the parts of the question that would have decided more; none where all was
// there.
func (d Verdict) Missing() []Part {
	switch {
	case !d.Conditional():
		return nil
	case d.WithoutRequest:
		return []Part{PartRequest}
	default:
		return []Part{PartLeaseRole, PartLeaseOf}
	}
}

// String describes the verdict in one line.
func (d Verdict) String() string {
	text := d.Decided()
	if len(d.Invalid) > 0 {
		text += "; but the request is invalid: " + strings.Join(d.Invalid, "; ")
	}
	return text
}

// Decided describes the decision alone.
func (d Verdict) Decided() string {
	switch {
	case d.Allowed && d.WithoutRequest:
		return "allow: the permission " + d.Permission + " is granted; projects and conditions depend on the request"
	case d.Allowed && d.EachLease:
		return "allow: the permission " + d.Permission + " is granted; each lease is decided on by its role and by whose it is"
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
