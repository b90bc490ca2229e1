package report

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"
)

//go:embed page.md.tmpl
var pageText string

// The marks around the part of a page that is written by hand.
const (
	keptBegin = "<!-- kept -->"
	keptEnd   = "<!-- end of kept -->"
)

// errMarks is the error of a page that has one mark without the other: to write it anew
// could lose what was written by hand.
var errMarks = errors.New("the page does not have the marks of the part that is kept, each once and in order")

// kept is the part of a page that is written by hand, with its marks. A page that does
// not exist yet has an empty one.
func kept(previous []byte) (string, error) {
	text := string(previous)
	if strings.TrimSpace(text) == "" {
		return keptBegin + "\n\n" + keptEnd, nil
	}
	begin, end := strings.Index(text, keptBegin), strings.Index(text, keptEnd)
	if begin < 0 || end < begin || strings.Count(text, keptBegin) != 1 || strings.Count(text, keptEnd) != 1 {
		return "", errMarks
	}
	return text[begin : end+len(keptEnd)], nil
}

type pageVerdict struct{ Row, Of, Value, Target, Word string }

type pageLine struct {
	Name  string
	Cells []string
}

type pageRow struct {
	Title string
	Heads []string
	Lines []pageLine
}

// Page is the result as a page in Markdown. What was written by hand in the previous one
// stays.
func (r Result) Page(previous []byte) ([]byte, error) {
	hand, err := kept(previous)
	if err != nil {
		return nil, err
	}
	data := struct {
		Result
		Date, Kept, Programs, Took, Piece string
		Met, Judged                       int
		Verdicts                          []pageVerdict
		Rows                              []pageRow
	}{
		Result: r, Date: r.Began.Format("2 January 2006"), Kept: hand, Programs: strings.Join(r.Machine.Programs, ", "),
		Took: time.Duration(r.Took).String(), Piece: time.Duration(r.Piece).String(),
	}
	for _, row := range r.Rows {
		for _, v := range row.Verdicts {
			data.Judged++
			if v.Met() {
				data.Met++
			}
			data.Verdicts = append(data.Verdicts, pageVerdict{
				Row: row.Title, Of: v.Of, Target: v.target(), Word: strings.ToLower(v.word()),
				Value: fmt.Sprintf("**%s** (%s)", number(v.Value.Median), span(v.Value.Low, v.Value.High)),
			})
		}
		data.Rows = append(data.Rows, row.page())
	}
	data.Skipped = slices.Clone(r.Skipped)
	for i := range data.Skipped {
		data.Skipped[i].Reason = strings.ReplaceAll(data.Skipped[i].Reason, "|", `\|`)
	}
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// page is a row as a table: a column for each unit that one of its subjects has.
func (r Row) page() pageRow {
	p := pageRow{Title: r.Title}
	columns := make(map[string]int)
	for _, s := range r.Subjects {
		for _, m := range s.Metrics {
			if _, ok := columns[m.Unit]; !ok {
				columns[m.Unit] = len(p.Heads)
				p.Heads = append(p.Heads, m.Unit)
			}
		}
	}
	for _, s := range r.Subjects {
		line := pageLine{Name: s.Name, Cells: make([]string, len(p.Heads))}
		for _, m := range s.Metrics {
			sample := m.Sample()
			line.Cells[columns[m.Unit]] = fmt.Sprintf("%s ± %.0f %%", number(sample.Median), 50*sample.Spread())
		}
		p.Lines = append(p.Lines, line)
	}
	return p
}
