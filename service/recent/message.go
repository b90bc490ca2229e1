package recent

import (
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// Message is a record as a message.
func Message(r *audit.Record) *controlv1.AuditRecord {
	m := &controlv1.AuditRecord{
		Time: timestamppb.New(r.Time), Event: r.Event, RequestId: r.RequestID, TraceId: r.TraceID,
		Caller: r.Caller, AuthenticatedBy: r.Authenticated, Credential: r.Credential, Presented: r.Presented,
		Peer: r.Peer, ForwardedFor: r.ForwardedFor, Door: r.Door,
		Agent: r.Agent, Within: r.Within, Lease: r.Lease, LeaseRole: r.Role, LeaseHolder: r.Holder, LeaseCause: r.Cause,
		Method: r.Method, Write: r.Write, Permission: r.Permission, Projects: r.Projects,
		Decision: r.Decision, Grant: r.Grant, Reason: r.Reason, DeniedProject: r.DeniedProject, DeniedRole: r.DeniedRole,
		Code: r.Code, Error: r.Error, UpstreamRequestId: r.UpstreamRequestID, Cache: r.Cache,
		Calls: r.Calls, CallsRefused: r.Refused, Idempotency: r.Idempotency, Hmac: r.HMAC,
		Duration: durationpb.New(r.Duration), Waited: durationpb.New(r.Waited), Budget: r.Budget,
		Request: detailMessages(r.Request), Answer: detailMessages(r.Answer),
	}
	for _, resource := range r.Resources {
		if m.Resources == nil {
			m.Resources = make(map[string]string, len(r.Resources))
		}
		m.Resources[resource.Name] = resource.ID
	}
	return m
}

func detailMessages(all []audit.Detail) []*controlv1.AuditDetail {
	var messages []*controlv1.AuditDetail
	for _, d := range all {
		messages = append(messages, &controlv1.AuditDetail{Path: d.Path, Values: d.Values})
	}
	return messages
}

func strangerMessage(s *Stranger) *controlv1.Stranger {
	m := &controlv1.Stranger{
		Door: s.Door, Reason: s.Reason, Count: int64(s.Count),
		First: timestamppb.New(s.First), Last: timestamppb.New(s.Last),
		Peer: s.Peer, ForwardedFor: s.ForwardedFor, Method: s.Method, Presented: s.Presented, RequestId: s.RequestID,
	}
	if s.Network.IsValid() {
		m.Network = s.Network.String()
		if s.Network.Is6() {
			m.Network += "/64"
		}
	}
	return m
}
