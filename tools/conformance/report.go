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

// report is the result of one server, as the runner prints it.
type report struct {
	total, passed int
	failed        map[string]string // name of a case → why
}

var (
	failedCase = regexp.MustCompile(`^FAILED: (.+):$`)
	totalCases = regexp.MustCompile(`^Total cases: (\d+)$`)
	countCases = regexp.MustCompile(`^(\d+) passed, (\d+) failed$`)
)

// readReport parses the output of the runner. It fails if the run did not finish, or if
// the numbers do not add up: a case that was not run must not count as passed.
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
		return report{}, errors.New("the runner did not finish")
	case failures != len(r.failed) || r.passed+failures != r.total:
		return report{}, fmt.Errorf("%d cases, %d passed, %d failed, %d of them named", r.total, r.passed, failures, len(r.failed))
	}
	return r, nil
}

// number reads digits. Digits that overflow become a number that cannot add up.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

// regressions returns the cases that fail in other and not in r.
func (r report) regressions(other report) []string {
	var worse []string
	for _, name := range slices.Sorted(maps.Keys(other.failed)) {
		if _, known := r.failed[name]; !known {
			worse = append(worse, name)
		}
	}
	return worse
}
