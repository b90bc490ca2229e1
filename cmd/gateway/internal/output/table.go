package output

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// narrowest is how narrow a column becomes where a terminal has no room.
	narrowest = 8
	gap       = "  "
	ellipsis  = "…"
	// buffered is how many rows decide on the widths of the columns. Those behind them
	// have the same.
	buffered = 1000
)

// Table is a table of text in columns as wide as their cells, or, where that is more than
// the terminal has, as wide as is fair. Rows are kept until there are a thousand of them,
// or [Table.Close].
type Table struct {
	w       io.Writer
	width   int
	rows    [][]string
	columns []int
}

// NewTable begins a table with the names of its columns, on a writer of a width in
// characters; 0 is unlimited.
func NewTable(w io.Writer, width int, names ...string) *Table {
	t := &Table{w: w, width: width}
	if len(names) > 0 {
		t.rows = append(t.rows, names)
	}
	return t
}

// Row adds a row. Its cells are made printable; an empty one is shown as "-".
func (t *Table) Row(cells ...string) error {
	row := make([]string, len(cells))
	for i, cell := range cells {
		if row[i] = Printable(cell); cell == "" {
			row[i] = "-"
		}
	}
	if t.rows = append(t.rows, row); len(t.rows) < buffered {
		return nil
	}
	return t.Close()
}

// Close writes what is kept.
func (t *Table) Close() error {
	if t.columns == nil {
		t.columns = t.measure()
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString(gap)
			}
			width := utf8.RuneCountInString(cell)
			if i < len(t.columns) && width > t.columns[i] && t.width > 0 {
				cell, width = cut(cell, t.columns[i]), t.columns[i]
			}
			line.WriteString(cell)
			if i < len(row)-1 && i < len(t.columns) {
				line.WriteString(strings.Repeat(" ", max(t.columns[i]-width, 0)))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.w, b.String())
	return err
}

// measure is the width of each column.
func (t *Table) measure() []int {
	var columns []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(columns) {
				columns = append(columns, 0)
			}
			columns[i] = max(columns[i], utf8.RuneCountInString(cell))
		}
	}
	if t.width > 0 {
		shrink(columns, t.width-len(gap)*(len(columns)-1))
	}
	return columns
}

// shrink takes from the widest columns until all have room, or all are narrow.
func shrink(columns []int, room int) {
	for over := total(columns) - room; over > 0; over = total(columns) - room {
		widest := slices.Max(columns)
		if widest <= narrowest {
			return
		}
		next, widestOnes := narrowest, 0
		for _, c := range columns {
			if c == widest {
				widestOnes++
			} else {
				next = max(next, c)
			}
		}
		take := max(1, min(widest-next, (over+widestOnes-1)/widestOnes))
		for i, c := range columns {
			if c == widest {
				columns[i] = max(c-take, narrowest)
			}
		}
	}
}

func total(columns []int) int {
	sum := 0
	for _, c := range columns {
		sum += c
	}
	return sum
}

// cut is the beginning of a text, with a mark that there is more.
func cut(text string, width int) string {
	runes := []rune(text)
	return string(runes[:max(width-1, 0)]) + ellipsis
}
