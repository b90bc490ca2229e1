package recordtext

import (
	"fmt"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
)

// Why says why the call ended as it did: which grant allowed it, which permission was
// missing, or what failed.
func Why(r *controlv1.AuditRecord) string {
	switch r.GetDecision() {
	case "allowed":
		return allowed(r)
	case "own":
		return "the gateway made the call for itself" + failure(r)
	case "denied":
		return denied(r)
	case "limited":
		return limited(r)
	case "invalid":
		return "the request is not valid, so nothing was decided" + reasonInBrackets(r.GetError())
	case "unauthenticated":
		return stranger(r.GetReason())
	}
	return r.GetDecision()
}

func allowed(r *controlv1.AuditRecord) string {
	text := "allowed"
	if r.GetGrant() != "" {
		text += " by " + r.GetGrant() + " of the caller"
	}
	return text + failure(r)
}

// failure says what came of a call that was allowed and has no answer.
func failure(r *controlv1.AuditRecord) string {
	switch {
	case r.GetCode() == "" || r.GetCode() == "ok":
		return ""
	case r.GetError() == "NO_BUDGET":
		return ", and not made: the budget had no call for it in time"
	case r.GetError() == "UPSTREAM_BREAKER_OPEN":
		return ", and not made: the upstream has been failing"
	case r.GetError() == "":
		return ", and failed with " + r.GetCode()
	}
	return fmt.Sprintf(", and failed with %s (%s)", r.GetCode(), r.GetError())
}

func denied(r *controlv1.AuditRecord) string {
	permission := r.GetPermission()
	switch r.GetReason() {
	case "unknown_caller":
		return "the policy has no caller of this name any more"
	case "no_permission":
		return "no grant of the caller has the permission " + permission
	case "role_out_of_scope":
		if r.GetDeniedRole() == "" {
			return "no grant with the permission " + permission + " names roles of leases"
		}
		return "no grant with the permission " + permission + " names the role " + r.GetDeniedRole()
	case "organization_wide":
		return "the grants with the permission " + permission + " are limited to projects, and this call reaches beyond them"
	case "project_missing":
		return "the grants with the permission " + permission + " are limited to projects, and the request names none"
	case "project_out_of_scope":
		return "no grant with the permission " + permission + " has the project " + r.GetDeniedProject()
	case "condition_failed":
		return "a condition of a grant with the permission " + permission + " could not be evaluated"
	case "condition_false":
		return "the condition of a grant with the permission " + permission + " is not met"
	case "not_owner":
		return "the lease is another caller's, and no grant has the permission " + permission + " for those"
	case "denied":
		return "forbidden by " + r.GetGrant() + " of the caller, which has the permission " + permission
	case "held":
		return "the caller is held: nothing that it asks for is done until somebody releases it"
	case "":
		return "not allowed" + reasonInBrackets(r.GetError())
	}
	return "not allowed: " + r.GetReason()
}

func limited(r *controlv1.AuditRecord) string {
	switch r.GetError() {
	case "CALLER_LIMIT":
		return "beyond the caller's limits of rate or concurrency"
	case "CONNECTION_LIMIT":
		return "the caller has too many connections with calls under way"
	}
	return "beyond a limit" + reasonInBrackets(r.GetError())
}

func stranger(reason string) string {
	switch reason {
	case "no_credential":
		return "no credential came with the call"
	case "malformed":
		return "the credential is not of a form that is accepted"
	case "unknown_token":
		return "no caller has this token"
	case "expired_token":
		return "the token has expired"
	case "revoked_token":
		return "the session was revoked"
	case "unknown_issuer":
		return "the JWT's issuer is not configured"
	case "bad_signature":
		return "no key of the issuer made the JWT's signature"
	case "bad_algorithm":
		return "the JWT's algorithm is not allowed for its issuer"
	case "bad_audience":
		return "the JWT is meant for another audience"
	case "expired":
		return "the JWT has expired"
	case "not_yet_valid":
		return "the JWT is not valid yet"
	case "no_keys":
		return "the issuer's keys cannot be had now"
	case "unknown_subject":
		return "no caller has the JWT's subject"
	case "unknown_certificate":
		return "no caller has a name of this certificate"
	case "withdrawn":
		return "the credential was taken away while the call went on"
	case "ambiguous":
		return "the certificate is that of several callers"
	case "":
		return "not authenticated"
	}
	return "not authenticated: " + reason
}

// Stranger says why a credential was not accepted.
func Stranger(s *controlv1.Stranger) string { return stranger(s.GetReason()) }

func reasonInBrackets(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
