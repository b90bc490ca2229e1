package upstream_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestAnEchoedKeyGoesNoFurther: an answer that has the admin key, as a value, as the
// name of a member, or escaped, is passed on without it or not at all, and is logged.
func TestAnEchoedKeyGoesNoFurther(t *testing.T) {
	t.Parallel()
	escaped := ""
	for _, r := range canary {
		escaped += fmt.Sprintf(`\u%04X`, r)
	}
	for name, test := range map[string]struct {
		body    string
		refused bool
	}{
		"a value":        {`{"id":"proj_1","name":"your key is ` + canary + `, hide it"}`, false},
		"a member":       {`{"id":"proj_1","` + canary + `":true}`, false},
		"everywhere":     {`{"id":"` + canary + `","name":"` + canary + canary + `"}`, false},
		"escaped":        {`{"id":"proj_1","name":"` + escaped + `"}`, true},
		"an escape else": {`{"id":"proj_1","name":"\u00e9 ` + canary + `"}`, false},
		"nothing":        {`{"id":"proj_1","name":"\u00e9"}`, false},
	} {
		logged, watched := watch(canary)
		client := newClient(t, "https://api.example.com/v1", watched, func(c *upstream.Config) { c.Transport = answer{status: 200, body: test.body} })
		c := getProject(t)
		reply, err := c.do(t.Context(), client)
		if (err != nil) != test.refused {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if has := name != "nothing"; strings.Contains(logged.String(), "sent the admin key back") != has {
			t.Errorf("%s: logged %s", name, logged)
		}
		if err != nil {
			continue
		}
		if !json.Valid(reply.Body) || strings.Contains(string(reply.Body), canary) || !strings.Contains(string(reply.Body), `"id":`) {
			t.Errorf("%s: %s", name, reply.Body)
		}
	}
}
