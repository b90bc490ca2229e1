package main

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
)

type catalogCommand struct {
	Format string `enum:"table,tsv,json" default:"table" help:"table, which on a terminal has the columns that fit, tsv or json."`
	Filter string `placeholder:"TEXT" help:"Only the RPCs whose line contains this text: projects.read, DELETE, /organization/users."`
}

// Run prints the catalog.
func (c *catalogCommand) Run(std streams) error {
	catalog, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		return err
	}
	width := output.Width(std.out)
	if c.Format != "table" || width == 0 {
		return catalog.WriteMatching(std.out, c.Format, c.Filter)
	}
	var listing bytes.Buffer
	if err := catalog.WriteMatching(&listing, "tsv", c.Filter); err != nil {
		return err
	}
	table := output.NewTable(std.out, width)
	for _, row := range fitting(listing.String(), width) {
		if err := table.Row(row...); err != nil {
			return err
		}
	}
	return table.Close()
}

// byImportance are the columns of a listing in the order in which they are shown where a
// terminal has no room for all of them.
var byImportance = []string{"RPC", "PERMISSION", "VERB", "PATH", "SCOPE", "CACHE", "BUDGET", "STALE", "INVALIDATES"} //nolint:gochecknoglobals // Never changes.

// fewest is how many columns are shown on any terminal, if need be cut.
const fewest = 2

// fitting are the rows of a listing, of as many columns as a width has room for. RPCs are
// without their package.
func fitting(listing string, width int) [][]string {
	lines := strings.Split(strings.TrimSuffix(listing, "\n"), "\n")
	heading := strings.Split(lines[0], "\t")
	rows := make([][]string, len(lines))
	room := width
	for shown, name := range byImportance {
		column, widest := slices.Index(heading, name), 0
		cells := make([]string, len(lines))
		for i, line := range lines {
			cells[i] = strings.Split(line, "\t")[column]
			if service, method, ok := strings.Cut(cells[i], "/"); ok && name == "RPC" {
				cells[i] = service[strings.LastIndexByte(service, '.')+1:] + "/" + method
			}
			widest = max(widest, utf8.RuneCountInString(cells[i]))
		}
		if room -= widest + 2; room < -2 && shown >= fewest {
			break
		}
		for i := range rows {
			rows[i] = append(rows[i], cells[i])
		}
	}
	return rows
}
