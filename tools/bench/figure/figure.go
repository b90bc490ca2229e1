// Package figure draws the plots of a result as SVG. It imports nothing of the project
// but the results.
package figure

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// The size of a figure, and of what is in it.
const (
	width, height = 520, 320
	margin        = 14
	titleSize     = 13
	textSize      = 10
	headHeight    = 46 // Of title and legend.
	lineWidth     = 1.8
	pointRadius   = 2.4
	keyLength     = 16
	keyGap        = 5
	entryGap      = 16
	tickLength    = 3
	headroom      = 1.08 // Above the largest value.
	bandOpacity   = 0x2e
)

// colours are those of Okabe and Ito, which people with any kind of colour vision can
// tell apart.
var colours = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff},
	{0xd5, 0x5e, 0x00, 0xff},
	{0x00, 0x9e, 0x73, 0xff},
	{0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff},
	{0x56, 0xb4, 0xe9, 0xff},
}

var (
	ink  = color.NRGBA{0x33, 0x3a, 0x42, 0xff}
	grid = color.NRGBA{0xe4, 0xe7, 0xeb, 0xff}
)

// SVG draws a plot. The same plot gives the same bytes.
func SVG(p report.Plot) ([]byte, error) {
	if err := check(p); err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Name, err)
	}
	drawn := plot.New()
	drawn.BackgroundColor = nil
	axes(drawn, p)
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = nil, grid
	lines.Horizontal.Width = vg.Points(0.8)
	drawn.Add(lines)
	for i, s := range p.Series {
		if err := addSeries(drawn, s, colours[i%len(colours)]); err != nil {
			return nil, fmt.Errorf("plot %s: %s: %w", p.Name, s.Name, err)
		}
	}
	limits(drawn, p)
	canvas := vgsvg.New(vg.Points(width), vg.Points(height))
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	head(page, p)
	drawn.Draw(draw.Crop(page, margin, -margin, margin, -headHeight))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return fonts(b.Bytes()), nil
}

// errPoint is the error of a point that has no place in its plot.
var errPoint = errors.New("a logarithmic axis has no place for a value that is not positive")

// check says whether all points have a place: the library panics at one without.
func check(p report.Plot) error {
	for _, s := range p.Series {
		for _, point := range s.Points {
			if p.LogX && point.X <= 0 || p.LogY && min(point.Y, point.Low) <= 0 {
				return fmt.Errorf("%s: %w: %+v", s.Name, errPoint, point)
			}
		}
	}
	return nil
}

// fonts names fonts that readers have beside those that the library measures with.
func fonts(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Helvetica,Arial,sans-serif"))
}

func style(size float64) text.Style {
	return text.Style{Color: ink, Font: font.From(plot.DefaultFont, vg.Points(size)), Handler: plot.DefaultTextHandler}
}

func sans(s *text.Style, size float64) {
	s.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	s.Color = ink
}

func axes(drawn *plot.Plot, p report.Plot) {
	for _, axis := range []struct {
		axis *plot.Axis
		name string
		log  bool
	}{{&drawn.X, p.XName, p.LogX}, {&drawn.Y, p.YName, p.LogY}} {
		a := axis.axis
		a.Label.Text = axis.name
		sans(&a.Label.TextStyle, textSize)
		sans(&a.Tick.Label, textSize)
		a.Label.Padding = vg.Points(5)
		a.LineStyle.Color, a.Tick.LineStyle.Color = ink, ink
		a.LineStyle.Width, a.Tick.LineStyle.Width = vg.Points(0.8), vg.Points(0.8)
		a.Tick.Length = vg.Points(tickLength)
		a.Padding = 0
		if axis.log {
			a.Scale = plot.LogScale{}
			a.Tick.Marker = plot.TickerFunc(logTicks)
		} else {
			a.Tick.Marker = plot.TickerFunc(linearTicks)
		}
	}
}

// addSeries adds a line with its points, above a band from the lowest to the highest
// value.
func addSeries(drawn *plot.Plot, s report.Series, c color.NRGBA) error {
	middle := make(plotter.XYs, 0, len(s.Points))
	var band plotter.XYs
	for _, p := range s.Points {
		middle = append(middle, plotter.XY{X: p.X, Y: p.Y})
		band = append(band, plotter.XY{X: p.X, Y: p.High})
	}
	for i := len(s.Points) - 1; i >= 0; i-- {
		band = append(band, plotter.XY{X: s.Points[i].X, Y: s.Points[i].Low})
	}
	area, err := plotter.NewPolygon(band)
	if err != nil {
		return err
	}
	faint := c
	faint.A = bandOpacity
	area.Color, area.LineStyle.Width = faint, 0
	line, points, err := plotter.NewLinePoints(middle)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(lineWidth)
	points.Color, points.Radius, points.Shape = c, vg.Points(pointRadius), draw.CircleGlyph{}
	drawn.Add(area, line, points)
	return nil
}

// limits has a linear axis begin at zero, and leaves room above the largest value.
func limits(drawn *plot.Plot, p report.Plot) {
	if p.LogY {
		drawn.Y.Min, drawn.Y.Max = below(drawn.Y.Min), above(drawn.Y.Max)
		return
	}
	drawn.Y.Min = 0
	drawn.Y.Max *= headroom
}

// head draws title and legend.
func head(page draw.Canvas, p report.Plot) {
	title := style(titleSize)
	sans(&title, titleSize)
	title.Font.Weight = 2 // Bold: golang.org/x/image/font counts from normal, 0.
	title.YAlign = text.YTop
	at := vg.Point{X: page.Min.X + margin, Y: page.Max.Y - margin/2}
	page.FillText(title, at, p.Title)
	label := style(textSize)
	sans(&label, textSize)
	label.YAlign = text.YCenter
	at.Y = page.Max.Y - headHeight + margin
	for i, s := range p.Series {
		line := draw.LineStyle{Color: colours[i%len(colours)], Width: vg.Points(lineWidth + 0.4)}
		page.StrokeLine2(line, at.X, at.Y, at.X+keyLength, at.Y)
		at.X += keyLength + keyGap
		page.FillText(label, at, s.Name)
		at.X += label.Width(strings.TrimSpace(s.Name)) + entryGap
	}
}
