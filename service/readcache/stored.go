package readcache

import (
	"context"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// stored answers a call whose caller wants a stored answer or none (only-if-cached,
// RFC 9111, section 5.2.1.7): it asks nothing of the upstream, joins no flight and begins
// none. The upstream not being asked is the case for which a declaration allows a stale
// answer, so the answer may be as stale as that.
func (s *step) stored(ctx context.Context, permit admission.Permit, account *accounting.Cache) (*pipeline.Response, error) {
	*account = accounting.Cache{Outcome: accounting.CacheError}
	if s.Cache == nil || s.lifeOf(permit.Method()).Fresh <= 0 {
		return nil, errNotStored()
	}
	l, err := s.lookup(ctx, permit)
	if err != nil {
		return nil, err
	}
	found, ok := s.near(l)
	if !ok || !s.suffices(found, permit.Freshness()) {
		if l, err = s.whole(l); err != nil {
			return nil, err
		}
		if found, ok = s.load(ctx, s.options.Store, l); !ok || !s.suffices(found, permit.Freshness()) {
			return nil, errNotStored()
		}
	}
	outcome := accounting.CacheHit
	if !found.entry.Fresh(s.options.Now()) {
		outcome = accounting.CacheStale
	}
	*account = s.describe(found, outcome, statusHit, permit)
	return s.response(ctx, permit, l, found), nil
}

// suffices says whether a stored answer will do for a caller that gets no other.
func (s *step) suffices(found stored, freshness admission.Freshness) bool {
	if freshness.Limits() {
		return s.accepts(found, freshness)
	}
	return found.entry.StaleIfError(s.options.Now())
}

// errNotStored is the error of a call that wants a stored answer where there is none.
func errNotStored() error {
	return &rpcerror.Error{
		Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonNotStored,
		Message: "no answer is stored, and Cache-Control asks for no other",
	}
}
