package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// errMissed is the error of a run in which a target was missed.
var errMissed = errors.New("a target was missed")

// The targets, as parts of what the caller has alone.
const (
	cachedTarget   = 1.5
	uncachedTarget = 2
)

// measured is what a caller saw in one phase.
type measured struct {
	// cached are the times that reads of stored answers took.
	cached []time.Duration
	// missed are those of them that were not answered from the cache, and failed
	// those without an answer.
	missed, failed int
	// uncached are the times from the first attempt of a read to its answer.
	uncached []time.Duration
	// refused counts the attempts among them that found no budget in time.
	refused int
	// lasted is the time of the phase.
	lasted time.Duration
}

// each is the time for each uncached read, with that of the last ones, which the end of
// the phase cut off.
func (m measured) each() time.Duration {
	return uncachedWorkers * m.lasted / time.Duration(len(m.uncached))
}

func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// report prints both phases side by side. It returns errMissed when a target was
// missed.
func report(out io.Writer, alone, beside measured) error {
	if len(alone.cached) == 0 || len(alone.uncached) == 0 || len(beside.cached) == 0 || len(beside.uncached) == 0 {
		return errors.New("a phase has no answers")
	}
	var err error
	line := func(name string, before, after time.Duration, target float64) {
		ratio, verdict := float64(after)/float64(before), ""
		if target > 0 {
			verdict = fmt.Sprintf("target %.1f", target)
			if ratio > target {
				verdict += ", missed"
				err = errMissed
			}
		}
		_, _ = fmt.Fprintf(out, "%-28s %12s %12s %8.2f  %s\n", name, short(before), short(after), ratio, verdict)
	}
	_, _ = fmt.Fprintf(out, "%-28s %12s %12s %8s\n", "", "alone", "beside them", "ratio")
	line("cached read, median", quantile(alone.cached, 0.5), quantile(beside.cached, 0.5), cachedTarget)
	line("cached read, p99", quantile(alone.cached, 0.99), quantile(beside.cached, 0.99), cachedTarget)
	line("uncached read, mean", alone.each(), beside.each(), uncachedTarget)
	line("uncached read, longest", quantile(alone.uncached, 1), quantile(beside.uncached, 1), 0)
	for _, count := range []struct {
		name          string
		alone, beside int
	}{
		{"cached reads", len(alone.cached), len(beside.cached)},
		{"  not from the cache", alone.missed, beside.missed},
		{"  failed", alone.failed, beside.failed},
		{"uncached reads answered", len(alone.uncached), len(beside.uncached)},
		{"  attempts without budget", alone.refused, beside.refused},
	} {
		_, _ = fmt.Fprintf(out, "%-28s %12d %12d\n", count.name, count.alone, count.beside)
	}
	if beside.failed > alone.failed {
		err = errMissed
	}
	return err
}

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
