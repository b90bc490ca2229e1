package pages

import (
	"cmp"
	"context"
	"errors"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/plot"
)

const (
	// usageLimit is how many days a page of usage has room for.
	usageLimit = 31
	// usageDeadline bounds the wait for a range: two years are some 26 calls, at a few a
	// minute.
	usageDeadline = 6 * time.Minute
)

// usage is the page of what was used.
func usage(memo *plot.Memo) *console.Page {
	p := usagePage{memo, usageKinds()}
	return &console.Page{
		Path: "/usage", Title: "Usage", Needs: []string{permissionUsage},
		Controls: "usage-controls", Prepare: func(v *console.Visit) any { return p.choice(v) }, CSV: p.csv,
		Parts: []console.Part{
			{ID: "usage", Title: "Usage", Needs: permissionUsage, Wide: true, Gather: p.gather, Template: "usage", Deadline: usageDeadline},
		},
	}
}

// usagePage knows the kinds of usage, and keeps drawings.
type usagePage struct {
	memo  *plot.Memo
	kinds []usageKind
}

// usageChoice is what the controls of the page say.
type usageChoice struct {
	choice

	Kind, Measure     string
	Kinds, Measurable []option

	kind    usageKind
	measure measure
	by      usageSplit
}

func (p usagePage) choice(v *console.Visit) usageChoice {
	q := v.Query
	c := usageChoice{choice: choiceOf(v, "/usage"), kind: chosen(p.kinds, func(k usageKind) string { return k.Value }, q.Get("kind"))}
	c.measure = chosen(c.kind.measures, func(m measure) string { return m.Value }, q.Get("measure"))
	c.by = chosen(c.kind.splits, func(s usageSplit) string { return s.Value }, cmp.Or(q.Get("by"), "project_id"))
	c.Kind, c.Measure, c.By = c.kind.Value, c.measure.Value, c.by.Value
	for _, k := range p.kinds {
		c.Kinds = append(c.Kinds, k.option)
	}
	for _, s := range c.kind.splits {
		c.Splits = append(c.Splits, s.option)
	}
	for _, m := range c.kind.measures {
		c.Measurable = append(c.Measurable, m.option)
	}
	return c
}

// used is what was used in a range, by key, by day and by measure.
type used struct {
	choice usageChoice
	keys   map[string]*usedBy
	total  []int64 // by measure
}

// usedBy is what one key has used.
type usedBy struct {
	sums []int64   // by measure
	days [][]int64 // by day, by measure; nil: nothing on that day
}

// gatherUsed asks for the usage of a range, window by window.
func gatherUsed(ctx context.Context, v *console.Visit, c usageChoice) (*used, error) {
	projects, err := projectsOf(v, permissionUsage, c.Project)
	if err != nil {
		return nil, err
	}
	all := &used{choice: c, keys: make(map[string]*usedBy), total: make([]int64, len(c.kind.measures))}
	windows := c.span.windows(v.Now)
	for i, w := range windows {
		v.Progress(console.Progress{Done: i, Total: len(windows), Things: "parts of the range"})
		request, err := c.request(w, projects)
		if err != nil {
			return nil, err
		}
		for page := 0; ; page++ {
			next, more, err := all.page(ctx, v, request)
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			if page == maxPages || next == "" {
				return nil, errors.New("the usage of a range has no end")
			}
			request.Set(request.Descriptor().Fields().ByName("page"), protoreflect.ValueOfString(next))
		}
	}
	return all, nil
}

// newMessage makes a message of a declaration.
func newMessage(of protoreflect.MessageDescriptor) (protoreflect.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName())
	if err != nil {
		return nil, err
	}
	return kind.New(), nil
}

