package plot

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/go-analyze/charts" //nolint:misspell // Its name.
)

// MaxSeries bounds the series of a chart: the style has as many colours.
const MaxSeries = 9

// maxPoints bounds the points of a series, so that a drawing stays small.
const maxPoints = 800

// Series are the values of one name.
type Series struct {
	// Name is for the legend, which the page shows.
	Name string
	// Values are as many as the chart has labels.
	Values []float64
}

// Chart is a drawing.
type Chart struct {
	// Title says what it shows, for who does not see it.
	Title string
	// Labels are those of the axis below, made by the gateway: dates.
	Labels []string
	// Series are drawn in this order; those beyond [MaxSeries] are an error.
	Series []Series
	// Lines draws lines in place of stacked bars.
	Lines bool
	// Format writes a value of the axis at the left.
	Format func(float64) string
}

// size is one of the forms of a chart: text does not shrink with a page.
type size struct {
	class         string
	width, height int
	labels        int
}

// sizes are those for wide and for narrow pages; the style shows one.
func sizes() []size {
	return []size{{"plot for-wide", 1240, 270, 16}, {"plot for-narrow", 380, 230, 5}}
}

// HTML is the drawing, in its two sizes.
func (c Chart) HTML() (template.HTML, error) {
	if len(c.Series) > MaxSeries || len(c.Labels) > maxPoints {
		return "", fmt.Errorf("plot: %d series of %d points are too many", len(c.Series), len(c.Labels))
	}
	for _, s := range c.Series {
		if len(s.Values) != len(c.Labels) {
			return "", fmt.Errorf("plot: a series of %d values for %d labels", len(s.Values), len(c.Labels))
		}
	}
	if len(c.Series) == 0 || len(c.Labels) == 0 {
		return "", nil
	}
	var b strings.Builder
	for _, s := range sizes() {
		drawn, err := c.draw(s)
		if err != nil {
			return "", fmt.Errorf("plot: %w", err)
		}
		b.WriteString(`<div class="` + s.class + `">`)
		if err := clean(&b, drawn, c.Title, s); err != nil {
			return "", fmt.Errorf("plot: %w", err)
		}
		b.WriteString("</div>")
	}
	return template.HTML(b.String()), nil //nolint:gosec // clean has written it, of known elements alone.
}

// fontSize is that of labels, in points: 12 pixels.
const fontSize = 9

// thinned are labels of which some have a text, as many as there is room for.
func thinned(labels []string, most int) []string {
	step := (len(labels) + most - 1) / most
	some := make([]string, len(labels))
	for i := 0; i < len(labels); i += step {
		some[i] = labels[i]
	}
	return some
}

func (c Chart) draw(s size) ([]byte, error) {
	values := make([][]float64, len(c.Series))
	for i, series := range c.Series {
		values[i] = series.Values
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: s.width, Height: s.height, Theme: theme()})
	font := charts.FontStyle{FontSize: fontSize, FontColor: ink}
	below := charts.CategoryAxisOption{Labels: thinned(c.Labels, s.labels), LabelFontStyle: font, LabelCount: len(c.Labels)}
	left := []charts.ValueAxisOption{{LabelFontStyle: font, ValueFormatter: c.Format, Min: charts.Ptr(0.0), LabelCount: 5}}
	hidden := charts.LegendOption{Show: charts.Ptr(false)}
	padding := charts.NewBox(6, 6, 10, 2)
	var err error
	if c.Lines {
		o := charts.NewLineChartOptionWithData(values)
		o.Theme, o.XAxis, o.YAxis, o.Legend, o.Padding = theme(), below, left, hidden, padding
		o.Symbol, o.LineStrokeWidth = charts.Symbol{Shape: charts.SymbolNone}, 2
		err = p.LineChart(o)
	} else {
		o := charts.NewBarChartOptionWithData(values)
		o.Theme, o.CategoryAxis, o.ValueAxis, o.Legend, o.Padding = theme(), below, left, hidden, padding
		o.StackSeries = charts.Ptr(true)
		err = p.BarChart(o)
	}
	if err != nil {
		return nil, err
	}
	return p.Bytes()
}
