package adminkeys

import (
	"errors"

	"github.com/admin-gateway/admin-gateway/lease/adminkey"
	"github.com/admin-gateway/admin-gateway/service/agent"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// failed says what is known of a call that failed.
func failed(err error, read bool) error {
	if e, ok := errors.AsType[*adminkey.CallError](err); ok {
		return e
	}
	outcome, after := agent.OutcomeOf(err, read)
	e := &adminkey.CallError{Outcome: outcomes[outcome].outcome, Words: outcomes[outcome].words, RetryAfter: after, Err: err}
	if up, ok := errors.AsType[*upstream.Error](err); ok && words[up.Kind] != "" {
		e.Words = words[up.Kind]
	}
	return e
}

// outcomes are the rotation's words.
var outcomes = map[agent.Outcome]struct {
	outcome adminkey.Outcome
	words   string
}{
	agent.NotDone: {adminkey.NotMade, "the upstream could not be asked"},
	agent.Refused: {adminkey.Refused, "the upstream refused the request"},
	agent.Gone:    {adminkey.Gone, "the upstream does not have the key"},
	agent.Unknown: {adminkey.Unknown, "the answer of the upstream was lost"},
}

// words say more of some failures.
var words = map[upstream.Kind]string{
	upstream.RateLimited:        "the budget of the upstream has no call for it",
	upstream.Unavailable:        "the upstream does not answer",
	upstream.CredentialRejected: "the upstream does not accept the key",
	upstream.DeadlineExceeded:   "the upstream did not answer in time",
	upstream.Canceled:           "the call was given up",
}
