package main

import (
	"encoding/json"
	"errors"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/client"
	"github.com/admin-gateway/admin-gateway/client/inventories"
	"github.com/admin-gateway/admin-gateway/client/leases"
	"github.com/admin-gateway/admin-gateway/pages"
)

// result is what came of a command.
type result struct {
	Case          string          `json:"case"`
	OK            bool            `json:"ok"`
	Response      json.RawMessage `json:"response,omitempty"`
	Items         int             `json:"items"`
	IDs           []string        `json:"ids"`
	Pages         int             `json:"pages"`
	Progress      int             `json:"progress"`
	Failures      int             `json:"failures"`
	ProviderCalls int             `json:"provider_calls"`
	Freshness     struct {
		Age *float64 `json:"age,omitempty"`
		Hit bool     `json:"hit"`
	} `json:"freshness"`
	Error *failure `json:"error,omitempty"`
}

type failure struct {
	Kind       string   `json:"kind"`
	Code       string   `json:"code"`
	Reason     string   `json:"reason"`
	Message    string   `json:"message"`
	Permission string   `json:"permission"`
	Project    string   `json:"project"`
	Fields     []string `json:"fields"`
	RetryDelay *float64 `json:"retry_delay,omitempty"`
	RequestID  string   `json:"request_id"`
	Missing    int      `json:"missing"`
}

// add counts an item.
func (r *result) add(item protoreflect.Message) {
	r.Items++
	id := ""
	if field := item.Descriptor().Fields().ByName("id"); field != nil {
		id = item.Get(field).String()
	}
	r.IDs = append(r.IDs, id)
}

// fail reports an error.
func (r *result) fail(err error) *result {
	f := &failure{Kind: "Other", Message: err.Error(), Fields: []string{}}
	r.Error = f
	if bad, ok := errors.AsType[*client.ConfigError](err); ok {
		f.Kind, f.Fields = "InvalidConfig", []string{bad.Argument}
		return r
	}
	if bad, ok := errors.AsType[*pages.UnsupportedError](err); ok {
		f.Kind = "InvalidConfig"
		if strings.Contains(bad.Problem, "`before`") {
			f.Fields = []string{"before"}
		}
		return r
	}
	if endless, ok := errors.AsType[*pages.EndlessError](err); ok {
		f.Kind, f.Reason = "EndlessList", camel(string(endless.Reason))
		return r
	}
	if incomplete, ok := errors.AsType[*inventories.IncompleteError](err); ok {
		f.Kind, f.Missing = "IncompleteInventory", len(incomplete.Failures)+incomplete.MoreFailures
		if len(incomplete.Reasons) > 0 {
			f.Reason = incomplete.Reasons[0].String()
		}
		return r
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		f.Kind, f.Code, f.Reason = string(e.Kind), strings.ToUpper(e.Code.String()), e.Reason
		f.Permission, f.Project, f.RequestID = e.Permission, e.Project, e.RequestID
		if e.RetryDelay > 0 {
			delay := e.RetryDelay.Seconds()
			f.RetryDelay = &delay
		}
		for _, violation := range e.Violations {
			f.Fields = append(f.Fields, violation.Field)
		}
	}
	if _, ok := errors.AsType[*leases.LostError](err); ok {
		f.Kind = "LeaseLost"
	}
	return r
}

// camel is the name of a reason: "same cursor" is SameCursor.
func camel(words string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(words) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// unmarshal reads the request of a lease; there may be none.
func unmarshal(text []byte, v any) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, v)
}
