package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

func example() report.Plot {
	return report.Plot{
		Name: "rates", Title: "Rates & more", XName: "connections", YName: "calls/s", LogX: true,
		Series: []report.Series{
			{Name: "gateway", Points: []report.Point{{X: 1, Y: 900, Low: 800, High: 1000}, {X: 1000, Y: 20_000, Low: 19_000, High: 22_000}}},
			{Name: "nginx", Points: []report.Point{{X: 1, Y: 1500, Low: 1400, High: 1600}, {X: 1000, Y: 40_000, Low: 39_000, High: 41_000}}},
		},
	}
}

func TestSVG(t *testing.T) {
	drawn, err := SVG(example())
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(drawn)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("it is not XML: %v", err)
		}
	}
	for _, want := range []string{"Rates &amp; more", ">gateway<", ">nginx<", ">connections<", ">calls/s<", ">1k<", ">40k<", "sans-serif"} {
		if !strings.Contains(string(drawn), want) {
			t.Errorf("there is no %q", want)
		}
	}
	again, err := SVG(example())
	if err != nil || !bytes.Equal(drawn, again) {
		t.Errorf("drawn again it has other bytes, %v", err)
	}
}

func TestAPointWithoutAPlaceIsAnError(t *testing.T) {
	p := example()
	p.Series[0].Points[0].X = 0
	if _, err := SVG(p); !errors.Is(err, errPoint) {
		t.Errorf("at 0 of a logarithmic axis: %v", err)
	}
	p = example()
	p.LogY, p.Series[1].Points[0].Low = true, 0
	if _, err := SVG(p); !errors.Is(err, errPoint) {
		t.Errorf("with a band down to 0: %v", err)
	}
}

func labels(ticks []plot.Tick) string {
	var all []string
	for _, tick := range ticks {
		if tick.Label != "" {
			all = append(all, tick.Label)
		}
	}
	return strings.Join(all, " ")
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high    float64
		linear, logs string
	}{
		{0.001, 95_000, "20k 40k 60k 80k", "0.001 0.01 0.1 1 10 100 1k 10k"},
		{1, 1000, "200 400 600 800 1k", "1 10 100 1k"},
		{10, 2_500_000, "500k 1M 1.5M 2M 2.5M", "10 100 1k 10k 100k 1M"},
	} {
		if got := labels(linearTicks(c.low, c.high)); got != c.linear {
			t.Errorf("linear from %v to %v: %s", c.low, c.high, got)
		}
		if got := labels(logTicks(c.low, c.high)); got != c.logs {
			t.Errorf("logarithmic from %v to %v: %s", c.low, c.high, got)
		}
	}
}
