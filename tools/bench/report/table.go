package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes the result for a terminal: the verdicts first, then what was measured,
// then what was left out.
func (r Result) Table(out io.Writer) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "RATIO\tTARGET\t\tROW\tOF\tSPREAD\tBY CALLS/S\n")
	for _, row := range r.Rows {
		for _, v := range row.Verdicts {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", number(v.Value.Median), v.target(), v.word(), row.Title, v.Of, span(v.Value.Low, v.Value.High), beside(v))
		}
	}
	_ = w.Flush()
	b.WriteString("\n")
	w = tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, row := range r.Rows {
		_, _ = fmt.Fprintf(w, "%s (%s)\n", row.Title, row.ID)
		for _, s := range row.Subjects {
			_, _ = fmt.Fprintf(w, "  %s", s.Name)
			for _, m := range s.Metrics {
				sample := m.Sample()
				_, _ = fmt.Fprintf(w, "\t%s %s\t±%.0f %%", number(sample.Median), m.Unit, 50*sample.Spread())
			}
			_, _ = fmt.Fprint(w, "\n")
		}
	}
	_ = w.Flush()
	for _, skip := range r.Skipped {
		fmt.Fprintf(&b, "skipped: %s: %s\n", skip.What, skip.Reason)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (v Verdict) target() string {
	if v.AtLeast {
		return "≥ " + number(v.Target)
	}
	return "≤ " + number(v.Target)
}

func (v Verdict) word() string {
	word := "met"
	if !v.Met() {
		word = fmt.Sprintf("MISSED by %.0f %%", 100*(1-v.Share()))
	}
	if !v.Clear() {
		word += ", not in every round"
	}
	return word
}

func beside(v Verdict) string {
	if v.Beside == 0 {
		return ""
	}
	return number(v.Beside)
}

func span(low, high float64) string { return number(low) + "–" + number(high) }

// number has three digits of a small value, and no fraction of a large one, with its
// thousands apart.
func number(v float64) string {
	switch {
	case v >= 1000:
		digits := fmt.Sprintf("%.0f", v)
		var b strings.Builder
		for i, d := range digits {
			if i > 0 && (len(digits)-i)%3 == 0 {
				b.WriteByte(',')
			}
			b.WriteRune(d)
		}
		return b.String()
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
