package admission

import (
	"context"
	"log/slog"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Authorize validates a request and decides with the whole of it. It makes every
// [Permit] that there is. The caller is that of ctx: of the call itself, or of a
// context that [Controller.Part] made for a part of the call.
func (c *Controller) Authorize(ctx context.Context, m *catalog.Method, request protoreflect.Message) (Permit, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := p.rulesNow()
	if err != nil {
		return nil, err
	}
	account := &accounting.From(ctx).Admission
	if err := c.validate(m, request); err != nil {
		return nil, err
	}
	account.Method, account.Request = m, request
	if err := c.consent(ctx, p, rules, m, request); err != nil {
		return nil, err
	}
	_, span := c.tracer.Stage(ctx, observe.StageAuthorize)
	account.Decision = rules.Policy.Decide(p.identity.Caller, m.Access(), request, time.Now())
	span.End(nil)
	if !account.Decision.Allowed {
		account.Verdict = audit.DecisionDenied
		return nil, c.denied(account)
	}
	if err := c.refuseLeased(ctx, p, rules, m, request); err != nil {
		return nil, err
	}
	account.Verdict = audit.DecisionAllowed
	made := &permit{method: m, request: request, caller: p.identity.Caller, part: p.part}
	asked := freshnessOf(ctx)
	made.freshness.Stored = asked.Stored
	if asked.Limited && m.Refresh() != nil {
		made.freshness = asked
		made.freshness.Ignored = !rules.Policy.Decide(p.identity.Caller, m.Refresh(), request, time.Now()).Allowed
	}
	return made, nil
}

// validate refuses a request that breaks a rule of its schema, or has a text that is
// none of its kind, and clears what is not sent.
func (c *Controller) validate(m *catalog.Method, request protoreflect.Message) error {
	if err := refuseUnknown(request); err != nil {
		return err
	}
	if err := c.validator.Validate(request.Interface()); err != nil {
		return err
	}
	if fault := m.CheckTexts(request); fault != nil {
		return rpcerror.InvalidField(fault.Path, fault.Reason, nil)
	}
	m.ClearUnsent(request)
	return nil
}

// rulesNow are those that decide on a request. It fails when the credential of a part's
// call has been taken away.
func (p *principal) rulesNow() (*callers.Set, error) {
	if !p.part {
		return p.rules, nil
	}
	rules := p.tenure.controller.callers.Current()
	return rules, p.tenure.check(rules)
}

// MayCall refuses when the caller of ctx may not call m with any request. The
// refusal is that of the call of ctx.
func (c *Controller) MayCall(ctx context.Context, m *catalog.Method) error {
	p, err := principalOf(ctx)
	if err != nil {
		return err
	}
	rules, err := p.rulesNow()
	if err != nil {
		return err
	}
	return c.refuse(ctx, rules.Policy.MayCall(p.identity.Caller, m.Access()))
}

// Check refuses when the caller of ctx may not call m with the request. It makes no
// Permit; it is for a call that would fail later. The refusal is that of the call of
// ctx.
func (c *Controller) Check(ctx context.Context, m *catalog.Method, request protoreflect.Message) error {
	p, err := principalOf(ctx)
	if err != nil {
		return err
	}
	rules, err := p.rulesNow()
	if err != nil {
		return err
	}
	return c.refuse(ctx, rules.Policy.Decide(p.identity.Caller, m.Access(), request, time.Now()))
}

func (c *Controller) refuse(ctx context.Context, d authz.Decision) error {
	if d.Allowed {
		return nil
	}
	account := &accounting.From(ctx).Admission
	account.Decision, account.Verdict = d, audit.DecisionDenied
	return c.denied(account)
}

// Projects are the projects to which the policy limits the calls of m by the caller
// of ctx; limited is false where it does not.
func (c *Controller) Projects(ctx context.Context, m *catalog.Method) (ids []string, limited bool, err error) {
	p, err := principalOf(ctx)
	if err != nil {
		return nil, false, err
	}
	rules, err := p.rulesNow()
	if err != nil {
		return nil, false, err
	}
	ids, limited = rules.Policy.Projects(p.identity.Caller, m.Access())
	return ids, limited, nil
}

// Access is how far the policy lets the caller of ctx get with m: not at all, to some
// projects, or further than projects say. It decides nothing: conditions, and denies
// that have one, are for the request.
func (c *Controller) Access(ctx context.Context, m *catalog.Method) (may bool, projects []string, limited bool, err error) {
	p, err := principalOf(ctx)
	if err != nil {
		return false, nil, false, err
	}
	rules, err := p.rulesNow()
	if err != nil {
		return false, nil, false, err
	}
	if !rules.Policy.MayCall(p.identity.Caller, m.Access()).Allowed {
		return false, nil, true, nil
	}
	projects, limited = rules.Policy.Projects(p.identity.Caller, m.Access())
	return true, projects, limited, nil
}

// denied is the error for the caller. It names the missing permission and
// which of its own projects is missing, and nothing of the policy or of other
// callers.
func (c *Controller) denied(account *accounting.Admission) error {
	d := account.Decision
	account.Reason = d.Reason.String()
	c.metrics.denied.WithLabelValues(d.Reason.String()).Inc()
	metadata := map[string]string{"permission": d.Permission}
	message := "the caller lacks the permission " + d.Permission
	switch d.Reason {
	case authz.ProjectOutOfScope:
		message += " in the project " + d.Project // An id that the caller named, so it is short.
		metadata["project"] = d.Project
	case authz.ProjectMissing:
		message += " beyond some projects, and the request names none"
	case authz.OrganizationWide:
		if account.Method != nil && account.Method.Project != "" {
			message += " beyond some projects, and this request reaches beyond them: docs/authorization.md says which values do"
			break
		}
		message += " beyond some projects, and this method is about the whole organization"
	case authz.RoleOutOfScope:
		message += " for the roles of leases"
		if d.Role != "" {
			message = "the caller lacks the permission " + d.Permission + " for the role " + d.Role // The caller named it, so it is short.
			metadata["role"] = d.Role
		}
	case authz.NotOwner:
		message += " for leases of other callers"
	case authz.ConditionFalse, authz.ConditionFailed:
		message = "the caller has the permission " + d.Permission + " under a condition that this request does not meet"
	case authz.Granted, authz.UnknownCaller, authz.NoPermission, authz.Denied:
	}
	return &rpcerror.Error{
		Code: connect.CodePermissionDenied, Reason: rpcerror.ReasonPermissionDenied, Message: message, Metadata: metadata,
		Cause: &denial{d},
	}
}

// denial is the cause of a refusal, for the log.
type denial struct{ authz.Decision }

func (d *denial) Error() string {
	return "denied: " + d.Reason.String()
}

// LogValue implements [slog.LogValuer].
func (d *denial) LogValue() slog.Value {
	return slog.GroupValue(slog.String("reason", d.Reason.String()), slog.String("grant", d.Grant))
}
