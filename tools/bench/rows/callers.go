package rows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/drive"
	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

const (
	targetCallersStart = 1000 // Milliseconds.
	targetCallersRate  = 0.95
	targetReload       = 5 // Milliseconds.
	// reloadRate is at what rate calls come while a policy is replaced, and reloadTime
	// how long.
	reloadRate = 1000
	reloadTime = 8 * time.Second
	// reloadAt is when the policy is replaced.
	reloadAt = time.Second
)

// callerCounts are how many callers a policy has. The last is that of the targets, and is
// compared with the first.
var callerCounts = []int{10, 100, 1_000, 10_000, 100_000}

// crowd is a gateway whose policy has so many callers.
type crowd struct {
	*doors
	// count is how many callers its policy began with, and others are all but the one
	// whose calls are measured.
	count  int
	others []string
	// undisturbed and reloading are the longest times of a call in milliseconds, of each
	// round.
	undisturbed, reloading []float64
}

// callers measures what callers in the policy cost: at the start, in each cached call,
// and when the policy is replaced.
func (s *suite) callers(ctx context.Context) error {
	return s.onStage(func(g *stage) error {
		upstream, err := g.sandbox(ctx, 1)
		if err != nil {
			return err
		}
		var crowds []*crowd
		for _, n := range callerCounts {
			c, err := g.crowd(ctx, upstream.BaseURL, n)
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				g.skip(fmt.Sprintf("%d callers", n), err)
				continue
			}
			crowds = append(crowds, c)
		}
		if len(crowds) == 0 {
			return nil
		}
		rates := report.Row{}
		var subjects []*subject
		for _, c := range crowds {
			subjects = append(subjects, c.self(fmt.Sprintf("%d callers", c.count), c.grpc(c.gateway.Fast)))
		}
		if err := g.interleave(ctx, &rates, subjects); err != nil {
			return err
		}
		most := crowds[len(crowds)-1]
		for range g.Rounds {
			if err := most.reload(ctx); err != nil {
				if ctx.Err() != nil {
					return err
				}
				g.skip(fmt.Sprintf("reload of %d callers", most.count), err)
				break
			}
		}
		g.reportCallers(crowds, rates)
		return nil
	})
}

// crowd starts a gateway with so many callers.
func (g *stage) crowd(ctx context.Context, upstream string, callers int) (*crowd, error) {
	hashes := make([]string, callers-1)
	for i := range hashes {
		sum := sha256.Sum256(fmt.Append(nil, i))
		hashes[i] = hex.EncodeToString(sum[:])
	}
	d := &doors{stage: g, projects: 1, forms: listForms(1)}
	var err error
	if d.gateway, err = g.gateway(ctx, gateway.Options{BaseURL: upstream, Callers: hashes}); err != nil {
		return nil, err
	}
	if err := d.forms.fetch(ctx, d.gateway.Port, g.token.Value); err != nil {
		return nil, err
	}
	d.frame, err = g.file("message", framed(d.forms.protoRequest))
	return &crowd{doors: d, count: callers, others: hashes}, err
}

// reload measures the longest time of a call, first undisturbed and then while a policy
// with another caller replaces the one in force.
func (c *crowd) reload(ctx context.Context) error {
	plan := c.plan(c.gateway.Fast)
	plan.Rate, plan.Calls = reloadRate, int(reloadRate*reloadTime.Seconds())
	o, err := drive.Run(ctx, plan)
	if err != nil {
		return err
	}
	c.undisturbed = append(c.undisturbed, float64(slices.Max(o.Times))/float64(time.Millisecond))
	const metric = "gateway_policy_reloads_total"
	before, err := c.gateway.Metric(ctx, metric)
	if err != nil {
		return err
	}
	// Written beforehand: to write it takes time of the load.
	sum := sha256.Sum256(fmt.Append(nil, "round", len(c.reloading)))
	c.others[len(c.others)-1] = hex.EncodeToString(sum[:]) // Another one each time, and no more than a policy may have.
	next := c.gateway.Policy + ".next"
	if err := gateway.WritePolicy(next, c.token, c.others); err != nil {
		return err
	}
	replaced := make(chan error, 1)
	timer := time.AfterFunc(reloadAt, func() { replaced <- os.Rename(next, c.gateway.Policy) })
	defer timer.Stop()
	if o, err = drive.Run(ctx, plan); err != nil {
		return err
	}
	select {
	case err = <-replaced:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	after, err := c.gateway.Metric(ctx, metric)
	if err != nil {
		return err
	}
	if after == before {
		return fmt.Errorf("the policy was not replaced within %.0f s", (reloadTime - reloadAt).Seconds())
	}
	c.reloading = append(c.reloading, float64(slices.Max(o.Times))/float64(time.Millisecond))
	return nil
}

// reportCallers adds the row and the plot.
func (g *stage) reportCallers(crowds []*crowd, rates report.Row) {
	row := report.Row{ID: "callers", Title: "Callers in the policy"}
	series := report.Series{Name: "gateway, fast gRPC"}
	first, last := rates.Subjects[0], rates.Subjects[len(rates.Subjects)-1]
	for i, c := range crowds {
		took := float64(c.gateway.Took) / float64(time.Millisecond)
		s := rates.Subjects[i]
		s.Metrics = append(s.Metrics, report.Metric{Name: "start", Unit: "ms to serve", Rounds: []float64{took}})
		if len(c.reloading) > 0 {
			s.Metrics = append(s.Metrics,
				report.Metric{Name: "undisturbed", Unit: "ms at most", Rounds: c.undisturbed},
				report.Metric{Name: "reload", Unit: "ms at most during a reload", Rounds: c.reloading})
		}
		row.Subjects = append(row.Subjects, s)
		series.Points = append(series.Points, point(float64(c.count), s.Metric(report.Rate).Rounds))
	}
	most := crowds[len(crowds)-1]
	if most.count == callerCounts[len(callerCounts)-1] {
		row.Verdicts = callerVerdicts(row, first, last, most)
	}
	g.result.Rows = append(g.result.Rows, row)
	g.result.Plots = append(g.result.Plots, report.Plot{
		Name: "callers", Title: "Cached calls by callers in the policy", XName: "callers in the policy", YName: "calls/s", LogX: true, Series: []report.Series{series},
	})
}

// callerVerdicts judge a policy with the most callers.
func callerVerdicts(row report.Row, first, last report.Subject, most *crowd) []report.Verdict {
	return []report.Verdict{
		{Of: last.Name + ": ms from the start to serving", Value: row.Subjects[len(row.Subjects)-1].Metric("start").Sample(), Target: targetCallersStart},
		{
			Of:    last.Name + ": of the calls with " + first.Name,
			Value: stats.Ratios(first.Metric(report.Processor).Rounds, last.Metric(report.Processor).Rounds), Target: targetCallersRate, AtLeast: true,
			Beside: stats.Ratios(last.Metric(report.Rate).Rounds, first.Metric(report.Rate).Rounds).Median,
		},
		{Of: last.Name + ": ms of the longest call during a reload", Value: stats.Of(most.reloading), Target: targetReload},
	}
}
