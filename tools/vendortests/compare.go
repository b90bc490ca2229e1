package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// outcome is the end of a test.
type outcome int

// The outcomes of a test.
const (
	passed outcome = iota + 1
	failed
	skipped
)

// result is what a run of a suite says of one test.
type result struct {
	outcome outcome
	message string // of a failure
}

// results are those of a run, by the name of the test.
type results map[string]result

func (r results) count(o outcome) int {
	n := 0
	for _, one := range r {
		if one.outcome == o {
			n++
		}
	}
	return n
}

// report describes how a suite went, and returns an error for what the gateway breaks.
// Tests that fail on the mock alone say nothing of the gateway; when many do, the
// comparison says nothing, and that is an error too.
func report(suite string, alone, through results, calls int) (lines []string, err error) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	good := alone.count(passed)
	say("vendortests: %s: %d tests; %d pass on the mock alone, %d through the gateway, in %d calls",
		suite, len(alone), good, through.count(passed), calls)
	if good == 0 || good*10 < 9*(len(alone)-alone.count(skipped)) {
		for _, name := range slices.Sorted(maps.Keys(alone)) {
			if one := alone[name]; one.outcome == failed {
				say("  %s fails on the mock alone: %s", name, indented(one.message))
			}
		}
		return lines, fmt.Errorf("%s: only %d of %d tests pass on the mock alone: the mock is wrong", suite, good, len(alone))
	}
	if calls < good/2 {
		return lines, fmt.Errorf("%s: %d calls for %d tests: the suite does not call the gateway", suite, calls, good)
	}
	broken := 0
	for _, name := range slices.Sorted(maps.Keys(alone)) {
		one, ran := through[name]
		if alone[name].outcome != passed || one.outcome == passed {
			continue
		}
		broken++
		if !ran {
			say("  %s did not run through the gateway", name)
			continue
		}
		say("  %s fails through the gateway: %s", name, indented(one.message))
	}
	if broken > 0 {
		err = fmt.Errorf("%s: %d tests pass on the mock alone and fail through the gateway", suite, broken)
	}
	return lines, err
}

// indented shows the end of a message, which has the error, below its test.
func indented(message string) string {
	const mostLines, mostBytes = 4, 600
	lines := slices.DeleteFunc(strings.Split(message, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	lines = lines[max(0, len(lines)-mostLines):]
	for i, line := range lines {
		lines[i] = "\n      " + strings.TrimSpace(line)
	}
	shown := strings.Join(lines, "")
	return shown[:min(len(shown), mostBytes)]
}
