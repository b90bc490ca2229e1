package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	"github.com/admin-gateway/admin-gateway/service/explain"
)

// canAnswer is a verdict for programs.
type canAnswer struct {
	// Verdict is "allow", "deny" or "invalid"; Allowed is the decision alone, which for an
	// invalid request is about one that is mended.
	Verdict    string `json:"verdict"`
	Allowed    bool   `json:"allowed"`
	Permission string `json:"permission"`
	Reason     string `json:"reason"`
	Rule       string `json:"rule,omitempty"`
	Project    string `json:"project,omitempty"`
	Role       string `json:"role,omitempty"`
	// Missing are the flags that would have decided more.
	Missing []string  `json:"missing,omitempty"`
	Invalid []string  `json:"invalid,omitempty"`
	Near    []canNear `json:"near,omitempty"`
}

// canNear is a rule that nearly made another decision.
type canNear struct {
	Rule   string `json:"rule"`
	Words  string `json:"words"`
	Reason string `json:"reason"`
	Why    string `json:"why"`
	When   string `json:"when,omitempty"`
}

func newCanAnswer(v explain.Verdict) canAnswer {
	answer := canAnswer{
		Verdict: "deny", Allowed: v.Allowed, Permission: v.Permission, Reason: v.Reason.String(), Rule: v.Grant,
		Project: v.Project, Role: v.Role, Invalid: v.Invalid,
	}
	switch {
	case len(v.Invalid) > 0:
		answer.Verdict = "invalid"
	case v.Allowed:
		answer.Verdict = "allow"
	}
	for _, part := range v.Missing() {
		answer.Missing = append(answer.Missing, "--"+string(part))
	}
	for _, n := range v.Near {
		answer.Near = append(answer.Near, canNear{n.Name, explain.Words(n.Rule), n.Reason.String(), explain.Why(n, v.Permission), n.When})
	}
	return answer
}

// writeVerdict writes a line for the decision, before it one for each rule that the request
// does not meet, and after it two for each rule that nearly made another decision.
func writeVerdict(w io.Writer, v explain.Verdict) error {
	var b strings.Builder
	answer := newCanAnswer(v)
	for _, text := range answer.Invalid {
		fmt.Fprintf(&b, "invalid: %s\n", text)
	}
	b.WriteString(v.Decided())
	if len(answer.Missing) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(answer.Missing, ", "))
	}
	b.WriteByte('\n')
	for _, n := range answer.Near {
		fmt.Fprintf(&b, "  %s: %s\n    %s\n", n.Rule, n.Words, n.Why)
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = output.Printable(lines[i])
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n"))
	return err
}
