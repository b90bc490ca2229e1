package service

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// call is what the road learns of one call on the way. It belongs to the
// goroutine that serves the call.
type call struct {
	id        string
	start     time.Time
	procedure string
	// part tells that it is one of many that make up one answer.
	part    bool
	traceID string

	// rules are those that were in force when the call came: a reload in the
	// middle of it must not mix two policies.
	rules    *callers.Set
	identity authn.Identity
	handle   *authz.Handle
	decision authz.Decision
	outcome  string // audit.Record.Decision
	reason   string // audit.Record.Reason

	method  *Method    // nil for what is no mirrored RPC
	own     *OwnMethod // nil for what is no RPC of ours
	request protoreflect.Message

	upstreamRequestID string
	cache             cacheOutcome // how a read was answered
	below             below        // the reads that it made
	idempotency       string       // how a write with a key was answered
	// done tells that the upstream has carried out a write.
	done bool
}

type callKey struct{}

func newCall(ctx context.Context, spec connect.Spec) *call {
	c := &call{id: "req_" + rand.Text(), start: time.Now(), procedure: spec.Procedure}
	if info, ok := connect.CallInfoForServerContext(ctx); ok {
		c.traceID = traceID(info.RequestHeader().Get("Traceparent"))
	}
	return c
}

// callOf is the call that ctx belongs to. Every call on the road has one.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		// Reached by nothing but a chain without withCall; it then knows nobody
		// and may nothing.
		return &call{}
	}
	return c
}

// RequestID is the id of the call that ctx belongs to, or "".
func RequestID(ctx context.Context) string { return callOf(ctx).id }

// traceID is that of a W3C traceparent (version-traceid-parent-flags); "" for
// all else.
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(traceparent) > 128 || len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}

// record is the call as the audit log keeps it.
func (c *call) record(event string, code string) *audit.Record {
	r := &audit.Record{
		Time:              c.start,
		Event:             event,
		RequestID:         c.id,
		TraceID:           c.traceID,
		Caller:            c.identity.Caller,
		Authenticated:     c.identity.Method,
		Method:            strings.TrimPrefix(c.procedure, "/"),
		Permission:        c.decision.Permission,
		Decision:          c.outcome,
		Grant:             c.decision.Grant,
		Reason:            c.reason,
		Code:              code,
		UpstreamRequestID: c.upstreamRequestID,
		Cache:             c.cache.String(),
		Calls:             c.below.calls.Load(),
		Refused:           c.below.refused.Load(),
		Idempotency:       c.idempotency,
		Duration:          time.Since(c.start),
	}
	if c.request == nil {
		return r
	}
	r.Projects = c.handle.Projects(c.request)
	if c.own != nil && c.own.fanOut != nil {
		r.Projects = c.own.fanOut.projectsOf(c.request)
	}
	if c.method != nil {
		for _, variable := range c.method.Endpoint.Variables() {
			r.Resources = append(r.Resources, audit.Resource{Name: string(variable.Name()), ID: c.request.Get(variable).String()})
		}
	}
	return r
}
