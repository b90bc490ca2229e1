package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Kind classifies a failed call by its meaning for the caller.
type Kind int

// The kinds of failure.
const (
	_ Kind = iota
	// InvalidArgument: the upstream refused the request; nothing was done.
	InvalidArgument
	// NotFound: the resource in the path does not exist.
	NotFound
	// Conflict: the state of the resource does not allow the call.
	Conflict
	// RateLimited: the upstream's budget is used up, according to the upstream or to
	// the pacer; nothing was done.
	RateLimited
	// Unavailable: the upstream could not answer. A write was not done, as far
	// as the upstream says.
	Unavailable
	// OutcomeUnknown: the answer to a write was lost or is malformed. The write may
	// have been done, and must not be repeated blindly.
	OutcomeUnknown
	// CredentialRejected: the gateway's own key is refused or cannot be read.
	CredentialRejected
	// DeadlineExceeded: the caller's deadline passed. Nothing was changed.
	DeadlineExceeded
	// Canceled: the caller gave up. Nothing was changed.
	Canceled
)

// The stable reasons of an [Error].
const (
	ReasonInvalidArgument      = "UPSTREAM_INVALID_ARGUMENT"
	ReasonNotFound             = "UPSTREAM_NOT_FOUND"
	ReasonConflict             = "UPSTREAM_CONFLICT"
	ReasonRateLimited          = "UPSTREAM_RATE_LIMITED"
	ReasonUnavailable          = "UPSTREAM_UNAVAILABLE"
	ReasonRedirected           = "UPSTREAM_REDIRECTED"
	ReasonBadResponse          = "UPSTREAM_BAD_RESPONSE"
	ReasonOutcomeUnknown       = "OUTCOME_UNKNOWN"
	ReasonCredentialRejected   = "UPSTREAM_CREDENTIAL_REJECTED"   //nolint:gosec // a name, no credential
	ReasonCredentialUnreadable = "UPSTREAM_CREDENTIAL_UNREADABLE" //nolint:gosec // a name, no credential
	ReasonDeadlineExceeded     = "DEADLINE_EXCEEDED"
	ReasonCanceled             = "CANCELED"
	// ReasonNoBudget is a call that was not sent, because the pacer has no
	// request for it before its deadline.
	ReasonNoBudget = "NO_BUDGET"
	// ReasonBreakerOpen is a call that was not sent, because the upstream has been
	// failing and the circuit breaker is open.
	ReasonBreakerOpen = "UPSTREAM_BREAKER_OPEN"
	// ReasonEndPassed is a call that was not sent, because the end that it sets was
	// less than a second away when its turn came.
	ReasonEndPassed = "END_PASSED"
)

// meaning is a row of the table: the class of an answer outside 2xx.
type meaning struct {
	from, to int // the statuses, both included
	reason   string
	read     Kind
	// A write depends on who answered: the API itself, whose error bodies are
	// known, or something in between, which cannot know what the API did.
	write, writeByOther Kind
	// quotes reports whether the upstream's message may be kept.
	quotes bool
}

// meanings is the table; the first row that holds a status decides.
//
// An answer that refuses the admin key quotes nothing, because its message can contain
// the key. A redirect quotes nothing, because its message can contain the target. 502
// and 504 come from a proxy that waited for an answer, so that a write may have been
// done whatever they say. 303 is how HTTP says that a write was done and its answer is
// elsewhere.
var meanings = []meaning{
	{303, 303, ReasonRedirected, Unavailable, OutcomeUnknown, OutcomeUnknown, false},
	{300, 399, ReasonRedirected, Unavailable, Unavailable, Unavailable, false},
	{401, 401, ReasonCredentialRejected, CredentialRejected, CredentialRejected, CredentialRejected, false},
	{403, 403, ReasonCredentialRejected, CredentialRejected, CredentialRejected, CredentialRejected, false},
	{404, 404, ReasonNotFound, NotFound, NotFound, NotFound, true},
	{408, 408, ReasonUnavailable, Unavailable, Unavailable, OutcomeUnknown, true},
	{409, 409, ReasonConflict, Conflict, Conflict, Conflict, true},
	{410, 410, ReasonNotFound, NotFound, NotFound, NotFound, true},
	{429, 429, ReasonRateLimited, RateLimited, RateLimited, RateLimited, true},
	{400, 499, ReasonInvalidArgument, InvalidArgument, InvalidArgument, InvalidArgument, true},
	{502, 502, ReasonUnavailable, Unavailable, OutcomeUnknown, OutcomeUnknown, true},
	{504, 504, ReasonUnavailable, Unavailable, OutcomeUnknown, OutcomeUnknown, true},
	{500, 599, ReasonUnavailable, Unavailable, Unavailable, OutcomeUnknown, true},
	{0, 999, ReasonBadResponse, Unavailable, OutcomeUnknown, OutcomeUnknown, false},
}

