package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// TestCatalogFits: a terminal gets the columns that it has room for, and the first two on
// any; a filter leaves the lines that contain it.
func TestCatalogFits(t *testing.T) {
	t.Parallel()
	methods, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		t.Fatal(err)
	}
	var listing bytes.Buffer
	if err := methods.WriteMatching(&listing, "tsv", "PROJECTS.READ"); err != nil {
		t.Fatal(err)
	}
	for width, columns := range map[int]int{40: 2, 80: 3, 120: 6, 10_000: 9} {
		rows := fitting(listing.String(), width)
		if len(rows) < 3 || len(rows) > 10 {
			t.Fatalf("%d rows", len(rows))
		}
		for _, row := range rows {
			if len(row) != columns {
				t.Errorf("width %d: %d columns, want %d", width, len(row), columns)
			}
			if used := utf8.RuneCountInString(strings.Join(row, "  ")); columns > fewest && used > width {
				t.Errorf("width %d: a row takes %d", width, used)
			}
		}
		if rows[1][1] != "projects.read" || strings.Contains(rows[1][0], ".") {
			t.Errorf("%q", rows[1])
		}
	}
	for _, format := range []string{"table", "tsv", "json"} {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"catalog", "--filter", "ProjectService/GetProject", "--format", format}, streams{&out, &out}); code != 0 ||
			!strings.Contains(out.String(), "ProjectService/GetProject") || strings.Contains(out.String(), "ListProjects\t") {
			t.Errorf("%s: exit code %d, %s", format, code, &out)
		}
	}
}
