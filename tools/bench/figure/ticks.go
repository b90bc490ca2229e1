package figure

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// wantedTicks is about how many lines a linear axis has.
const wantedTicks = 5

// linearTicks are round numbers from zero on.
func linearTicks(low, high float64) []plot.Tick {
	if high <= low {
		return []plot.Tick{{Value: low, Label: short(low)}}
	}
	raw := (high - low) / wantedTicks
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := unit
	for _, factor := range []float64{2, 5, 10} {
		if step < raw {
			step = factor * unit
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: short(i * step)})
	}
	return ticks
}

// logTicks are powers of ten with labels, and their multiples without.
func logTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for power := below(low); power <= above(high); power *= 10 {
		for i := 1; i < 10; i++ {
			value := power * float64(i)
			if value < low*(1-1e-9) || value > high*(1+1e-9) {
				continue
			}
			tick := plot.Tick{Value: value}
			if i == 1 {
				tick.Label = short(value)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// below is the largest power of ten that is no larger.
func below(v float64) float64 { return math.Pow(10, math.Floor(math.Log10(v)+1e-9)) }

// above is the smallest power of ten that is no smaller.
func above(v float64) float64 { return math.Pow(10, math.Ceil(math.Log10(v)-1e-9)) }

// short is a number with k for thousands and M for millions.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return trim(v/1e6) + "M"
	case v >= 1e3:
		return trim(v/1e3) + "k"
	default:
		return trim(v)
	}
}

func trim(v float64) string {
	rounded, err := strconv.ParseFloat(fmt.Sprintf("%.3g", v), 64)
	if err != nil {
		return fmt.Sprint(v)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
