package inventories

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// IncompleteError reports what a walk did not bring. The pages that came before it are
// real, and are not the whole inventory.
type IncompleteError struct {
	// ResumeToken is where to go on: the same request with it brings what is missing,
	// and nothing that came. Empty: from the start, or, with REASON_NOT_ALL_JUDGED
	// alone, not at all.
	ResumeToken string
	// Repeats says that some of what came may come again, or has come twice.
	Repeats bool
	// Reasons are those that the gateway gave at the end of its stream; none where that
	// was cut off.
	Reasons []inventoryv1.Incomplete_Reason
	// Failures are the reads that failed in the last stream, at most [MaxFailures], and
	// MoreFailures counts the others.
	Failures     []*inventoryv1.Failure
	MoreFailures int
	// Err is the error of the last stream, or the context's; nil where the gateway
	// ended it.
	Err error
}

func (e *IncompleteError) Error() string {
	var parts []string
	for _, reason := range e.Reasons {
		parts = append(parts, reason.String())
	}
	if n := len(e.Failures); n > 0 {
		parts = append(parts, fmt.Sprintf("%d reads failed, the first %s: %s", n+e.MoreFailures, e.Failures[0].GetMethod(), e.Failures[0].GetReason()))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return "inventories: incomplete: " + strings.Join(parts, "; ")
}

// Unwrap is the error of the last stream.
func (e *IncompleteError) Unwrap() error { return e.Err }

// passes says whether an error can be gone at the next attempt: the gateway says so, or
// it comes from what lies in between. An error of the caller's own context does not get
// here.
func passes(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeResourceExhausted:
		return true
	case connect.CodeInternal, connect.CodeUnknown, connect.CodeCanceled, connect.CodeDeadlineExceeded, connect.CodeDataLoss:
		return !isRemote(err)
	default:
		return false
	}
}

// isRemote says whether the gateway gave an error.
func isRemote(err error) bool {
	e, ok := errors.AsType[*connect.Error](err)
	return ok && e.IsRemote()
}

// retryAfter is how long the gateway asks to wait; 0 where it does not.
func retryAfter(err error) time.Duration {
	e, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return 0
	}
	for _, detail := range e.Details() {
		if m, err := connectproto.UnmarshalErrorDetail(detail); err == nil {
			if info, ok := m.(*errdetails.RetryInfo); ok {
				return info.GetRetryDelay().AsDuration()
			}
		}
	}
	return 0
}

// lasting are the reasons of failures that another attempt does not change, although
// their code is that of those that pass.
func lasting(reason string) bool {
	return slices.Contains([]string{"ENDLESS_LIST", "UPSTREAM_BAD_RESPONSE", "UPSTREAM_REDIRECTED"}, reason)
}

// readPasses says whether a read that failed can succeed at the next attempt.
func readPasses(f *inventoryv1.Failure) bool {
	switch connect.Code(f.GetCode()) {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeAborted, connect.CodeDeadlineExceeded:
		return !lasting(f.GetReason())
	default:
		return false
	}
}