// String returns the kind in UPPER_SNAKE.
func (k Kind) String() string {
	switch k {
	case InvalidArgument:
		return "INVALID_ARGUMENT"
	case NotFound:
		return "NOT_FOUND"
	case Conflict:
		return "CONFLICT"
	case RateLimited:
		return "RATE_LIMITED"
	case Unavailable:
		return "UNAVAILABLE"
	case OutcomeUnknown:
		return "OUTCOME_UNKNOWN"
	case CredentialRejected:
		return "CREDENTIAL_REJECTED"
	case DeadlineExceeded:
		return "DEADLINE_EXCEEDED"
	case Canceled:
		return "CANCELED"
	default:
		return fmt.Sprintf("Kind(%d)", int(k))
	}
}

// Error is a call that failed. None of its parts shows the admin key.
type Error struct {
	// Kind is the class of the failure.
	Kind Kind
	// Reason is one of the Reason constants.
	Reason string
	// Status is the answer's HTTP status; 0 when there was none.
	Status int
	// Message, Param, Code and Type are those of the error body, as far as it has them:
	// without control characters, keys masked, 1 KiB each at most. They are empty when
	// the upstream refused the credential.
	Message, Param, Code, Type string
	// RequestID is the upstream's id of the call, if it gave one.
	RequestID string
	// RetryAfter is how long the upstream, the pacer or the breaker asks to
	// wait, at most an hour; 0 when none of them says.
	RetryAfter time.Duration

	cause error
	// byAPI reports whether the API itself wrote the body.
	byAPI bool
	// cut reports that a status arrived and the rest did not.
	cut bool
}

// Error returns all details, for a log.
func (e *Error) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "upstream: %s", e.Kind)
	if e.Reason != "" && e.Reason != e.Kind.String() {
		fmt.Fprintf(&s, " (%s)", e.Reason)
	}
	part := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&s, ", %s %s", label, value)
		}
	}
	if e.Status != 0 {
		fmt.Fprintf(&s, ", status %d", e.Status)
	}
	part("type", e.Type)
	part("code", e.Code)
	part("param", e.Param)
	part("request", e.RequestID)
	if e.RetryAfter > 0 {
		part("retry after", e.RetryAfter.String())
	}
	if e.Message != "" {
		fmt.Fprintf(&s, ": %s", e.Message)
	}
	if e.cause != nil {
		fmt.Fprintf(&s, ": %s", clean(e.cause.Error()))
	}
	return s.String()
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// unanswered reports whether the connection failed or the time ran out before a whole
// answer arrived.
func (e *Error) unanswered() bool {
	return e.cut || e.Status == 0 && (e.Reason == ReasonUnavailable || e.Reason == ReasonOutcomeUnknown)
}

// The reasons why an attempt ended, other than its caller.
var (
	errAttemptTimeout = errors.New("the attempt took longer than it may")
	errReplay         = errors.New("the connection failed and HTTP/2 would have sent the write again")
)

// refused makes the error of an answer whose status is not 2xx.
func refused(write bool, reply *http.Response, body []byte, scrub func(string) string, now time.Time) *Error {
	said, byAPI := parseErrorBody(body)
	e := &Error{Status: reply.StatusCode, RequestID: requestID(reply.Header, scrub), byAPI: byAPI}
	for _, m := range meanings {
		if reply.StatusCode < m.from || reply.StatusCode > m.to {
			continue
		}
		e.Kind, e.Reason = m.read, m.reason
		switch {
		case write && byAPI:
			e.Kind = m.write
		case write:
			e.Kind = m.writeByOther
		}
		if m.quotes {
			e.Message, e.Param = clean(scrub(said.message)), clean(scrub(said.param))
			e.Code, e.Type = clean(scrub(said.code)), clean(scrub(said.kind))
			e.RetryAfter = retryAfter(reply.Header, said.message, now)
		}
		break
	}
	if e.Kind == OutcomeUnknown {
		e.Reason = ReasonOutcomeUnknown
	}
	return e
}

// badAnswer makes the error of a 2xx answer that cannot be understood.
func badAnswer(write bool, message string, cause error) *Error {
	e := &Error{Kind: Unavailable, Reason: ReasonBadResponse, Message: message, cause: cause}
	if write {
		e.Kind, e.Reason = OutcomeUnknown, ReasonOutcomeUnknown
	}
	return e
}

// lost makes the error of a call without an answer. sent reports whether any of the
// request may have arrived. caller is the context of the call; attempt is the context
// of the attempt, which ends with it or at its own timeout.
func lost(caller, attempt context.Context, write, sent bool, err error) *Error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err // without the URL
	}
	if cause := context.Cause(attempt); cause != nil {
		err = cause
	}
	e := &Error{Kind: Unavailable, Reason: ReasonUnavailable, cause: err}
	ended := caller.Err()
	switch {
	case write && sent:
		e.Kind, e.Reason = OutcomeUnknown, ReasonOutcomeUnknown
	case errors.Is(ended, context.DeadlineExceeded):
		e.Kind, e.Reason = DeadlineExceeded, ReasonDeadlineExceeded
	case ended != nil:
		e.Kind, e.Reason = Canceled, ReasonCanceled
	}
	return e
}
