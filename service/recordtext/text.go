package recordtext

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
)

// Outcome is the decision and the code of a call, in a word or two.
func Outcome(r *controlv1.AuditRecord) string {
	switch {
	case r.GetEvent() != "call":
		return r.GetEvent()
	case r.GetDecision() == "allowed" || r.GetDecision() == "own":
		return r.GetCode()
	}
	return r.GetDecision()
}

// Who says who called, with which credential, from where, by which door.
func Who(r *controlv1.AuditRecord) string {
	text := r.GetCaller()
	switch {
	case r.GetAgent() != "" && text != "":
		text = "the gateway (" + r.GetAgent() + ") for " + text
	case r.GetAgent() != "":
		text = "the gateway (" + r.GetAgent() + ")"
	case text == "":
		text = "a stranger"
	}
	if r.GetCredential() != "" {
		text += fmt.Sprintf(" (%s %s)", r.GetAuthenticatedBy(), r.GetCredential())
	}
	if r.GetPresented() != "" {
		text += " who presented " + r.GetPresented()
	}
	if from := From(r.GetPeer(), r.GetForwardedFor()); from != "" {
		text += " from " + from
	}
	if r.GetDoor() != "" {
		text += ", by " + r.GetDoor()
	}
	return text
}

// From is an address, with the proxy that speaks for it.
func From(peer, forwardedFor string) string {
	if forwardedFor == "" {
		return peer
	}
	return forwardedFor + " (behind " + peer + ")"
}

// What names the RPC, what its path and its request name, and the lease that it is about.
func What(r *controlv1.AuditRecord) string {
	parts := []string{r.GetMethod()}
	for _, name := range slices.Sorted(maps.Keys(r.GetResources())) {
		parts = append(parts, name+"="+r.GetResources()[name])
	}
	var others []string
	for _, id := range r.GetProjects() {
		if !slices.Contains(slices.Collect(maps.Values(r.GetResources())), id) {
			others = append(others, id)
		}
	}
	if len(others) > 0 {
		parts = append(parts, "projects="+strings.Join(others, ","))
	}
	if r.GetLease() != "" {
		parts = append(parts, "lease="+r.GetLease())
	}
	return strings.Join(parts, " ")
}

// Waited says how much of its time the call waited, and for what; "" where it did not.
func Waited(r *controlv1.AuditRecord) string {
	waited := r.GetWaited().AsDuration()
	switch {
	case waited < time.Millisecond && r.GetBudget() == "":
		return ""
	case waited < time.Millisecond:
		return "not at all; it took a call from the budget " + r.GetBudget()
	case r.GetBudget() == "":
		return Took(r.GetWaited()) + " of " + Took(r.GetDuration()) + " for the fetch of another call"
	case r.GetCache() == "coalesced":
		return Took(r.GetWaited()) + " of " + Took(r.GetDuration()) + " for the fetch of another call, which took from the budget " + r.GetBudget()
	}
	return Took(r.GetWaited()) + " of " + Took(r.GetDuration()) + " for the budget " + r.GetBudget()
}

// Cache says how a read was answered; "" for what is not a read.
func Cache(r *controlv1.AuditRecord) string {
	switch r.GetCache() {
	case "":
		return ""
	case "hit":
		return "a stored answer"
	case "stale":
		return "a stored answer that was no longer fresh"
	case "miss":
		return "nothing was stored: the upstream was asked"
	case "coalesced":
		return "the answer of another call's fetch"
	case "bypass":
		return "answers are not stored: the upstream was asked"
	case "error":
		return "there was no answer"
	}
	return r.GetCache()
}

// Took is a duration as people write it: at most three digits and a unit.
func Took(d *durationpb.Duration) string {
	switch took := d.AsDuration(); {
	case took >= time.Minute:
		return took.Round(time.Second).String()
	case took >= time.Second:
		return took.Round(10 * time.Millisecond).String()
	case took >= time.Millisecond:
		return took.Round(10 * time.Microsecond).String()
	default:
		return took.Round(time.Microsecond).String()
	}
}