// request is the question for a window.
func (c *usageChoice) request(w span, projects []string) (protoreflect.Message, error) {
	m, err := newMessage(c.kind.request)
	if err != nil {
		return nil, err
	}
	fields := c.kind.request.Fields()
	m.Set(fields.ByName("start_time"), protoreflect.ValueOfMessage(timestamppb.New(w.from).ProtoReflect()))
	m.Set(fields.ByName("end_time"), protoreflect.ValueOfMessage(timestamppb.New(w.to).ProtoReflect()))
	m.Set(fields.ByName("limit"), protoreflect.ValueOfInt32(usageLimit))
	ids := m.Mutable(fields.ByName("project_ids")).List()
	for _, id := range projects {
		ids.Append(protoreflect.ValueOfString(id))
	}
	if c.by.number != 0 {
		m.Mutable(fields.ByName("group_by")).List().Append(protoreflect.ValueOfEnum(c.by.number))
	}
	return m, nil
}

// page adds one page of an answer, and returns where the next one is.
func (u *used) page(ctx context.Context, v *console.Visit, request protoreflect.Message) (next string, more bool, err error) {
	answer, err := newMessage(u.choice.kind.answer)
	if err != nil {
		return "", false, err
	}
	if err := v.Client().CallUnary(ctx, u.choice.kind.spec, request.Interface(), answer.Interface()); err != nil {
		return "", false, err
	}
	fields := answer.Descriptor().Fields()
	buckets := answer.Get(fields.ByName("data")).List()
	for i := range buckets.Len() {
		u.add(buckets.Get(i).Message())
	}
	return answer.Get(fields.ByName("next_page")).String(), answer.Get(fields.ByName("has_more")).Bool(), nil
}

// add adds a bucket of a day. A window reaches beyond the range.
func (u *used) add(bucket protoreflect.Message) {
	fields := bucket.Descriptor().Fields()
	start, ok := bucket.Get(fields.ByName("start_time")).Message().Interface().(*timestamppb.Timestamp)
	span := u.choice.span
	if !ok || start.AsTime().Before(span.from) || !start.AsTime().Before(span.to) {
		return
	}
	at := int(start.AsTime().Sub(span.from) / day)
	results := bucket.Get(fields.ByName("results")).List()
	for i := range results.Len() {
		result := results.Get(i).Message()
		by := u.of(result)
		if by.days[at] == nil {
			by.days[at] = make([]int64, len(u.total))
		}
		for n, m := range u.choice.kind.measures {
			value := result.Get(m.field).Int()
			u.total[n] += value
			by.sums[n] += value
			by.days[at][n] += value
		}
	}
}

// of is what the key of a result has used so far.
func (u *used) of(result protoreflect.Message) *usedBy {
	key := ""
	if u.choice.by.field != nil {
		key = result.Get(u.choice.by.field).String()
	}
	if u.keys[key] == nil && len(u.keys) >= maxKeys {
		key = "beyond the first " + console.Count(maxKeys)
	}
	if u.keys[key] == nil {
		u.keys[key] = &usedBy{make([]int64, len(u.total)), make([][]int64, u.choice.span.days())}
	}
	return u.keys[key]
}

// measured is the place of the measure that was chosen.
func (u *used) measured() int {
	return slices.IndexFunc(u.choice.kind.measures, func(m measure) bool { return m.Value == u.choice.Measure })
}

// ranked are the keys, those that have used the most first.
func (u *used) ranked() []string {
	n := u.measured()
	return slices.SortedFunc(maps.Keys(u.keys), func(a, b string) int {
		return cmp.Or(cmp.Compare(u.keys[b].sums[n], u.keys[a].sums[n]), cmp.Compare(a, b))
	})
}

// usageView is what the template "usage" shows.
type usageView struct {
	Choice  usageChoice
	Plot    template.HTML
	Columns []string
	Rows    []usageRow
	Total   []int64
}

// usageRow is a key and what it has used.
type usageRow struct {
	Key, Name string
	Sums      []int64
	Series    int // its colour, from 1; 0: that of the others
}

