package leases

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// beat is between two messages of a stream in which nothing else happens.
	beat = time.Second
	// alive is between two messages to who watches while nothing happens.
	alive = 15 * time.Second
	// watchTick is between two looks at the events.
	watchTick = 250 * time.Millisecond
)

// errEnough ends a walk whose stream is over.
var errEnough = errors.New("leases: the stream is over")

// failureOf is a failure for the stream: what a caller would get who asked alone.
func failureOf(leaseID, projectID string, err error) *leasev1.LeaseFailure {
	seen := rpcerror.ToCaller(toCaller(err))
	f := &leasev1.LeaseFailure{
		LeaseId: leaseID, ProjectId: projectID, Code: int32(seen.Code), Reason: seen.Reason, Message: seen.Message,
	}
	if seen.RetryAfter > 0 {
		f.RetryDelay = durationpb.New(seen.RetryAfter)
	}
	return f
}

// endOf is the last message of a stream.
func endOf(p *leasev1.LeaseProgress, reasons ...leasev1.LeaseIncomplete_Reason) *leasev1.LeaseEnd {
	end := &leasev1.LeaseEnd{Leases: p.GetLeases(), ToRevoke: p.GetToRevoke(), Failures: p.GetFailures()}
	if p.GetFailures() > 0 {
		reasons = append(reasons, leasev1.LeaseIncomplete_REASON_FAILED)
	}
	if len(reasons) == 0 {
		end.Outcome = &leasev1.LeaseEnd_Complete{Complete: &leasev1.LeaseComplete{}}
		return end
	}
	end.Outcome = &leasev1.LeaseEnd_Incomplete{Incomplete: &leasev1.LeaseIncomplete{Reasons: reasons}}
	return end
}

