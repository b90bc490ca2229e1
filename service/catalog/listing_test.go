package catalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1" // its RPCs are in the inventory
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

var update = flag.Bool("update", false, "write testdata/catalog.golden anew")

const columns = 9

func listing(t *testing.T, format string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := catalogtest.Gateway(t).WriteListing(&out, format); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// rows are the lines of the inventory without its heading, cut in columns.
func rows(t *testing.T) [][]string {
	t.Helper()
	var all [][]string
	for line := range strings.Lines(string(listing(t, "tsv"))) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return all[1:]
}

// TestGoldenInventory shows in review what a change of a declaration changes.
func TestGoldenInventory(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "catalog.golden")
	got := listing(t, "tsv")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the inventory is not %s; if it should be so, run make golden (-golden +now):\n%s", golden, diff)
	}
}

func TestInventoryIsComplete(t *testing.T) {
	t.Parallel()
	services := map[string]bool{}
	all := rows(t)
	for _, row := range all {
		if len(row) != columns || slices.Contains(row, "") {
			t.Errorf("row %q has not %d filled columns", row, columns)
		}
		name, _, _ := strings.Cut(row[0], "/")
		services[name] = true
	}
	declaredRPCs, declaredServices := 0, 0
	for _, file := range catalog.Files() {
		declaredServices += file.Services().Len()
		for i := range file.Services().Len() {
			declaredRPCs += file.Services().Get(i).Methods().Len()
		}
	}
	if len(all) != declaredRPCs || len(services) != declaredServices || declaredRPCs < 143 {
		t.Errorf("%d RPCs in %d services, want %d in %d", len(all), len(services), declaredRPCs, declaredServices)
	}
}

// TestInventoryMatchesUpstream compares with the list of the vendor's
// operations, which is beside the project and not part of it.
func TestInventoryMatchesUpstream(t *testing.T) {
	t.Parallel()
	list := filepath.Join("..", "..", "..", "shared", "upstream", "endpoints-2026-11.tsv")
	content, err := os.ReadFile(list)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not part of the project and not here", list)
	}
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for i, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		fields := strings.Split(line, "\t")
		if i == 0 || len(fields) < 4 {
			continue
		}
		want = append(want, fields[0]+"/"+fields[1]+" "+fields[2]+" "+fields[3])
	}
	for _, row := range rows(t) {
		if row[1] != "-" { // Else the gateway answers it itself.
			got = append(got, strings.TrimPrefix(row[0], string(catalog.MirrorPackage)+".")+" "+row[1]+" "+row[2])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("RPCs are not the upstream's operations (-upstream +methods):\n%s", diff)
	}
}

func TestInventoryAsJSON(t *testing.T) {
	t.Parallel()
	var entries []struct {
		Procedure, Verb, Path, Permission, Scope, Cache, Stale, Budget string
		Invalidates                                                    []string
		StaleBy                                                        []string `json:"stale_by"`
		Secret                                                         bool
	}
	decoder := json.NewDecoder(bytes.NewReader(listing(t, "json")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&entries); err != nil {
		t.Fatal(err)
	}
	all := rows(t)
	if len(entries) != len(all) {
		t.Fatalf("%d entries, want %d", len(entries), len(all))
	}
	for i, e := range entries {
		row := []string{e.Procedure, e.Verb, e.Path, e.Permission, e.Scope, e.Cache, e.Stale, e.Budget, strings.Join(e.Invalidates, " ")}
		want := slices.Clone(all[i])
		if e.Secret != strings.Contains(want[5], "secret") {
			t.Errorf("%s: secret is %t, but the column says %q", e.Procedure, e.Secret, want[5])
		}
		// What a column spells for its readers is an absent member here.
		for column, words := range map[int][]string{1: {"-"}, 2: {"-"}, 5: {"-", "never", "never: secret"}, 6: {"-"}, 7: {"-"}, 8: {"-", "nothing"}} {
			if slices.Contains(words, want[column]) {
				want[column] = ""
			}
		}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Errorf("entry %d (-tsv +json):\n%s", i, diff)
		}
	}
}

func TestInventoryAsTable(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(string(listing(t, "table")), "\n"), "\n")
	all := rows(t)
	if len(lines) != len(all)+1 {
		t.Fatalf("%d lines, want %d and a heading", len(lines), len(all))
	}
	// Every column begins where its heading does.
	for i, row := range all {
		for column, heading := range []string{"RPC", "VERB", "PATH", "PERMISSION", "SCOPE", "CACHE", "STALE", "BUDGET", "INVALIDATES"} {
			at := strings.Index(lines[0], heading)
			if at < 0 || at > len(lines[i+1]) || !strings.HasPrefix(lines[i+1][at:], row[column]) {
				t.Errorf("line %q has no %q under %s", lines[i+1], row[column], heading)
			}
		}
	}
}

var errFull = errors.New("full") // what fullWriter always fails with

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func TestInventoryErrors(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	var out bytes.Buffer
	if err := methods.WriteListing(&out, "yaml"); !errors.Is(err, catalog.ErrListingFormat) || out.Len() > 0 {
		t.Errorf("format yaml: error %v and %d bytes", err, out.Len())
	}
	for _, format := range []string{"table", "tsv", "json"} {
		if err := methods.WriteListing(fullWriter{}, format); !errors.Is(err, errFull) {
			t.Errorf("format %s into a full writer: error %v", format, err)
		}
	}
}
