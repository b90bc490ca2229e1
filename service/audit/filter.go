package audit

import (
	"slices"
	"strings"
	"time"
)

// Filter says which records somebody wants. The zero value wants all; a record has to
// meet every condition that is set.
type Filter struct {
	// RequestID is that of a call, whose own records and those of the calls that the
	// gateway made in its course are wanted.
	RequestID string
	// Caller is the name of a caller in the policy.
	Caller string
	// Method is package.Service/Method, or its end behind a dot or a slash:
	// Service/Method, Method.
	Method string
	// Project is the id of a project that the request names.
	Project string
	// Code is the code of the answer, such as permission_denied.
	Code string
	// Refused wants calls that were not allowed, for whatever reason.
	Refused bool
	// Failed wants calls that were not answered, for whatever reason.
	Failed bool
	// Slowest is how long a call took at the least.
	Slowest time.Duration
	// Since and Until bound the time at which a call began; Until is not included.
	Since, Until time.Time
}

// Matches says whether a record is wanted.
func (f *Filter) Matches(r *Record) bool {
	switch {
	case f.RequestID != "" && r.RequestID != f.RequestID && r.Within != f.RequestID,
		f.Caller != "" && r.Caller != f.Caller,
		f.Method != "" && !endsWith(r.Method, f.Method),
		f.Project != "" && !r.names(f.Project),
		f.Code != "" && r.Code != f.Code,
		f.Refused && !r.Denied(),
		f.Failed && !r.Denied() && (r.Code == "" || r.Code == "ok"),
		r.Duration < f.Slowest,
		!f.Since.IsZero() && r.Time.Before(f.Since),
		!f.Until.IsZero() && !r.Time.Before(f.Until):
		return false
	}
	return true
}

// Denied says whether the record is of a call that was not allowed: denied, limited,
// without a valid credential, or with a request on which no decision could be made.
func (r *Record) Denied() bool {
	switch r.Decision {
	case DecisionDenied, DecisionUnauthenticated, DecisionLimited, DecisionInvalid:
		return true
	}
	return false
}

func (r *Record) names(project string) bool {
	return r.DeniedProject == project || slices.Contains(r.Projects, project)
}

func endsWith(method, end string) bool {
	rest, ok := strings.CutSuffix(method, end)
	return ok && (rest == "" || rest[len(rest)-1] == '.' || rest[len(rest)-1] == '/')
}
