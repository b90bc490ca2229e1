package promql

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// units are those that a query can have, by its form; the first form that fits decides.
var units = []struct {
	form    *regexp.Regexp
	allowed []string
}{
	{regexp.MustCompile(`histogram_quantile|^time\(\) -|_sum\{.*/.*_count\{|^max\(gateway_\w+_seconds\{`), []string{"s"}},
	{regexp.MustCompile(`^\(?sum\(rate\(.*\) / sum\(rate\(`), []string{"percentunit"}},
	{regexp.MustCompile(`_per_minute\{|60 \* sum`), []string{"reqpm"}},
	{regexp.MustCompile(`_bytes\{`), []string{"bytes"}},
	{regexp.MustCompile(`rate\(\w+_seconds_total\{`), []string{"short"}}, // Seconds in a second.
	{regexp.MustCompile(`rate\(`), []string{"reqps", "ops", "wps", "cps"}},
	{regexp.MustCompile(`.`), []string{"short"}},
}

// TestUnits: a panel has the unit of its queries, all of which have the same.
func TestUnits(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Panels []struct {
			Title       string
			Targets     []struct{ Expr string }
			FieldConfig struct{ Defaults struct{ Unit string } }
		}
	}
	if err := json.Unmarshal(read(t, "deploy", "grafana", "admin-gateway.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, u := range units {
				if !u.form.MatchString(target.Expr) {
					continue
				}
				if unit := p.FieldConfig.Defaults.Unit; !strings.Contains(" "+strings.Join(u.allowed, " ")+" ", " "+unit+" ") {
					t.Errorf("panel %q has the unit %q, and %s is in %s", p.Title, unit, target.Expr, strings.Join(u.allowed, " or "))
				}
				break
			}
		}
	}
}

// TestPanelsDoNotOverlap: each panel has its place.
func TestPanelsDoNotOverlap(t *testing.T) {
	t.Parallel()
	type panel struct {
		Title   string
		GridPos struct{ X, Y, W, H int }
	}
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal(read(t, "deploy", "grafana", "admin-gateway.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	for n, p := range dashboard.Panels {
		for _, other := range dashboard.Panels[:n] {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q and %q are in the same place", p.Title, other.Title)
			}
		}
	}
}