func (p usagePage) gather(ctx context.Context, v *console.Visit) (any, error) {
	c := p.choice(v)
	all, err := gatherUsed(ctx, v, c)
	if err != nil {
		return nil, err
	}
	columns := all.columns()
	view := usageView{Choice: c, Total: all.inColumns(columns, all.total)}
	for _, n := range columns {
		view.Columns = append(view.Columns, c.kind.measures[n].Title)
	}
	view.Plot, view.Rows, err = all.shown(p.memo, columns, namesOf(ctx, v, c.By))
	return view, err
}

// maxColumns bounds the measures of the table; the file has all.
const maxColumns = 5

// columns are the measures that the table shows: the one that was chosen first, and then
// those of which there is something.
func (u *used) columns() []int {
	columns := []int{u.measured()}
	for n, total := range u.total {
		if total != 0 && n != columns[0] && len(columns) < maxColumns {
			columns = append(columns, n)
		}
	}
	return columns
}

// inColumns are the sums of the measures that the table shows.
func (u *used) inColumns(columns []int, sums []int64) []int64 {
	var shown []int64
	for _, n := range columns {
		sum := sums[n]
		if u.choice.kind.measures[n].level {
			sum /= int64(u.choice.span.days())
		}
		shown = append(shown, sum)
	}
	return shown
}

// shown is a plot of what was used, and the keys with their colours.
func (u *used) shown(memo *plot.Memo, columns []int, names map[string]string) (template.HTML, []usageRow, error) {
	c, n, days := u.choice, u.measured(), u.choice.span.days()
	step, labels := c.span.steps()
	chart := plot.Chart{Title: c.kind.Title + " by day: " + c.measure.Title, Labels: labels, Lines: c.Lines, Format: large}
	drawnAs := 1.0
	if c.measure.level {
		drawnAs = float64(step)
	}
	var rows []usageRow
	rest := make([]float64, len(chart.Labels))
	for i, key := range u.ranked() {
		by := u.keys[key]
		row := usageRow{Key: cmp.Or(key, nothing), Name: names[key], Sums: u.inColumns(columns, by.sums)}
		values := rest
		if i < shown {
			values = make([]float64, len(chart.Labels))
			row.Series = i + 1
			chart.Series = append(chart.Series, plot.Series{Name: row.Key, Values: values})
		}
		for at, used := range by.days[days%step:] {
			if used != nil {
				values[at/step] += float64(used[n]) / drawnAs
			}
		}
		rows = append(rows, row)
	}
	if len(rows) > shown {
		chart.Series = append(chart.Series, plot.Series{Name: "others", Values: rest})
	}
	image, err := memo.HTML(chart)
	return image, rows, err
}

// large writes a value of an axis in short.
func large(value float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}} {
		if value >= unit.of {
			return strconv.FormatFloat(math.Round(value/unit.of*10)/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(value, 'f', 0, 64)
}

// csv is the table of the page for other programs: a row for each day and key, with all
// measures.
func (p usagePage) csv(ctx context.Context, v *console.Visit) (console.Table, error) {
	c := p.choice(v)
	all, err := gatherUsed(ctx, v, c)
	if err != nil {
		return console.Table{}, err
	}
	names := namesOf(ctx, v, c.By)
	table := console.Table{Name: "usage-" + c.Kind + "-" + c.From + "-" + c.To + "-by-" + c.By, Head: []string{"day", c.By, "name"}}
	for _, m := range c.kind.measures {
		table.Head = append(table.Head, m.Value)
	}
	for _, key := range all.ranked() {
		for at, values := range all.keys[key].days {
			if values == nil {
				continue
			}
			row := []string{c.span.from.Add(time.Duration(at) * day).Format(time.DateOnly), key, names[key]}
			for _, value := range values {
				row = append(row, strconv.FormatInt(value, 10))
			}
			table.Rows = append(table.Rows, row)
		}
	}
	return table, nil
}
