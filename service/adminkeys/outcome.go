package adminkeys

import (
	"errors"

	"buf.build/go/protovalidate"

	"github.com/admin-gateway/admin-gateway/lease/adminkey"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// failed says what is known of a call that failed. A read does nothing, whatever became
// of it.
func failed(err error, read bool) error {
	if e, ok := errors.AsType[*adminkey.CallError](err); ok {
		return e
	}
	e := &adminkey.CallError{Outcome: adminkey.Unknown, Words: "the answer of the upstream was lost", Err: err}
	if read {
		e.Outcome, e.Words = adminkey.NotMade, "the upstream could not be asked"
	}
	if up, ok := errors.AsType[*upstream.Error](err); ok {
		e.RetryAfter = up.RetryAfter
		if known, ok := outcomes[up.Kind]; ok {
			e.Outcome, e.Words = known.outcome, known.words
		}
		return e
	}
	if invalid, ok := errors.AsType[*protovalidate.ValidationError](err); ok {
		return &adminkey.CallError{Outcome: adminkey.Refused, Words: "the request is not one of the upstream's", Err: invalid}
	}
	if known, ok := errors.AsType[*rpcerror.Error](err); ok {
		e.RetryAfter = known.RetryAfter
		if known.Reason == rpcerror.ReasonAuditUnavailable {
			e.Outcome, e.Words = adminkey.NotMade, "the audit log cannot be written"
		}
	}
	return e
}

// outcomes are those of the kinds of failures. An answer that was lost is not among them.
var outcomes = map[upstream.Kind]struct {
	outcome adminkey.Outcome
	words   string
}{
	upstream.InvalidArgument:    {adminkey.Refused, "the upstream refused the request"},
	upstream.NotFound:           {adminkey.Gone, "the upstream does not have the key"},
	upstream.Conflict:           {adminkey.Refused, "the upstream refused the request"},
	upstream.RateLimited:        {adminkey.NotMade, "the budget of the upstream has no call for it"},
	upstream.Unavailable:        {adminkey.NotMade, "the upstream does not answer"},
	upstream.CredentialRejected: {adminkey.NotMade, "the upstream does not accept the key"},
	upstream.DeadlineExceeded:   {adminkey.NotMade, "the upstream did not answer in time"},
	upstream.Canceled:           {adminkey.NotMade, "the call was given up"},
}
