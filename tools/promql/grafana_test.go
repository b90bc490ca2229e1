package promql

import (
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestDashboardIsGrafanas: the dashboard has the members that Grafana's own schema has,
// with their types, all that are required, and no other.
func TestDashboardIsGrafanas(t *testing.T) {
	t.Parallel()
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	if err := d.UnmarshalJSONStrict(read(t, "deploy", "grafana", "admin-gateway.json")); err != nil {
		t.Error(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"unknown member":       `{"title": "a", "schemaVersion": 39, "colour": "red"}`,
		"unknown panel member": `{"schemaVersion": 39, "panels": [{"type": "stat", "titel": "a"}]}`,
		"wrong type":           `{"title": 1, "schemaVersion": 39}`,
	} {
		if err := new(dashboard.Dashboard).UnmarshalJSONStrict([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
