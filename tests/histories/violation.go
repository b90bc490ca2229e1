package histories

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/anishathalye/porcupine"
)

// ViolationError is a promise that was broken. It is an error of the gateway, where
// any other error is one of the test.
type ViolationError struct {
	// Rule is what was broken.
	Rule string
	// Spans is the smallest history that shows it; empty for a promise that is not
	// about a history.
	Spans []span
	// Picture is the path of the history as HTML, once it is written.
	Picture string
}

// violated returns a violation that is not about a history.
func violated(format string, args ...any) error {
	return &ViolationError{Rule: fmt.Sprintf(format, args...)}
}

// Error implements error: the rule, and the history as a table.
func (v *ViolationError) Error() string {
	var text strings.Builder
	text.WriteString(v.Rule)
	if len(v.Spans) > 0 {
		text.WriteString(":\n")
		w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "\tbegan\tended\tthrough\tcall\tmay be as old as\tnote") // A Builder does not fail.
		for _, s := range v.Spans {
			_, _ = fmt.Fprintf(w, "\t%s\t%s\t%s\t%s\t%s\t%s\n", moment(s.Call), moment(s.Return), s.Replica, s.describe(), s.age(), s.Note)
		}
		_ = w.Flush()
	}
	if v.Picture != "" {
		fmt.Fprintf(&text, "picture: %s\n", v.Picture)
	}
	return text.String()
}

// WriteTable writes a history, and the faults in it, as a table in the order of time.
func WriteTable(to io.Writer, operations []Operation, faults []Fault) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	write := func(upTo time.Duration) error {
		for ; len(faults) > 0 && faults[0].From <= upTo; faults = faults[1:] {
			f := faults[0]
			if _, err := fmt.Fprintf(w, "%s\t%s\t%s\tFAULT %s\t%s\n", moment(f.From), moment(f.Until), f.Replica, f.Name, f.Bound); err != nil {
				return err
			}
		}
		return nil
	}
	for _, o := range operations {
		if err := write(o.Call); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", moment(o.Call), moment(o.Return), o.Replica, (span{Operation: o}).describe(), o.Note); err != nil {
			return err
		}
	}
	return errors.Join(write(math.MaxInt64), w.Flush())
}

// Draw writes the history as a page for a browser.
func (v *ViolationError) Draw(path string) error {
	if len(v.Spans) == 0 {
		return nil
	}
	_, info := porcupine.CheckOperationsVerbose(register(), porcupineOf(v.Spans), 0)
	if err := porcupine.VisualizePath(register(), info, path); err != nil {
		return err
	}
	v.Picture = path
	return nil
}

func (s span) describe() string {
	if s.Write {
		return fmt.Sprintf("%s %s := %q (%s)", s.Method, s.Register, s.Value, s.Outcome)
	}
	return fmt.Sprintf("%s %s = %q", s.Method, s.Register, s.Value)
}

func (s span) age() string {
	switch {
	case s.Write && s.Outcome == Unknown:
		return "effect at " + moment(s.to)
	case s.Write:
		return ""
	default:
		return s.bound.String()
	}
}

func moment(at time.Duration) string {
	if at < 0 {
		return "before"
	}
	return fmt.Sprintf("%.3f s", at.Seconds())
}
