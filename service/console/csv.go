package console

import (
	"context"
	"encoding/csv"
	"net/http"
	"strings"
	"time"
)

// Table is a table for other programs.
type Table struct {
	// Name is that of the file, without its end.
	Name string
	// Head and Rows are its cells.
	Head []string
	Rows [][]string
}

// csv sends the table of a page.
func (c *Console) csv(ctx context.Context, w http.ResponseWriter, v *Visit, p *Page) {
	ctx, cancel := context.WithTimeout(ctx, defaultDeadline)
	defer cancel()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(defaultDeadline + writeTime)) // As in stream.
	table, err := p.CSV(ctx, v)
	if err != nil {
		t := troubleOf(err)
		c.refuse(w, v, t.status, t.Text)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+fileName(table.Name)+`.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write(harmless(table.Head)) // Its errors come with Flush.
	for _, row := range table.Rows {
		_ = out.Write(harmless(row)) // As above.
	}
	if out.Flush(); out.Error() != nil {
		c.options.Logger.DebugContext(ctx, "a table of the console ends early", "error", out.Error().Error())
	}
}

// harmless are cells that no program for tables takes for a formula: one that begins like
// one gets a quote before it. Numbers stay numbers.
func harmless(cells []string) []string {
	out := make([]string, len(cells))
	for i, cell := range cells {
		begins := strings.TrimLeft(cell, " \t\r\n")
		if begins != "" && strings.ContainsRune("=+-@", rune(begins[0])) && !isNumber(cell) || cell != begins && strings.ContainsAny(cell[:1], "\t\r\n") {
			cell = "'" + cell
		}
		out[i] = cell
	}
	return out
}

// isNumber says whether a cell is a plain decimal number.
func isNumber(cell string) bool {
	digits := strings.TrimPrefix(cell, "-")
	whole, decimals, _ := strings.Cut(digits, ".")
	return whole != "" && strings.Trim(whole, "0123456789") == "" && strings.Trim(decimals, "0123456789") == ""
}

// fileName keeps what may be in the name of a file and in a header.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
}