// interrupted says why a stream ends before its time; false where it goes on.
func (h *handlers) interrupted(ctx context.Context) (leasev1.LeaseIncomplete_Reason, bool) {
	select {
	case <-h.leases.o.Stopping:
		return leasev1.LeaseIncomplete_REASON_DRAINING, true
	default: // A nil channel never is ready.
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < beat {
		return leasev1.LeaseIncomplete_REASON_OUT_OF_TIME, true
	}
	return 0, false
}

// revokeAll revokes the leases that a request selects, and that the caller may revoke.
func (h *handlers) revokeAll(ctx context.Context, permit admission.Permit, to pipeline.Sender) error {
	q, ok := permit.Request().Interface().(*leasev1.RevokeLeasesRequest)
	if !ok {
		return errors.New("leases: a request of another method")
	}
	ctx, err := h.admission.Part(ctx)
	if err != nil {
		return err
	}
	before := time.Now()
	if q.GetCreatedBefore() != nil {
		before = q.GetCreatedBefore().AsTime()
	}
	progress := &leasev1.LeaseProgress{}
	told := time.Now()
	var reasons []leasev1.LeaseIncomplete_Reason
	tell := func(m proto.Message) error {
		response := &leasev1.RevokeLeasesResponse{}
		switch m := m.(type) {
		case *leasev1.LeaseProgress:
			response.Part = &leasev1.RevokeLeasesResponse_Progress{Progress: m}
		case *leasev1.LeaseFailure:
			response.Part = &leasev1.RevokeLeasesResponse_Failure{Failure: m}
		case *leasev1.LeaseEnd:
			response.Part = &leasev1.RevokeLeasesResponse_End{End: m}
		}
		return to.Send(response)
	}
	err = h.selected(ctx, permit, q, func(row lease.Record) error {
		if reason, over := h.interrupted(ctx); over {
			reasons = append(reasons, reason)
			return errEnough
		}
		if row.State.Final() || row.State == lease.Revoking || !row.Created.Before(before) {
			return nil
		}
		progress.Leases++
		if !q.GetDryRun() {
			_, err := h.broker.Revoke(ctx, broker.RevokeRequest{ID: row.ID, ByOwner: row.Caller == permit.Caller()})
			if err != nil {
				progress.Failures++
				return tell(failureOf(row.ID, "", err))
			}
		}
		progress.ToRevoke++
		if time.Since(told) < beat {
			return nil
		}
		told = time.Now()
		return tell(proto.CloneOf(progress))
	})
	if err != nil && !errors.Is(err, errEnough) {
		return toCaller(err)
	}
	if err := tell(proto.CloneOf(progress)); err != nil {
		return err
	}
	return tell(endOf(progress, reasons...))
}

// selected walks the leases that a request selects, and that the caller may revoke.
func (h *handlers) selected(ctx context.Context, permit admission.Permit, q *leasev1.RevokeLeasesRequest, each func(lease.Record) error) error {
	others, err := h.admission.MayOthers(ctx, permit)
	if err != nil {
		return err
	}
	query := lease.Query{Role: q.GetRole(), Caller: q.GetCaller(), Holder: q.GetHolder(), PageSize: lease.MaxPage}
	if !others {
		if query.Caller != "" && query.Caller != permit.Caller() {
			return nil
		}
		query.Caller = permit.Caller()
	}
	for {
		page, err := h.broker.List(ctx, query)
		if err != nil {
			return err
		}
		for i := range page.Records {
			may, err := h.admission.MayLease(ctx, permit, knownAs(&page.Records[i]))
			if err != nil {
				return err
			}
			if !may {
				continue
			}
			if err := each(page.Records[i]); err != nil {
				return err
			}
		}
		if page.NextPageToken == "" {
			return nil
		}
		query.PageToken = page.NextPageToken
	}
}

// reconcile compares the leases with the keys upstream.
func (h *handlers) reconcile(ctx context.Context, permit admission.Permit, to pipeline.Sender) error {
	q, ok := permit.Request().Interface().(*leasev1.ReconcileRequest)
	if !ok {
		return errors.New("leases: a request of another method")
	}
	progress := &leasev1.LeaseProgress{}
	var reasons []leasev1.LeaseIncomplete_Reason
	_, err := h.broker.Reconcile(ctx, broker.ReconcileRequest{Projects: q.GetProjectIds(), DryRun: q.GetDryRun(), Caller: permit.Caller()}, func(f broker.Finding) error {
		response := &leasev1.ReconcileResponse{}
		switch {
		case f.Orphan != nil:
			response.Part = &leasev1.ReconcileResponse_Orphan{Orphan: &leasev1.OrphanKey{
				ProjectId: f.Orphan.ProjectID, ServiceAccountId: f.Orphan.ServiceAccountID, ApiKeyId: f.Orphan.APIKeyID, Name: f.Orphan.CredentialName,
				Role: f.Orphan.Role, LeaseId: f.Lease, CreatedAt: instant(f.Made), ExpiresAt: instant(f.Ends),
			}}
		case f.Missing != nil:
			response.Part = &leasev1.ReconcileResponse_Missing{Missing: &leasev1.MissingKey{Lease: messageOf(f.Missing)}}
		case f.Err != nil:
			response.Part = &leasev1.ReconcileResponse_Failure{Failure: failureOf("", f.Failed, f.Err)}
		case f.Done != nil:
			progress = &leasev1.LeaseProgress{
				Leases: int64(f.Done.Keys), ProjectsDone: int64(f.Done.Projects), ProjectsKnown: int64(f.Done.Known),
				ToRevoke: int64(f.Done.ToRevoke), Failures: int64(f.Done.Failures),
			}
			response.Part = &leasev1.ReconcileResponse_Progress{Progress: progress}
		}
		if err := to.Send(response); err != nil {
			return err
		}
		if reason, over := h.interrupted(ctx); over && f.Done != nil && f.Done.Projects < f.Done.Known {
			reasons = append(reasons, reason)
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
	case errors.Is(err, context.DeadlineExceeded):
		reasons = append(reasons, leasev1.LeaseIncomplete_REASON_OUT_OF_TIME)
	case err != nil:
		return toCaller(err)
	}
	return to.Send(&leasev1.ReconcileResponse{Part: &leasev1.ReconcileResponse_End{End: endOf(progress, reasons...)}})
}

// watch sends what becomes of the leases that the caller may read.
func (h *handlers) watch(ctx context.Context, permit admission.Permit, to pipeline.Sender) error {
	q, ok := permit.Request().Interface().(*leasev1.WatchLeasesRequest)
	if !ok {
		return errors.New("leases: a request of another method")
	}
	ctx, err := h.admission.Part(ctx)
	if err != nil {
		return err
	}
	at := uint64(q.GetAfter())
	if at == 0 {
		if at, err = h.broker.Sequence(ctx); err != nil {
			return toCaller(err)
		}
	}
	// At once, so that who watches knows from where.
	said := time.Time{}
	for {
		page, err := h.broker.Events(ctx, lease.EventQuery{After: at, Role: q.GetRole(), PageSize: lease.MaxPage})
		switch late := (*lease.LateError)(nil); {
		case errors.As(err, &late):
			at, said = late.Last, time.Now()
			if err := to.Send(&leasev1.WatchLeasesResponse{Sequence: int64(at), Kind: leasev1.WatchLeasesResponse_KIND_GAP}); err != nil {
				return err
			}
			continue
		case err != nil:
			return toCaller(err)
		}
		for i := range page.Events {
			sent, err := h.event(ctx, permit, &page.Events[i], to)
			if err != nil {
				return err
			}
			if sent {
				said = time.Now()
			}
		}
		behind := page.Last > at
		at = page.Last
		if time.Since(said) >= alive {
			said = time.Now()
			if err := to.Send(&leasev1.WatchLeasesResponse{Sequence: int64(at), Kind: leasev1.WatchLeasesResponse_KIND_ALIVE}); err != nil {
				return err
			}
		}
		if behind && len(page.Events) == lease.MaxPage {
			continue
		}
		if _, over := h.interrupted(ctx); over {
			return nil // The stream ends with the call; another one goes on after the last sequence.
		}
		if err := wait(ctx, watchTick); err != nil {
			return err
		}
	}
}

// event sends an event that the caller may see.
func (h *handlers) event(ctx context.Context, permit admission.Permit, e *lease.Event, to pipeline.Sender) (bool, error) {
	kind, public := kinds[e.Kind]
	if !public || e.Record.IsCredential() {
		return false, nil
	}
	if may, err := h.admission.MayLease(ctx, permit, knownAs(&e.Record)); err != nil || !may {
		return false, err
	}
	return true, to.Send(&leasev1.WatchLeasesResponse{Sequence: int64(e.Sequence), Kind: kind, Lease: messageOf(&e.Record)})
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
