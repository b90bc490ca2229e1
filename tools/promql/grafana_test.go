package promql

import (
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// faultsOf are the differences of a dashboard from Grafana's schema. Without any, the
// library returns an error that is empty.
func faultsOf(text []byte) string {
	var d dashboard.Dashboard //nolint:staticcheck // The next schema is for another form of dashboards.
	if err := d.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := d.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

// TestDashboardIsGrafanas: the dashboard has the members that Grafana's own schema has,
// with their types, all that are required, and no other.
func TestDashboardIsGrafanas(t *testing.T) {
	t.Parallel()
	plugins.RegisterDefaultPlugins()
	if faults := faultsOf(read(t, "deploy", "grafana", "admin-gateway.json")); faults != "" {
		t.Error(faults)
	}
	for text, want := range map[string]string{
		`{"title": "a", "schemaVersion": 39, "colour": "red"}`:                             "colour",
		`{"schemaVersion": 39, "panels": [{"type": "stat", "titel": "a"}]}`:                "titel",
		`{"title": 1, "schemaVersion": 39}`:                                                "number",
		`{"schemaVersion": 39, "panels": [{"type": "stat", "title": "a", "options": {}}]}`: "reduceOptions",
	} {
		if faults := faultsOf([]byte(text)); !strings.Contains(faults, want) {
			t.Errorf("%s: %q", text, faults)
		}
	}
}
