package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/admin-gateway/admin-gateway/client"
	"github.com/admin-gateway/admin-gateway/client/inventories"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	"github.com/admin-gateway/admin-gateway/pages"
)

// The exit codes of commands that call a gateway, besides 0, 1 and 2.
const (
	// exitIncomplete: the answer is not whole.
	exitIncomplete = 3
	// exitRefused: the caller is not known, or may not do that.
	exitRefused = 4
	// exitNotFound: there is no such thing.
	exitNotFound = 5
	// exitLater: the same call may succeed later.
	exitLater = 6
	// exitOutcomeUnknown: a write was sent, and nobody knows whether it was made.
	exitOutcomeUnknown = 7
)

// callExits is what the help says of them.
const callExits = "Exit codes: 0 done; 1 failed; 2 wrong command line; 3 the answer is not whole; 4 not allowed; 5 not found; 6 try later; 7 the outcome of a write is unknown."

// callFailed is the error of a call as a command reports it, with its exit code.
func callFailed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err() // The command was told to end.
	}
	if own, ok := errors.AsType[*exitError](err); ok {
		return own
	}
	return &exitError{exitOf(err), errors.New(explained(err))}
}

func exitOf(err error) int {
	incomplete := new(inventories.IncompleteError)
	endless := new(pages.EndlessError)
	if errors.As(err, &incomplete) || errors.As(err, &endless) {
		return exitIncomplete
	}
	switch client.KindOf(err) {
	case client.PermissionDenied, client.Unauthenticated:
		return exitRefused
	case client.NotFound:
		return exitNotFound
	case client.Unavailable, client.ResourceExhausted, client.DeadlineExceeded, client.Aborted:
		return exitLater
	case client.OutcomeUnknown:
		return exitOutcomeUnknown
	default:
		return 1
	}
}

// explained is an error with all that the gateway says of it, a line each.
func explained(err error) string {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return output.Printable(err.Error())
	}
	lines := []string{output.Printable(e.Code.String() + ": " + e.Message)}
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, "  "+name+": "+output.Printable(value))
		}
	}
	if incomplete := new(inventories.IncompleteError); errors.As(err, &incomplete) {
		lines = append(lines, "  the answer is not whole")
		add("resume token", incomplete.ResumeToken)
	}
	add("reason", e.Reason)
	add("missing permission", e.Permission)
	add("project", e.Project)
	for _, violation := range e.Violations {
		add("field "+output.Printable(violation.Field), violation.Description)
	}
	if e.RetryDelay > 0 {
		add("try again in", e.RetryDelay.String())
	}
	if e.Kind == client.OutcomeUnknown {
		lines = append(lines, "  the write may have been made: read before making it again")
	}
	add("request", e.RequestID)
	add("upstream's request", e.UpstreamRequestID)
	if e.RequestID != "" && e.Kind != client.InvalidArgument {
		lines = append(lines, fmt.Sprintf("  more: gateway audit --request-id %s", output.Printable(e.RequestID)))
	}
	return strings.Join(lines, "\n")
}
