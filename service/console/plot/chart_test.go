package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestChart: a drawing has a shape for each value, colours of the page alone, and nothing
// that the policy of the page refuses.
func TestChart(t *testing.T) {
	t.Parallel()
	for _, lines := range []bool{false, true} {
		for _, series := range []int{1, 3, MaxSeries} {
			c := Chart{Title: `costs "&<script>`, Lines: lines, Format: func(v float64) string { return "$" + strconv.FormatFloat(v, 'f', 0, 64) }}
			for day := range 31 {
				c.Labels = append(c.Labels, strconv.Itoa(day+1)+" Jan")
			}
			for s := range series {
				c.Series = append(c.Series, Series{Name: "<b>" + strconv.Itoa(s)})
				for day := range 31 {
					c.Series[s].Values = append(c.Series[s].Values, float64(day*(s+1)))
				}
			}
			drawn, err := c.HTML()
			if err != nil {
				t.Fatal(err)
			}
			text := string(drawn)
			for _, refused := range []string{"style=", "<script", "<style", "href", "rgb(", "font-family", "<b>", "onload"} {
				if strings.Contains(text, refused) {
					t.Errorf("%d series, lines %t: %q is in %.300s", series, lines, refused, text)
				}
			}
			class := "f"
			if lines {
				class = "s"
			}
			for s := range MaxSeries {
				has := regexp.MustCompile(`class="[^"]*\b` + class + strconv.Itoa(s+1) + `\b`).MatchString(text)
				if has != (s < series) {
					t.Errorf("%d series, lines %t: series %d is drawn: %t", series, lines, s, has)
				}
			}
			if strings.Count(text, "<svg") != 2 || !strings.Contains(text, "&lt;script&gt;") || !strings.Contains(text, "$") {
				t.Errorf("%.300s", text)
			}
			decoder := xml.NewDecoder(strings.NewReader(text))
			for {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestChartBounds: a drawing of nothing is none, and one that is too large is refused.
func TestChartBounds(t *testing.T) {
	t.Parallel()
	if drawn, err := (Chart{}).HTML(); err != nil || drawn != "" {
		t.Errorf("nothing: %q, %v", drawn, err)
	}
	many := make([]string, maxPoints+1)
	for name, c := range map[string]Chart{
		"series":  {Labels: []string{"a"}, Series: make([]Series, MaxSeries+1)},
		"points":  {Labels: many, Series: []Series{{Values: make([]float64, len(many))}}},
		"lengths": {Labels: []string{"a"}, Series: []Series{{Values: []float64{1, 2}}}},
	} {
		if _, err := c.HTML(); err == nil {
			t.Errorf("too many or too few %s are drawn", name)
		}
	}
	zero := Chart{Labels: []string{"a", "b"}, Series: []Series{{Values: []float64{0, 0}}}, Format: func(float64) string { return "0" }}
	if _, err := zero.HTML(); err != nil {
		t.Errorf("zeros: %v", err)
	}
}

// TestMemo: a drawing that is remembered is the same, one of other values is another, and
// the oldest gives way.
func TestMemo(t *testing.T) {
	t.Parallel()
	var m Memo
	chart := func(n int) Chart {
		return Chart{Title: "t", Labels: []string{"a", "b"}, Series: []Series{{Values: []float64{1, float64(n)}}}, Format: func(float64) string { return "" }}
	}
	for _, n := range []int{2, 3, 2} {
		want, err := chart(n).HTML()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.HTML(chart(n)); err != nil || got != want {
			t.Errorf("%d: another drawing, %v", n, err)
		}
	}
	for n := range 2 * maxDrawings {
		if _, err := m.HTML(chart(n)); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.known) != maxDrawings {
		t.Errorf("%d drawings are kept", len(m.known))
	}
}

func BenchmarkChart(b *testing.B) {
	c := Chart{Format: func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }}
	for day := range 31 {
		c.Labels = append(c.Labels, strconv.Itoa(day))
	}
	for range 6 {
		c.Series = append(c.Series, Series{Values: make([]float64, 31)})
	}
	for s := range c.Series {
		for day := range 31 {
			c.Series[s].Values[day] = float64(day + s)
		}
	}
	for b.Loop() {
		if _, err := c.HTML(); err != nil {
			b.Fatal(err)
		}
	}
}
