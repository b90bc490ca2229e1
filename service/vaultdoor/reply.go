package vaultdoor

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// reply is an answer: a status, and JSON or nothing.
type reply struct {
	status int
	body   any // nil: no body
}

// nothing is the answer of a write that has none.
func nothing() *reply { return &reply{status: http.StatusNoContent} }

// envelope is around most of Vault's answers.
type envelope struct {
	RequestID     string   `json:"request_id"`
	LeaseID       string   `json:"lease_id"`
	Renewable     bool     `json:"renewable"`
	LeaseDuration int64    `json:"lease_duration"` // in seconds
	Data          any      `json:"data"`
	WrapInfo      any      `json:"wrap_info"` // always null
	Warnings      []string `json:"warnings"`
	Auth          *auth    `json:"auth"`
	MountType     string   `json:"mount_type"`
}

// auth is a token in an answer.
type auth struct {
	ClientToken    string            `json:"client_token"`
	Accessor       string            `json:"accessor"`
	Policies       []string          `json:"policies"`
	TokenPolicies  []string          `json:"token_policies"`
	Metadata       map[string]string `json:"metadata"`
	LeaseDuration  int64             `json:"lease_duration"` // in seconds; 0: without an end
	Renewable      bool              `json:"renewable"`
	EntityID       string            `json:"entity_id"`
	TokenType      string            `json:"token_type"`
	Orphan         bool              `json:"orphan"`
	MFARequirement any               `json:"mfa_requirement"` // always null
	NumUses        int               `json:"num_uses"`
}

// enveloped completes an envelope with what all of them have.
func (x *exchange) enveloped(e envelope) *reply {
	e.RequestID = x.writer.Header().Get("X-Request-Id")
	if said, err := x.parameters(); err == nil {
		e.Warnings = append(e.Warnings, said.warnings()...)
	}
	return &reply{http.StatusOK, &e}
}

// write writes a whole answer. A client that has gone away gets nothing.
func (x *exchange) write(r *reply) {
	if r.body == nil {
		x.writer.WriteHeader(r.status)
		return
	}
	if e, ok := r.body.(*envelope); ok && e.RequestID == "" {
		e.RequestID = x.writer.Header().Get("X-Request-Id")
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		r.status, body = http.StatusInternalServerError, []byte(`{"errors":["internal error"]}`)
	}
	header := x.writer.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	x.writer.WriteHeader(r.status)
	_, _ = x.writer.Write(body)
}

// seconds is how long it is to an instant, in whole ones; 0 for none, and for one that
// has passed.
func seconds(to *timestamppb.Timestamp) int64 {
	if to == nil {
		return 0
	}
	return max(0, int64(time.Until(to.AsTime())/time.Second))
}

// instant is a time as Vault writes it; nil for none.
func instant(at *timestamppb.Timestamp) any {
	if at == nil {
		return nil
	}
	return at.AsTime().UTC().Format(time.RFC3339Nano)
}
