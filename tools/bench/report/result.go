package report

import (
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

// Result is a run.
type Result struct {
	Machine Machine   `json:"machine"`
	Began   time.Time `json:"began"`
	Took    Duration  `json:"took"`
	// Rounds is how often each server was measured in a row of calls, and Piece how long
	// each time.
	Rounds int      `json:"rounds"`
	Piece  Duration `json:"piece"`
	Rows   []Row    `json:"rows"`
	// Skipped are the peers and rows that could not be had.
	Skipped []Skip `json:"skipped,omitempty"`
	Plots   []Plot `json:"plots,omitempty"`
}

// Duration is a time.Duration that is text in JSON.
type Duration time.Duration

// MarshalText is such as 1.5s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Machine is where a run was made, and with which programs.
type Machine struct {
	Processor  string  `json:"processor"`
	Processors int     `json:"processors"`
	MemoryGiB  float64 `json:"memory_gib"`
	Kernel     string  `json:"kernel"`
	Commit     string  `json:"commit"`
	// Load is the average number of others that wanted a processor in the minute before.
	Load     float64  `json:"load"`
	Programs []string `json:"programs"`
}

// Skip is a peer or a row that was left out.
type Skip struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

// Row is one comparison.
type Row struct {
	// ID is what ONLY= selects.
	ID    string `json:"id"`
	Title string `json:"title"`
	// Subjects are the servers that were measured, the gateway first.
	Subjects []Subject `json:"subjects"`
	// Verdicts are its targets. A row without any is there to be seen.
	Verdicts []Verdict `json:"verdicts,omitempty"`
}

// Subject is a server in a row.
type Subject struct {
	Name    string   `json:"name"`
	Metrics []Metric `json:"metrics"`
}

// Metric is one quantity of a subject.
type Metric struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Rounds are its values, one of each round.
	Rounds []float64 `json:"rounds"`
}

// The metrics of closed-loop rows.
const (
	Rate      = "rate"
	Processor = "processor"
)

// Metric finds a metric of a subject by name; without it, it has no rounds.
func (s Subject) Metric(name string) Metric {
	for _, m := range s.Metrics {
		if m.Name == name {
			return m
		}
	}
	return Metric{Name: name}
}

// Sample reduces the rounds.
func (m Metric) Sample() stats.Sample { return stats.Of(m.Rounds) }

// Subject finds a subject by name.
func (r Row) Subject(name string) (Subject, bool) {
	for _, s := range r.Subjects {
		if s.Name == name {
			return s, true
		}
	}
	return Subject{}, false
}

// Verdict is a measured value beside its target.
type Verdict struct {
	// Of says what the value is: "of nginx proxy_cache", "start, ms".
	Of string `json:"of"`
	// Value is what was measured.
	Value stats.Sample `json:"value"`
	// Target is what it should be: no less if AtLeast, otherwise no more.
	Target  float64 `json:"target"`
	AtLeast bool    `json:"at_least"`
	// Beside is the ratio of the calls a second, of a verdict on processor time.
	Beside float64 `json:"beside,omitempty"`
}

// Met says whether the median reaches the target. Whatever is measured here is more than
// zero: a value that is not was drowned in noise, or not measured.
func (v Verdict) Met() bool {
	if v.Value.Median <= 0 {
		return false
	}
	if v.AtLeast {
		return v.Value.Median >= v.Target
	}
	return v.Value.Median <= v.Target
}

// Clear says whether every round was on the side of the target on which the median is.
func (v Verdict) Clear() bool {
	return (v.Value.Low >= v.Target) == (v.Value.High >= v.Target) || v.Value.Low == v.Target || v.Value.High == v.Target
}

// Share is how much of the target is reached: 1 and more if it is met.
func (v Verdict) Share() float64 {
	if v.Value.Median <= 0 {
		return 0
	}
	if v.AtLeast {
		return v.Value.Median / v.Target
	}
	return v.Target / v.Value.Median
}

// Judge adds a verdict on the calls that the gateway, the first subject, answers in a
// second of its processor, in proportion to those of a peer. A peer that was not measured
// gets no verdict.
func (r *Row) Judge(peer, of string, target float64) {
	other, ok := r.Subject(peer)
	if !ok || len(r.Subjects) == 0 {
		return
	}
	own := r.Subjects[0]
	r.Verdicts = append(r.Verdicts, Verdict{
		Of:     of,
		Value:  stats.Ratios(other.Metric(Processor).Rounds, own.Metric(Processor).Rounds),
		Target: target, AtLeast: true,
		Beside: stats.Ratios(own.Metric(Rate).Rounds, other.Metric(Rate).Rounds).Median,
	})
}

// Plot is a figure of the page.
type Plot struct {
	// Name is the file's, without its extension.
	Name  string `json:"name"`
	Title string `json:"title"`
	// XName and YName have the units.
	XName string `json:"x_name"`
	YName string `json:"y_name"`
	// LogX and LogY say that an axis is logarithmic.
	LogX   bool     `json:"log_x,omitempty"`
	LogY   bool     `json:"log_y,omitempty"`
	Series []Series `json:"series"`
}

// Series is a line of a plot.
type Series struct {
	Name   string  `json:"name"`
	Points []Point `json:"points"`
}

// Point is a measurement in a plot, with its spread.
type Point struct {
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}
