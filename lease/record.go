package lease

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind is what is made upstream for a lease.
type Kind string

// The kinds.
const (
	// Key is a key of the role's own service account.
	Key Kind = "key"
	// Account is a service account of the lease's own, with a key.
	Account Kind = "account"
)

// The bounds of a record. With all at their bounds it has less than 32 KiB.
const (
	// MaxNameBytes is the length of the longest name or id.
	MaxNameBytes = 256
	// MaxLabels is the largest number of labels, MaxLabelBytes the length of the
	// longest name or value of one.
	MaxLabels     = 32
	MaxLabelBytes = 256
	// MaxSecretBytes is the length of the longest secret.
	MaxSecretBytes = 4096
	// MaxSeats is the largest number of leases that share a credential.
	MaxSeats = 10_000
)

// Record is one lease, as a [Ledger] keeps it. Times are in UTC and in whole
// milliseconds; a zero time is none.
type Record struct {
	// ID is from [NewID]. It, and all down to Created, never change.
	ID string `json:"id"`
	// RequestID names the request of the caller that the lease answers.
	RequestID string `json:"request_id"`
	// Caller is who asked for the lease, and Holder whom it is for; Caller is empty
	// for what the gateway has for itself: a spare, a shared credential, an orphan.
	Caller string `json:"caller,omitempty"`
	Holder string `json:"holder,omitempty"`
	// Role is the role, Kind what is made for it, ProjectID where.
	Role      string `json:"role"`
	Kind      Kind   `json:"kind"`
	ProjectID string `json:"project_id"`
	// Created is when the intent was made.
	Created time.Time `json:"created_at,omitzero"`

	// Credential is the id of the lease whose credential this one uses: its own,
	// unless it shares another's.
	Credential string `json:"credential"`
	// CredentialName is the name of the credential upstream: its marker.
	CredentialName string `json:"credential_name,omitempty"`
	// ServiceAccountID and APIKeyID are the upstream's ids, once they are known.
	ServiceAccountID string `json:"service_account_id,omitempty"`
	APIKeyID         string `json:"api_key_id,omitempty"`
	// Previous is the credential that the lease had before the one that it has, while
	// both may work.
	Previous string `json:"previous,omitempty"`
	// Seats is how many other leases may use the credential, Seated how many do.
	Seats  int `json:"seats,omitempty"`
	Seated int `json:"seated,omitempty"`

	// State says how far the lease has come; Cause why it has come there, in words
	// of the gateway's.
	State State  `json:"state"`
	Cause string `json:"cause,omitempty"`

	// Since is when it came into its state, or has to leave it at the earliest.
	Since time.Time `json:"since,omitzero"`
	// Expires is the end of the lease, MaxExpires the latest that it can be renewed
	// to, UpstreamExpires the end of the credential upstream: the grace later.
	Expires         time.Time `json:"expires_at,omitzero"`
	MaxExpires      time.Time `json:"max_expires_at,omitzero"`
	UpstreamExpires time.Time `json:"upstream_expires_at,omitzero"`
	// SendBefore is the time after which the credential is not asked for any more.
	SendBefore time.Time `json:"send_before,omitzero"`
	// Acknowledged is when the holder has had the secret.
	Acknowledged time.Time `json:"acknowledged_at,omitzero"`
	// Ended is when the lease came to its end: expired, revoked or aborted.
	Ended time.Time `json:"ended_at,omitzero"`
	// SecretUntil is when the secret is to be erased. It is zero if none is kept.
	SecretUntil time.Time `json:"secret_until,omitzero"`
	// ForgetAt is when a lease that has ended is to be forgotten.
	ForgetAt time.Time `json:"forget_at,omitzero"`

	// NextAttempt is when what is due is tried again: a revocation, a look for a
	// doubtful credential. Attempts is how often it has failed, Urgent that it goes
	// before others.
	NextAttempt time.Time `json:"next_attempt_at,omitzero"`
	Attempts    int       `json:"attempts,omitempty"`
	Urgent      bool      `json:"urgent,omitempty"`

	// Labels are the caller's.
	Labels map[string]string `json:"labels,omitempty"`

	// Version grows by one with each change: the ledger sets it, and a change says
	// which one it was made from.
	Version uint64 `json:"version"`
	// Fence is the number of the claim with which the record was returned; zero
	// without one. It is not kept in the record.
	Fence uint64 `json:"-"`
}

// Normal returns the record with its times as a ledger keeps them. The labels are not
// copied.
func (r Record) Normal() Record {
	for _, t := range r.times() {
		if t.IsZero() {
			*t = time.Time{}
		} else {
			*t = time.UnixMilli(t.UnixMilli()).UTC()
		}
	}
	if len(r.Labels) == 0 {
		r.Labels = nil
	}
	return r
}

