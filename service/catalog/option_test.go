package catalog_test

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestWithExactAnswers: every method refuses what it would leave out otherwise.
func TestWithExactAnswers(t *testing.T) {
	t.Parallel()
	const odd = `{"id":"proj_1","name":7}`
	for exact, options := range map[bool][]catalog.Option{false: nil, true: {catalog.WithExactAnswers()}} {
		methods, err := catalog.New(catalog.Files(), nil, options...)
		if err != nil {
			t.Fatal(err)
		}
		m, match := methods.Match("GET", "/organization/projects/proj_1")
		if m == nil || match.Endpoint != m.Endpoint {
			t.Fatal("the router has another endpoint")
		}
		answer, err := m.Endpoint.Decode([]byte(odd))
		if exact != (err != nil) || exact != (answer.JSON == nil) {
			t.Errorf("exact %t: got %q without %q, %v", exact, answer.JSON, answer.Omitted, err)
		}
	}
}
