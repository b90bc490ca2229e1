package stats_test

import (
	"math"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   stats.Sample
		spread float64
	}{
		"none":            {nil, stats.Sample{}, 0},
		"one":             {[]float64{4}, stats.Sample{Median: 4, Low: 4, High: 4}, 0},
		"odd, unordered":  {[]float64{9, 1, 4}, stats.Sample{Median: 4, Low: 1, High: 9}, 2},
		"even":            {[]float64{1, 2, 4, 9}, stats.Sample{Median: 3, Low: 1, High: 9}, 8.0 / 3},
		"not a number":    {[]float64{1, math.NaN()}, stats.Sample{}, 0},
		"divided by zero": {[]float64{1, math.Inf(1)}, stats.Sample{}, 0},
	} {
		got := stats.Of(c.values)
		if got != c.want || got.Spread() != c.spread {
			t.Errorf("%s: %+v with a spread of %v, not %+v with %v", name, got, got.Spread(), c.want, c.spread)
		}
	}
}

// A round in which the machine was half as fast changes no ratio.
func TestRatiosAreThoseOfTheRounds(t *testing.T) {
	got := stats.Ratios([]float64{10, 5, 12}, []float64{20, 10, 20})
	if got != (stats.Sample{Median: 0.5, Low: 0.5, High: 0.6}) {
		t.Errorf("%+v", got)
	}
	if got := stats.Ratios([]float64{10}, nil); got != (stats.Sample{}) {
		t.Errorf("without a peer: %+v", got)
	}
}

func TestQuantile(t *testing.T) {
	times := make([]time.Duration, 0, 200)
	for i := range 200 {
		times = append(times, time.Duration(200-i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 100, 0.99: 198, 1: 200} {
		if got := stats.Quantile(times, q); got != want {
			t.Errorf("quantile %v is %d, not %d", q, got, want)
		}
	}
	if got := stats.Quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}
