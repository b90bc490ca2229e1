package pages

import (
	"context"
	"html/template"
	"strconv"
	"time"

	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/money"
	"github.com/admin-gateway/admin-gateway/service/console/plot"
)

// costs is the page of what was spent.
func costs(memo *plot.Memo) *console.Page {
	return &console.Page{
		Path: "/costs", Title: "Costs", Needs: []string{permissionCosts},
		Controls: "costs-controls", Prepare: prepareCosts, CSV: costsCSV,
		Parts: []console.Part{
			{ID: "costs", Title: "Costs", Needs: permissionCosts, Wide: true, Gather: costsGatherer(memo), Template: "costs", Deadline: 3 * time.Minute},
		},
	}
}

// choice is what the controls of a page about a range say.
type choice struct {
	Range, From, To, By, Project, CSV string
	Lines                             bool
	Ranges, Splits                    []option

	span span
}

// costsChoice is what those of this page say.
type costsChoice struct {
	choice

	split split
}

// maxID bounds the id of a project in an address.
const maxID = 200

// choiceOf is what they say on the page at a path. How it is split is for the page.
func choiceOf(v *console.Visit, path string) choice {
	q := v.Query
	c := choice{
		Range: q.Get("range"), Lines: q.Get("plot") == "lines", Project: q.Get("project"), Ranges: ranges(), CSV: path + ".csv?" + q.Encode(),
		span: spanOf(q.Get("range"), q.Get("from"), q.Get("to"), v.Now),
	}
	if len(c.Project) > maxID {
		c.Project = c.Project[:maxID]
	}
	c.From, c.To = c.span.from.Format(time.DateOnly), c.span.to.Add(-day).Format(time.DateOnly)
	return c
}

func costsChoiceOf(v *console.Visit) costsChoice {
	c := costsChoice{choice: choiceOf(v, "/costs"), split: splitOf(v.Query.Get("by"))}
	c.By = c.split.Value
	for _, s := range splits() {
		c.Splits = append(c.Splits, s.option)
	}
	return c
}

func prepareCosts(v *console.Visit) any { return costsChoiceOf(v) }

// costsView is what the template "costs" shows.
type costsView struct {
	Choice   costsChoice
	Total    string
	Days     int
	Mean     string
	Plot     template.HTML
	Rows     []costRow
	Columns  []string // of the table by day
	ByDay    []dayRow
	Others   int
	Chosen   string // name of the project
	Currency string
}

// costRow is a key and what it has cost.
type costRow struct {
	Key, Name string // the name of a project, "" where it is not known
	Sum       string
	Part      float64
	Series    int // its colour, from 1; 0: that of the others
}

// dayRow is a day and what it has cost.
type dayRow struct {
	Day string
	Sum string
}

// shown are the keys that have a colour of their own; the others share one.
const shown = plot.MaxSeries - 1

// nothing stands for an empty key: what the upstream has not split.
const nothing = "(none)"

func costsGatherer(memo *plot.Memo) func(context.Context, *console.Visit) (any, error) {
	return func(ctx context.Context, v *console.Visit) (any, error) { return gatherCosts(ctx, v, memo) }
}

func gatherCosts(ctx context.Context, v *console.Visit, memo *plot.Memo) (any, error) {
	c := costsChoiceOf(v)
	all, err := gatherSpending(ctx, v, c.span, c.split, c.Project)
	if err != nil {
		return nil, err
	}
	names := namesOf(ctx, v, c.By)
	view := costsView{
		Choice: c, Total: all.total.String(), Days: len(all.days), Mean: all.total.Scaled(1, int64(len(all.days))).String(), Others: all.others, Currency: "USD",
	}
	if view.Plot, view.Rows, err = all.shown(memo, "Costs by day, in dollars", c.Lines, names); err != nil {
		return nil, err
	}
	for i := len(all.days) - 1; i >= 0; i-- {
		view.ByDay = append(view.ByDay, dayRow{c.span.from.Add(time.Duration(i) * day).Format(time.DateOnly), all.days[i].String()})
	}
	return view, nil
}

// shown is a plot of what was spent, and the keys with their colours.
func (a *spending) shown(memo *plot.Memo, title string, lines bool, names map[string]string) (template.HTML, []costRow, error) {
	step, labels := a.span.steps()
	chart := plot.Chart{Title: title, Labels: labels, Lines: lines, Format: dollars}
	ranked := a.ranked()
	var rows []costRow
	rest := make([]money.Sum, len(a.days))
	for n, key := range ranked {
		row := costRow{Key: key, Name: names[key], Sum: a.sums[key].String(), Part: a.sums[key].PartOf(&a.total)}
		if key == "" {
			row.Key = nothing
		}
		if n < shown {
			row.Series = n + 1
			chart.Series = append(chart.Series, plot.Series{Name: row.Key, Values: drawn(*a.keys[key], step)})
		} else {
			for i := range rest {
				rest[i].AddSum(&(*a.keys[key])[i])
			}
		}
		rows = append(rows, row)
	}
	if len(ranked) > shown {
		chart.Series = append(chart.Series, plot.Series{Name: "others", Values: drawn(rest, step)})
	}
	image, err := memo.HTML(chart)
	return image, rows, err
}

// drawn are the values of a series, in steps of days.
func drawn(days []money.Sum, step int) []float64 {
	values := make([]float64, len(days)/step)
	first := len(days) % step
	for i := range values {
		for _, one := range days[first+i*step : first+(i+1)*step] {
			values[i] += one.Float()
		}
	}
	return values
}

// dollars writes a value of an axis.
func dollars(value float64) string {
	switch {
	case value >= 10_000:
		return "$" + strconv.FormatFloat(value/1000, 'f', -1, 64) + "k"
	case value < 10 && value != 0:
		return "$" + strconv.FormatFloat(value, 'f', 2, 64)
	default:
		return "$" + strconv.FormatFloat(value, 'f', 0, 64)
	}
}

// costsCSV is the table of the page for other programs: a row for each day and key, of the
// same answers.
func costsCSV(ctx context.Context, v *console.Visit) (console.Table, error) {
	c := costsChoiceOf(v)
	all, err := gatherSpending(ctx, v, c.span, c.split, c.Project)
	if err != nil {
		return console.Table{}, err
	}
	names := namesOf(ctx, v, c.By)
	table := console.Table{Name: "costs-" + c.From + "-" + c.To + "-by-" + c.By, Head: []string{"day", c.split.Value, "name", "amount", "currency"}}
	for _, key := range all.ranked() {
		for i := range all.days {
			if sum := &(*all.keys[key])[i]; !sum.IsZero() {
				table.Rows = append(table.Rows, []string{
					c.span.from.Add(time.Duration(i) * day).Format(time.DateOnly), key, names[key], sum.Exact(), currency,
				})
			}
		}
	}
	return table, nil
}
