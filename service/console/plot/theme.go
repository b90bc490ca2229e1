package plot

import (
	"fmt"
	"strconv"

	"github.com/go-analyze/charts" //nolint:misspell // Its name.
)

// The colours of a drawing stand for classes, by which the style of the page gives it
// others.
var (
	ink   = charts.Color{R: 1, G: 1, B: 1, A: 255} //nolint:gochecknoglobals // A constant.
	axis  = charts.Color{R: 2, G: 2, B: 2, A: 255} //nolint:gochecknoglobals // As above.
	paper = charts.Color{R: 3, G: 3, B: 3, A: 255} //nolint:gochecknoglobals // As above.
)

// seriesColor is that of the nth series, from 0.
func seriesColor(n int) charts.Color { return charts.Color{R: uint8(100 + n), G: 4, B: 4, A: 255} }

func theme() charts.ColorPalette {
	series := make([]charts.Color, MaxSeries)
	for i := range series {
		series[i] = seriesColor(i)
	}
	return charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: axis, AxisSplitLineColor: axis, BackgroundColor: paper, TextColor: ink, TextColorTitle: ink, TextColorMark: ink,
		TextColorLabel: ink, TextColorLegend: ink, TextColorXAxis: ink, TextColorYAxis: ink, SeriesColors: series,
	})
}

// classOf is the class for a colour that fills or strokes, in the form rgb(r,g,b) or
// rgba(r,g,b,a); "" for none.
func classOf(color string, fills bool) (class, opacity string, err error) {
	var r, g, b int
	var a float64
	if color == "none" || color == "" {
		return "", "", nil
	}
	if n, _ := fmt.Sscanf(color, "rgba(%d,%d,%d,%f)", &r, &g, &b, &a); n == 4 {
		opacity = strconv.FormatFloat(min(1, max(0, a)), 'f', 2, 64)
	} else if n, _ := fmt.Sscanf(color, "rgb(%d,%d,%d)", &r, &g, &b); n != 3 {
		return "", "", fmt.Errorf("a colour of the drawing is %q", color)
	}
	switch {
	case r == int(ink.R) && g == r:
		return "ink", opacity, nil
	case r == int(axis.R) && g == r:
		return "axis", opacity, nil
	case r == int(paper.R) && g == r:
		return "paper", opacity, nil
	case r >= 100 && r < 100+MaxSeries && g == 4 && fills:
		return "f" + strconv.Itoa(r-99), opacity, nil
	case r >= 100 && r < 100+MaxSeries && g == 4:
		return "s" + strconv.Itoa(r-99), opacity, nil
	default:
		return "", "", fmt.Errorf("a colour of the drawing is %q", color)
	}
}
