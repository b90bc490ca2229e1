package build

import (
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

func TestHeaderValues(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a token":      {"Bearer word", "Bearer word"},
		"with its end": {"Bearer word\r\n", "Bearer word"},
		"empty":        {"", ""},
		"an end alone": {"\n", ""},
		"two lines":    {"Bearer word\nX-Other: word", ""},
		"beyond ASCII": {"Bearer wörd", ""},
		"too long":     {strings.Repeat("word", maxHeaderValue), ""},
	} {
		t.Setenv("GATEWAY_TEST_HEADER", test.text)
		for _, h := range []config.Header{{Env: "GATEWAY_TEST_HEADER"}, {File: writeFile(t, "header", test.text)}} {
			value, err := headerValue(h)
			if value != test.want || (err == nil) != (test.want != "") || err != nil && strings.Contains(err.Error(), "word") {
				t.Errorf("%s: %q, error %v", name, value, err)
			}
		}
	}
}
