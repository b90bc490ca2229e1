package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// report is what the runner says of one server.
type report struct {
	total, passed int
	failed        map[string]string // name of a case → why
}

var (
	failedCase = regexp.MustCompile(`^FAILED: (.+):$`)
	totalCases = regexp.MustCompile(`^Total cases: (\d+)$`)
	countCases = regexp.MustCompile(`^(\d+) passed, (\d+) failed$`)
)

// readReport reads what the runner prints. It is an error when it came to no end,
// or does not add up: a case that was not run must not count as one that passed.
func readReport(printed []byte) (report, error) {
	r := report{total: -1, passed: -1, failed: make(map[string]string)}
	failures := 0
	current := ""
	for line := range strings.Lines(string(bytes.TrimSpace(printed))) {
		text := strings.TrimRight(line, "\r\n")
		if found := failedCase.FindStringSubmatch(text); found != nil {
			current = found[1]
			r.failed[current] = ""
			continue
		}
		if current != "" && strings.HasPrefix(line, "\t") {
			r.failed[current] += line
			continue
		}
		current = ""
		if found := totalCases.FindStringSubmatch(text); found != nil {
			r.total = number(found[1])
		}
		if found := countCases.FindStringSubmatch(text); found != nil {
			r.passed, failures = number(found[1]), number(found[2])
		}
		if strings.Contains(text, "could not be run") {
			return report{}, errors.New("not every case could be run")
		}
	}
	switch {
	case r.total <= 0 || r.passed < 0:
		return report{}, errors.New("the runner did not come to its end")
	case failures != len(r.failed) || r.passed+failures != r.total:
		return report{}, fmt.Errorf("%d cases, %d passed, %d failed, %d of them named", r.total, r.passed, failures, len(r.failed))
	}
	return r, nil
}

// number reads digits; too many of them are a number that adds up to nothing.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

// regressions are the cases that fail in other and not in r.
func (r report) regressions(other report) []string {
	var worse []string
	for _, name := range slices.Sorted(maps.Keys(other.failed)) {
		if _, known := r.failed[name]; !known {
			worse = append(worse, name)
		}
	}
	return worse
}
