package leases

import (
	"maps"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
)

// states are the states of messages.
var states = map[lease.State]leasev1.LeaseState{
	lease.Intent:   leasev1.LeaseState_LEASE_STATE_INTENT,
	lease.Issued:   leasev1.LeaseState_LEASE_STATE_ISSUED,
	lease.Active:   leasev1.LeaseState_LEASE_STATE_ACTIVE,
	lease.Expired:  leasev1.LeaseState_LEASE_STATE_EXPIRED,
	lease.Revoking: leasev1.LeaseState_LEASE_STATE_REVOKING,
	lease.Revoked:  leasev1.LeaseState_LEASE_STATE_REVOKED,
	lease.Doubtful: leasev1.LeaseState_LEASE_STATE_DOUBTFUL,
	lease.Aborted:  leasev1.LeaseState_LEASE_STATE_ABORTED,
	lease.Orphan:   leasev1.LeaseState_LEASE_STATE_ORPHAN,
}

// causes are the causes of messages. One that has no place there is unspecified.
var causes = map[string]leasev1.LeaseCause{
	broker.CauseExpired:        leasev1.LeaseCause_LEASE_CAUSE_EXPIRED,
	broker.CauseRevokedByOwner: leasev1.LeaseCause_LEASE_CAUSE_REVOKED_BY_OWNER,
	broker.CauseRevokedByOther: leasev1.LeaseCause_LEASE_CAUSE_REVOKED_BY_OTHER,
	broker.CauseRotated:        leasev1.LeaseCause_LEASE_CAUSE_ROTATED,
	broker.CauseSecretLost:     leasev1.LeaseCause_LEASE_CAUSE_SECRET_LOST,
	broker.CauseNotSent:        leasev1.LeaseCause_LEASE_CAUSE_NOT_SENT,
	broker.CauseRefused:        leasev1.LeaseCause_LEASE_CAUSE_REFUSED,
	broker.CauseAnswerLost:     leasev1.LeaseCause_LEASE_CAUSE_ANSWER_LOST,
	broker.CauseNotRecorded:    leasev1.LeaseCause_LEASE_CAUSE_NOT_RECORDED,
	broker.CauseGone:           leasev1.LeaseCause_LEASE_CAUSE_GONE,
}

// kinds are the kinds of events that those who watch get. Others are the gateway's own.
var kinds = map[lease.EventKind]leasev1.WatchLeasesResponse_Kind{
	lease.EventCreated:       leasev1.WatchLeasesResponse_KIND_CREATED,
	broker.EventIssued:       leasev1.WatchLeasesResponse_KIND_ISSUED,
	broker.EventAcknowledged: leasev1.WatchLeasesResponse_KIND_ACKNOWLEDGED,
	broker.EventRenewed:      leasev1.WatchLeasesResponse_KIND_RENEWED,
	broker.EventRotated:      leasev1.WatchLeasesResponse_KIND_ROTATED,
	broker.EventEnding:       leasev1.WatchLeasesResponse_KIND_ENDING,
	broker.EventEnded:        leasev1.WatchLeasesResponse_KIND_ENDED,
}

// messageOf is a lease as callers see it.
func messageOf(r *lease.Record) *leasev1.Lease {
	m := &leasev1.Lease{
		Id: r.ID, Role: r.Role, ProjectId: r.ProjectID, Caller: r.Caller, Holder: r.Holder, State: states[r.State],
		ServiceAccountId: r.ServiceAccountID, ApiKeyId: r.APIKeyID, Name: r.CredentialName,
		CreatedAt: instant(r.Created), ExpiresAt: instant(r.Expires), MaxExpiresAt: instant(r.MaxExpires),
		UpstreamExpiresAt: instant(r.UpstreamExpires), Cause: causes[r.Cause], Labels: maps.Clone(r.Labels),
	}
	if r.State == lease.Revoked {
		m.RevokedAt = instant(r.Ended)
	}
	return m
}

// instant is a time; nil for none.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
