// Package stats reduces repeated measurements to a median and a spread. It imports
// nothing of the project.
package stats

import (
	"math"
	"slices"
	"time"
)

// Sample is what repeated measurements of one quantity came to.
type Sample struct {
	// Median is the middle one, or the mean of the middle two.
	Median float64 `json:"median"`
	// Low and High are the extremes.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Of reduces measurements. Without any, or with one that is not a number, every field is
// zero.
func Of(values []float64) Sample {
	if len(values) == 0 || slices.ContainsFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
		return Sample{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Sample{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Low: sorted[0], High: sorted[n-1]}
}

// Spread is the difference of the extremes in proportion to the median.
func (s Sample) Spread() float64 {
	if s.Median == 0 {
		return 0
	}
	return (s.High - s.Low) / s.Median
}

// Ratios reduces a[i]/b[i]. Both were measured in the same rounds, so what disturbed a
// round disturbs both sides of its ratio.
func Ratios(a, b []float64) Sample {
	ratios := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, a[i]/b[i])
	}
	return Of(ratios)
}

// Quantile is the smallest of the times that at least the part q of them does not exceed.
// It sorts the times. Without any it is zero.
func Quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, max(0, int(math.Ceil(q*float64(len(times))))-1))]
}
