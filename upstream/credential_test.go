package upstream_test

import (
	"fmt"
	"strings"
	"testing"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestCredentialsAreMaskedWhereNoneBelong: the answer of an operation that hands out no
// key has none, and nothing else of it is changed.
func TestCredentialsAreMaskedWhereNoneBelong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("aB3cD4eF5gH6iJ7kL8_-", 8)
	escaped := ""
	for _, r := range "sk-proj-" + long {
		escaped += fmt.Sprintf(`\u%04x`, r)
	}
	for body, want := range map[string]string{
		// Keys, wherever they stand.
		`{"id":"a","value":"sk-admin-0123456789abcdefghij"}`:                       `{"id":"a","value":"sk-***"}`,
		`{"id":"a","redacted_value":"sk-` + strings.Repeat("aB3", 16) + `"}`:       `{"id":"a","redacted_value":"sk-***"}`,
		`{"id":"a","x":["sk-svcacct-abcdefghijklmnopqrst1234","b"]}`:               `{"id":"a","x":["sk-***","b"]}`,
		`{"id":"a","name":"it is sk-proj-a_T3BlbkFJ-bcdefghijkl, keep it"}`:        `{"id":"a","name":"it is sk-***, keep it"}`,
		`{"id":"a","sk-admin-0123456789abcdefghij":1}`:                             `{"id":"a","sk-***":1}`,
		`{"id":"a","name":"` + escaped + `"}`:                                      ``,
		`{"id":"a","two":"sk-admin-0123456789abcdefghij sk-0123456789abcdefghij"}`: `{"id":"a","two":"sk-*** sk-***"}`,
		// Behind the last character of an escape, which is none of a word.
		`{"id":"a","name":"line\nsk-admin-0123456789abcdefghij"}`:     `{"id":"a","name":"line\nsk-***"}`,
		`{"id":"a","name":"caf\u00e9sk-admin-0123456789abcdefghij"}`:  `{"id":"a","name":"caf\u00e9sk-***"}`,
		`{"id":"a","name":"?a=b%20sk-admin-0123456789abcdefghij"}`:    `{"id":"a","name":"?a=b%20sk-***"}`,
		`{"id":"a","name":"\\nsk-admin-0123456789abcdefghij"}`:        "same", // A backslash, and a word.
		`{"a":"sk-admin-0123456789abcdefghij","b":"` + escaped + `"}`: ``,
		// What the upstream has redacted, ids, words.
		`{"id":"key_abc123","redacted_value":"sk-admin...def"}`:                     "same",
		`{"id":"a","redacted_value":"sk-admin-****************1234"}`:               "same",
		`{"id":"a","redacted_value":"sk-admin-***"}`:                                "same",
		`{"id":"a","name":"sk-learn-pipeline-2024-for-production-v2"}`:              "same",
		`{"id":"a","name":"task-0123456789abcdefghij, risk-0123456789abcdefghij"}`:  "same",
		`{"id":"proj_AMjpb18YUsKrQRxdhIYi6Sn7","name":"sk-admin-sandbox"}`:          "same",
		`{"id":"a","name":"sk-` + strings.Repeat("very_long_name_", 9) + `\u0041"}`: "same",
	} {
		var seen attempted
		client := newClient(t, "https://api.example.com/v1", func(c *upstream.Config) {
			c.Transport, c.Attempts, c.Key = answer{status: 200, body: body}, &seen, fixedKey("another-key")
		})
		reply, err := getProject(t).do(t.Context(), client)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		got, masked := string(reply.Body), seen.masked[upstream.MaskedCredential]
		switch want {
		case "same":
			if got != body || masked != 0 {
				t.Errorf("%s became %s, counted %d", body, got, masked)
			}
		case "":
			if !strings.Contains(got, "sk-***") || strings.Contains(got, long) || strings.Contains(got, `\u`) || masked != 1 {
				t.Errorf("%s became %s, counted %d", body, got, masked)
			}
		default:
			if got != want || masked != 1 {
				t.Errorf("%s became %s, counted %d, want %s", body, got, masked, want)
			}
		}
	}
}

// TestCreatedKeysAreHandedOut: an operation that is declared to answer with a key does.
func TestCreatedKeysAreHandedOut(t *testing.T) {
	t.Parallel()
	const body = `{"object":"organization.admin_api_key","id":"key_1","name":"new","value":"sk-admin-0123456789abcdefghij"}`
	var seen attempted
	client := newClient(t, "https://api.example.com/v1", func(c *upstream.Config) {
		c.Transport, c.Attempts = answer{status: 200, body: body}, &seen
	})
	e := endpoint(t, "AdminApiKeyService.CreateAdminApiKey")
	reply, err := client.Do(t.Context(), e, request(t, e, &adminv1.CreateAdminApiKeyRequest{Name: "new"}))
	if err != nil || string(reply.Body) != body || len(seen.masked) != 0 {
		t.Errorf("got %s, %v, masked %v", reply.Body, err, seen.masked)
	}
}
