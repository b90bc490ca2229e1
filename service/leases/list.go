package leases

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const defaultPage = 100

// list returns those leases of a page that the caller may read. It looks at its own
// first: where it may read no others, the page is one of its own, and not one of all from
// which others are left out.
func (h *handlers) list(ctx context.Context, permit admission.Permit, q *leasev1.ListLeasesRequest) (*leasev1.ListLeasesResponse, error) {
	others, err := h.admission.MayOthers(ctx, permit)
	if err != nil {
		return nil, err
	}
	query := lease.Query{
		Role: q.GetRole(), Caller: q.GetCaller(), Holder: q.GetHolder(), PageSize: int(q.GetPageSize()), PageToken: q.GetPageToken(),
	}
	if query.PageSize == 0 {
		query.PageSize = defaultPage
	}
	if _, ok := lease.IDTime(query.PageToken); query.PageToken != "" && !ok {
		return nil, rpcerror.InvalidField("page_token", "is not one of this list", nil)
	}
	if !others {
		if query.Caller != "" && query.Caller != permit.Caller() {
			return &leasev1.ListLeasesResponse{}, nil
		}
		query.Caller = permit.Caller()
	}
	for _, state := range q.GetStates() {
		for known, message := range states {
			if message == state {
				query.States = append(query.States, known)
			}
		}
	}
	page, err := h.broker.List(ctx, query)
	if err != nil {
		return nil, toCaller(err)
	}
	answer := &leasev1.ListLeasesResponse{NextPageToken: page.NextPageToken}
	for i := range page.Records {
		row := &page.Records[i]
		if may, err := h.admission.MayLease(ctx, permit, knownAs(row)); err != nil {
			return nil, err
		} else if may {
			answer.Leases = append(answer.Leases, messageOf(row))
		}
	}
	return answer, nil
}

func staticOf(s *broker.Static) *leasev1.StaticRole {
	c := &s.Credential
	m := &leasev1.StaticRole{
		Role: c.Role, ProjectId: c.ProjectID, ServiceAccountId: c.ServiceAccountID, ApiKeyId: c.APIKeyID,
		RotatedAt: instant(c.Created), RotationPeriod: durationpb.New(s.Next.Sub(c.Created)), NextRotationAt: instant(s.Next),
		UpstreamExpiresAt: instant(c.UpstreamExpires),
	}
	if s.Previous.ID != "" {
		m.PreviousEndsAt = instant(c.Created.Add(s.Overlap))
	}
	return m
}
