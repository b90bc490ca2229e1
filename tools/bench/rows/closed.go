package rows

import (
	"context"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/h2load"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// mostCalls bounds the calls of a piece.
const mostCalls = 500_000

// subject is a server under load.
type subject struct {
	name    string
	process *machine.Process
	load    h2load.Load
	calls   int
}

// interleave measures the subjects in turn, round after round, so that what changes on
// the machine in the meantime meets all of them.
func (s *suite) interleave(ctx context.Context, row *report.Row, subjects []*subject) error {
	for _, u := range subjects {
		if _, err := u.load.Run(ctx, s.warmup()); err != nil {
			return fmt.Errorf("%s: %w", u.name, err)
		}
		r, err := u.load.Run(ctx, s.Trial)
		if err != nil {
			return fmt.Errorf("%s: %w", u.name, err)
		}
		u.calls = min(mostCalls, max(s.Trial, int(r.Rate*s.Piece.Seconds())))
		row.Subjects = append(row.Subjects, report.Subject{Name: u.name, Metrics: []report.Metric{
			{Name: report.Rate, Unit: "calls/s"}, {Name: report.Processor, Unit: "µs"},
		}})
	}
	for range s.Rounds {
		for i, u := range subjects {
			rate, spent, err := u.measure(ctx)
			if err != nil {
				return err
			}
			metrics := row.Subjects[i].Metrics
			metrics[0].Rounds = append(metrics[0].Rounds, rate)
			metrics[1].Rounds = append(metrics[1].Rounds, spent)
		}
	}
	return nil
}

// measure makes the subject's calls, and returns the calls a second and the microseconds
// of processor time of a call.
func (u *subject) measure(ctx context.Context) (rate, spent float64, err error) {
	before, err := u.process.Spent()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", u.name, err)
	}
	r, err := u.load.Run(ctx, u.calls)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", u.name, err)
	}
	after, err := u.process.Spent()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", u.name, err)
	}
	return r.Rate, float64(after-before) / float64(time.Microsecond) / float64(u.calls), nil
}
