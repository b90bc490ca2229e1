package rows

import (
	"context"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

const (
	starts      = 9
	targetStart = 60 // Milliseconds.
	targetIdle  = 40 // MiB.
	// idle is how long a gateway does nothing before its memory is read.
	idle = time.Second
)

// start measures how long a gateway takes from its start until it says that it serves,
// and how much memory it has then.
func (s *suite) start(ctx context.Context) error {
	var took, resident []float64
	for range starts {
		err := s.onStage(func(g *stage) error {
			gw, err := g.gateway(ctx, gateway.Options{BaseURL: "http://127.0.0.1:9/v1"})
			if err != nil {
				return err
			}
			if err := pause(ctx, idle); err != nil {
				return err
			}
			rss, err := gw.RSS()
			if err != nil {
				return err
			}
			took, resident = append(took, float64(gw.Took)/float64(time.Millisecond)), append(resident, float64(rss)/(1<<20))
			return nil
		})
		if err != nil {
			return err
		}
	}
	s.result.Rows = append(s.result.Rows, report.Row{
		ID: "start", Title: "Start and idle",
		Subjects: []report.Subject{{Name: nameGateway, Metrics: []report.Metric{
			{Name: "start", Unit: "ms to serve", Rounds: took}, {Name: "idle", Unit: "MiB resident", Rounds: resident},
		}}},
		Verdicts: []report.Verdict{
			{Of: "ms from the start to serving", Value: stats.Of(took), Target: targetStart},
			{Of: "MiB resident when idle", Value: stats.Of(resident), Target: targetIdle},
		},
	})
	return nil
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
