package recordtext_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/recordtext"
)

// TestEveryReasonHasWords: each reason of authentication and of authorization has a text
// of its own, which is not the reason itself. The reasons are those of the code.
func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	check := func(reason, text string) {
		if strings.Contains(text, reason) && strings.Contains(reason, "_") || seen[text] != "" || text == "" {
			t.Errorf("%s: %q, like %s", reason, text, seen[text])
		}
		seen[text] = reason
	}
	for _, reason := range reasonsIn(t, "../authn/errors.go", `Reason = "([a-z_]+)"`, 16) {
		check(reason, recordtext.Why(&controlv1.AuditRecord{Decision: "unauthenticated", Reason: reason}))
	}
	for _, reason := range reasonsIn(t, "../authz/decision.go", `return "([a-z_]+)"`, 12) {
		if reason == "granted" || reason == "unknown" {
			continue
		}
		text := recordtext.Why(&controlv1.AuditRecord{
			Decision: "denied", Reason: reason, Permission: "projects.read", Grant: "denies[0]", DeniedProject: "proj_1", DeniedRole: "role-1",
		})
		check(reason, text)
		if reason != "unknown_caller" && !strings.Contains(text, "projects.read") {
			t.Errorf("%s: %q names no permission", reason, text)
		}
	}
}

func reasonsIn(t *testing.T, file, pattern string, least int) (all []string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		all = append(all, match[1])
	}
	if len(all) < least {
		t.Fatalf("%d reasons in %s", len(all), file)
	}
	return all
}

func TestWords(t *testing.T) {
	t.Parallel()
	took, waited := durationpb.New(4300*time.Millisecond), durationpb.New(4201*time.Millisecond)
	for _, test := range []struct{ got, want string }{
		{recordtext.Why(&controlv1.AuditRecord{Decision: "allowed", Grant: "grants[1]", Code: "ok"}), "allowed by grants[1] of the caller"},
		{recordtext.Why(&controlv1.AuditRecord{Decision: "allowed", Grant: "grants[1]", Code: "resource_exhausted", Error: "NO_BUDGET"}), "allowed by grants[1] of the caller, and not made: the budget had no call for it in time"},
		{recordtext.Why(&controlv1.AuditRecord{Decision: "limited", Error: "CALLER_LIMIT"}), "beyond the caller's limits of rate or concurrency"},
		{recordtext.Why(&controlv1.AuditRecord{Decision: "denied", Reason: "of_tomorrow"}), "not allowed: of_tomorrow"},
		{recordtext.Waited(&controlv1.AuditRecord{Duration: took, Waited: waited, Budget: "list_users"}), "4.2s of 4.3s for the budget list_users"},
		{recordtext.Waited(&controlv1.AuditRecord{Duration: took, Waited: waited, Budget: "list_users", Cache: "coalesced"}), "4.2s of 4.3s for the fetch of another call, which took from the budget list_users"},
		{recordtext.Waited(&controlv1.AuditRecord{Duration: took, Budget: "list_users"}), "not at all; it took a call from the budget list_users"},
		{recordtext.Waited(&controlv1.AuditRecord{Duration: took}), ""},
		{recordtext.Who(&controlv1.AuditRecord{Peer: "192.0.2.1:1", ForwardedFor: "203.0.113.7", Presented: "0123456789ab", Door: "grpc"}), "a stranger who presented 0123456789ab from 203.0.113.7 (behind 192.0.2.1:1), by grpc"},
		{recordtext.What(&controlv1.AuditRecord{Method: "a.B/C", Resources: map[string]string{"user_id": "u", "project_id": "p"}, Projects: []string{"p", "q"}}), "a.B/C project_id=p user_id=u projects=q"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}
