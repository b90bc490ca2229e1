// Package h2load runs h2load, the load generator of nghttp2, and reads its report. It
// imports nothing of the project but the package that starts processes.
package h2load

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// longest bounds a run.
const longest = 60 * time.Second

// ErrFailed is the error of a run in which a call was not answered with success.
var ErrFailed = errors.New("not every call was answered")

// Load is what a run sends.
type Load struct {
	// URL is where the calls go.
	URL string
	// HTTP1 says that they go over HTTP/1.1, where a connection has one call at a time.
	HTTP1 bool
	// Headers are lines, such as "te: trailers".
	Headers []string
	// BodyFile is the file with the body of each call. Empty: calls are GETs.
	BodyFile string
	// Connections and Streams are how many calls are in flight: Streams on each
	// connection.
	Connections, Streams int
}

// Report is what a run came to.
type Report struct {
	Calls int
	Took  time.Duration
	// Rate is in calls a second.
	Rate float64
}

var (
	finished  = regexp.MustCompile(`(?m)^finished in ([0-9.]+)(us|ms|s|m), ([0-9.]+) req/s`)
	requested = regexp.MustCompile(`(?m)^requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	statuses  = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx`)
)

// Parse reads the report. A call that failed makes it an error.
func Parse(output string, calls int) (Report, error) {
	time, counts, codes := finished.FindStringSubmatch(output), requested.FindStringSubmatch(output), statuses.FindStringSubmatch(output)
	if time == nil || counts == nil || codes == nil {
		return Report{}, fmt.Errorf("not a report of h2load: %.200q", output)
	}
	expected := strconv.Itoa(calls)
	if counts[1] != expected || codes[1] != expected {
		return Report{}, fmt.Errorf("%w: of %d calls %s succeeded, %s failed, %s errored, %s timed out, and %s have a status of success", ErrFailed, calls, counts[1], counts[2], counts[3], counts[4], codes[1])
	}
	took, err := parseTime(time[1], time[2])
	if err != nil {
		return Report{}, err
	}
	rate, err := strconv.ParseFloat(time[3], 64)
	if err != nil {
		return Report{}, fmt.Errorf("rate of h2load: %w", err)
	}
	return Report{Calls: calls, Took: took, Rate: rate}, nil
}

func parseTime(number, unit string) (time.Duration, error) {
	if unit == "us" {
		unit = "µs"
	}
	return time.ParseDuration(number + unit)
}

// Run makes calls, and returns when all are answered.
func (l Load) Run(ctx context.Context, calls int) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	connections := min(l.Connections, calls)
	args := []string{"-n", strconv.Itoa(calls), "-c", strconv.Itoa(connections), "-m", strconv.Itoa(max(1, l.Streams)), "-t", "1"}
	if l.HTTP1 {
		args = append(args, "--h1")
	}
	if l.BodyFile != "" {
		args = append(args, "-d", l.BodyFile)
	}
	for _, header := range l.Headers {
		args = append(args, "-H", header)
	}
	output, err := exec.CommandContext(ctx, "h2load", append(args, l.URL)...).CombinedOutput() //nolint:gosec // The arguments are the benchmark's own.
	if err != nil {
		return Report{}, fmt.Errorf("h2load: %w: %.300s", err, output)
	}
	return Parse(string(output), calls)
}