func (r *Record) times() []*time.Time {
	return []*time.Time{
		&r.Created, &r.Since, &r.Expires, &r.MaxExpires, &r.UpstreamExpires, &r.SendBefore,
		&r.Acknowledged, &r.Ended, &r.SecretUntil, &r.ForgetAt, &r.NextAttempt,
	}
}

// Validate returns an [InvalidError] if the record cannot be.
func (r *Record) Validate() error {
	if _, ok := IDTime(r.ID); !ok {
		return invalid("id", "is no id of a lease")
	}
	if err := r.validateTexts(); err != nil {
		return err
	}
	for _, t := range r.times() {
		// The range of what sorts by its digits.
		if !t.IsZero() && (t.UnixMilli() < 0 || t.Year() > maxYear) {
			return invalid("time", "is out of range")
		}
	}
	switch {
	case r.Kind != Key && r.Kind != Account:
		return invalid("kind", "is neither key nor account")
	case !r.State.Valid():
		return invalid("state", "is none of the states")
	case r.Created.IsZero():
		return invalid("created_at", "is missing")
	case r.State == Intent && r.SendBefore.IsZero():
		return invalid("send_before", "is missing")
	case r.State != Orphan && r.State != Aborted && r.UpstreamExpires.IsZero():
		return invalid("upstream_expires_at", "is missing: no credential outlives its lease")
	case !r.Expires.IsZero() && !r.UpstreamExpires.IsZero() && r.UpstreamExpires.Before(r.Expires):
		return invalid("upstream_expires_at", "is before the lease's end")
	case !r.MaxExpires.IsZero() && r.Expires.After(r.MaxExpires):
		return invalid("expires_at", "is after the latest end")
	case r.State.Final() != !r.Ended.IsZero():
		return invalid("ended_at", "is set if and only if the lease has ended")
	case r.State.Final() && r.ForgetAt.IsZero():
		return invalid("forget_at", "is missing: what has ended is not kept for ever")
	case r.State.Final() && !r.SecretUntil.IsZero():
		return invalid("secret_until", "is set, and the lease has ended")
	case r.Seats < 0 || r.Seats > MaxSeats || r.Seated < 0 || r.Seated > r.Seats:
		return invalid("seats", "are out of range")
	case r.Seats > 0 && r.Credential != r.ID:
		return invalid("seats", "are of another's credential")
	case r.Attempts < 0:
		return invalid("attempts", "is negative")
	}
	return nil
}

const maxYear = 9999

func (r *Record) validateTexts() error {
	for _, text := range []struct {
		field, value string
		required     bool
	}{
		{"request_id", r.RequestID, true},
		{"caller", r.Caller, false},
		{"holder", r.Holder, false},
		{"role", r.Role, true},
		{"project_id", r.ProjectID, true},
		{"credential", r.Credential, true},
		{"credential_name", r.CredentialName, false},
		{"previous", r.Previous, false},
		{"service_account_id", r.ServiceAccountID, false},
		{"api_key_id", r.APIKeyID, false},
		{"cause", r.Cause, false},
	} {
		if text.required && text.value == "" {
			return invalid(text.field, "is missing")
		}
		if err := validateText(text.field, text.value, MaxNameBytes); err != nil {
			return err
		}
	}
	if len(r.Labels) > MaxLabels {
		return invalid("labels", "are too many")
	}
	for name, value := range r.Labels {
		if err := validateText("labels", name+value, 2*MaxLabelBytes); err != nil {
			return err
		}
	}
	return nil
}

// validateText refuses control characters: names are parts of keys whose parts they
// separate.
func validateText(field, value string, most int) error {
	switch {
	case len(value) > most:
		return invalid(field, "is too long")
	case !utf8.ValidString(value):
		return invalid(field, "is not valid UTF-8")
	case strings.ContainsFunc(value, unicode.IsControl):
		return invalid(field, "has control characters")
	}
	return nil
}

// Validate returns an [InvalidError] if the account cannot be.
func (a *ServiceAccount) Validate() error {
	for _, text := range []struct{ field, value string }{{"project_id", a.ProjectID}, {"account name", a.Name}, {"account id", a.ID}} {
		if text.value == "" {
			return invalid(text.field, "is missing")
		}
		if err := validateText(text.field, text.value, MaxNameBytes); err != nil {
			return err
		}
	}
	return nil
}

// IsCredential tells whether the row is a credential, which the gateway has for itself
// and gives to leases, and not a lease.
func (r *Record) IsCredential() bool { return r.Caller == "" }

// Identity is what a lease is known by, as one text.
func (r *Record) Identity() string {
	return strings.Join([]string{
		r.RequestID, r.Caller, r.Holder, r.Role, string(r.Kind), r.ProjectID, r.Created.UTC().Format(time.RFC3339Nano),
	}, "\n")
}
