package pathtemplate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/pathtemplate"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := pathtemplate.Parse("/organization/*/users/{user_id}")
	want := []pathtemplate.Segment{{Literal: "organization"}, {Literal: pathtemplate.Any}, {Literal: "users"}, {Variable: "user_id", IsVariable: true}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if shape := pathtemplate.Shape(got); shape != "/organization/*/users/{}" {
		t.Errorf("the shape is %q", shape)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"":               "slash",
		"organization":   "slash",
		"/":              "empty segment",
		"/a//b":          "empty segment",
		"/a/":            "empty segment",
		"/a/..":          `".."`,
		"/a/us*rs":       `"us*rs"`,
		"/a/{id":         "does not fill",
		"/a/{id}:cancel": "does not fill",
		"/a/id}":         `"id}"`,
		"/a/b?limit=1":   "limit=1",
		"/a/%2e":         `"%2e"`,
		"/a/b c":         `"b c"`,
		"/a/\u00e9":      "neither",
	} {
		if _, err := pathtemplate.Parse(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", template, err, want)
		}
	}
}
