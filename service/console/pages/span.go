package pages

import (
	"time"
)

// day is a day of the upstream, which counts in UTC.
const day = 24 * time.Hour

// span is a range of whole days: from the first, and before the last.
type span struct{ from, to time.Time }

// days are how many it has.
func (s span) days() int { return int(s.to.Sub(s.from) / day) }

// steps are the days, or the weeks of a long range, that it is drawn by, with their
// labels. The last week is a whole one: days before the first are not drawn.
func (s span) steps() (step int, labels []string) {
	days := s.days()
	if step = 1; days > 2*fewDays {
		step = 7
	}
	for i := days % step; i < days; i += step {
		labels = append(labels, s.from.Add(time.Duration(i)*day).Format("2 Jan"))
	}
	return step, labels
}

func midnight(t time.Time) time.Time { return t.UTC().Truncate(day) }

func firstOfMonth(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// thisMonth is the month until today, which is in it.
func thisMonth(now time.Time) span { return span{firstOfMonth(now), midnight(now).Add(day)} }

const (
	// maxDays bounds a range: two years, and a month.
	maxDays = 763
	// fewDays is the longest range that is asked for by months.
	fewDays = 62
	// windowDays is what one answer of the upstream has room for.
	windowDays = 180
)

// windows cut a range so that the answers are good for other ranges too, and those of the
// past are settled: by months where it is short, and else at days that are the same for
// all. The last one ends with today.
func (s span) windows(now time.Time) []span {
	end := midnight(now).Add(day)
	var all []span
	for at := s.from; at.Before(s.to) && at.Before(end); {
		var w span
		if s.days() <= fewDays {
			w.from = firstOfMonth(at)
			w.to = w.from.AddDate(0, 1, 0)
		} else {
			number := at.Unix() / int64(day/time.Second) / windowDays
			w.from = time.Unix(number*windowDays*int64(day/time.Second), 0).UTC()
			w.to = w.from.Add(windowDays * day)
		}
		at = w.to
		if w.to.After(end) {
			w.to = end
		}
		all = append(all, w)
	}
	return all
}

// ranges are those that the controls offer.
func ranges() []option {
	return []option{
		{"month", "This month"}, {"last-month", "Last month"}, {"30d", "30 days"}, {"90d", "90 days"}, {"year", "12 months"}, {"2y", "24 months"},
	}
}

// option is one choice of a control.
type option struct{ Value, Title string }

// spanOf is the range that a page asks for: one that is offered, or days. What is none is
// this month.
func spanOf(name, from, to string, now time.Time) span {
	tomorrow := midnight(now).Add(day)
	switch name {
	case "last-month":
		return span{firstOfMonth(now).AddDate(0, -1, 0), firstOfMonth(now)}
	case "30d":
		return span{tomorrow.AddDate(0, 0, -30), tomorrow}
	case "90d":
		return span{tomorrow.AddDate(0, 0, -90), tomorrow}
	case "year":
		return span{firstOfMonth(now).AddDate(-1, 1, 0), tomorrow}
	case "2y":
		return span{firstOfMonth(now).AddDate(-2, 1, 0), tomorrow}
	case "days":
		first, err := time.Parse(time.DateOnly, from)
		last, err2 := time.Parse(time.DateOnly, to)
		s := span{first.UTC(), last.UTC().Add(day)}
		if err == nil && err2 == nil && s.days() >= 1 && s.days() <= maxDays && first.Year() >= 2015 && !first.After(now) {
			return s
		}
	}
	return thisMonth(now)
}
