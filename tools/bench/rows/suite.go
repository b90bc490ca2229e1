package rows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// Options say what a run measures.
type Options struct {
	// Gateway is the binary under test, and Self that of this command, which serves the
	// floors.
	Gateway, Self string
	// Rounds is how often each server of a row is measured, and Piece how long each time.
	Rounds int
	Piece  time.Duration
	// Trial is how many calls tell the rate of a server, and so how many calls a piece
	// has. No piece has fewer.
	Trial int
	// Quick leaves out all but the doors and the miss.
	Quick bool
	// Only has the ids of rows, or what they have before a hyphen. Empty: all.
	Only []string
	// Progress gets a line for each row.
	Progress io.Writer
}

// suite is a run.
type suite struct {
	Options
	cores  machine.Processors
	token  gateway.Token
	result *report.Result
}

// step is a measurement: it fills in one row or several, and plots.
type step struct {
	ids     []string
	quick   bool
	measure func(*suite, context.Context) error
}

func steps() []step {
	return []step{
		{ids: doorIDs(1), quick: true, measure: func(s *suite, ctx context.Context) error { return s.doors(ctx, 1) }},
		{ids: doorIDs(100), quick: true, measure: func(s *suite, ctx context.Context) error { return s.doors(ctx, 100) }},
		{ids: []string{"miss"}, quick: true, measure: (*suite).miss},
		{ids: []string{"redis"}, measure: (*suite).redis},
		{ids: []string{"latency"}, measure: (*suite).latency},
		{ids: []string{"inventory"}, measure: (*suite).inventory},
		{ids: []string{"entries"}, measure: (*suite).entries},
		{ids: []string{"callers"}, measure: (*suite).callers},
		{ids: []string{"connections"}, measure: (*suite).connections},
		{ids: []string{"start"}, measure: (*suite).start},
	}
}

// busy is the load from which on a run says so.
const busy = 0.5

// errNoRow is the error of a run that selects nothing.
var errNoRow = errors.New("no row has this name")

// Run measures the rows in turn. One that fails is skipped by name, and the others go on;
// the error is that of the context, or of what no row can do without.
func Run(ctx context.Context, o Options) (report.Result, error) {
	cores, err := machine.Divide()
	if err != nil {
		return report.Result{}, err
	}
	token, err := gateway.NewToken(ctx, o.Gateway)
	if err != nil {
		return report.Result{}, err
	}
	began := time.Now()
	result := report.Result{Began: began.UTC(), Rounds: o.Rounds, Piece: report.Duration(o.Piece), Machine: describe(ctx)}
	if result.Machine.Load > busy {
		_, _ = fmt.Fprintf(o.Progress, "bench: the machine is busy (load %.1f): ratios of processor time vary a little, rates and times a lot\n", result.Machine.Load)
	}
	s := &suite{Options: o, cores: cores, token: token, result: &result}
	var chosen int
	for _, st := range steps() {
		if o.Quick && !st.quick && len(o.Only) == 0 || !slices.ContainsFunc(st.ids, s.wants) {
			continue
		}
		chosen++
		start := time.Now()
		err := st.measure(s, ctx)
		if ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		if err != nil {
			s.skip(strings.Join(st.ids, ", "), err)
		}
		_, _ = fmt.Fprintf(o.Progress, "bench: %s: %.0f s\n", strings.Join(slices.DeleteFunc(slices.Clone(st.ids), func(id string) bool { return !s.wants(id) }), ", "), time.Since(start).Seconds())
	}
	if chosen == 0 {
		return result, fmt.Errorf("%w: %s", errNoRow, strings.Join(o.Only, " "))
	}
	result.Took = report.Duration(time.Since(began).Round(time.Second))
	return result, nil
}

// warmup is how many calls fill caches and pools before anything is measured.
func (s *suite) warmup() int { return max(1, s.Trial/4) }

// wants says whether a row was chosen.
func (s *suite) wants(id string) bool {
	return len(s.Only) == 0 || slices.ContainsFunc(s.Only, func(only string) bool { return id == only || strings.HasPrefix(id, only+"-") })
}

// skip notes what could not be had.
func (s *suite) skip(what string, err error) {
	reason := strings.Join(strings.Fields(err.Error()), " ")
	if errors.Is(err, exec.ErrNotFound) {
		reason = "it is not installed"
	}
	s.result.Skipped = append(s.result.Skipped, report.Skip{What: what, Reason: reason})
	_, _ = fmt.Fprintf(s.Progress, "bench: skipped: %s: %s\n", what, reason)
}

// stage owns the processes and files of one step.
type stage struct {
	*suite
	folder    string
	processes []*machine.Process
}

// onStage runs a step with a stage, which is cleared in every case.
func (s *suite) onStage(do func(*stage) error) (err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	g := &stage{suite: s, folder: folder}
	defer func() {
		for _, p := range slices.Backward(g.processes) {
			p.Stop()
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	return do(g)
}

// owns has the stage end a process.
func (g *stage) owns(p *machine.Process) { g.processes = append(g.processes, p) }

// subfolder makes one.
func (g *stage) subfolder(name string) (string, error) {
	return os.MkdirTemp(g.folder, name+"-")
}

// file writes a file of the stage.
func (g *stage) file(name string, content []byte) (string, error) {
	f, err := os.CreateTemp(g.folder, name+"-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	return f.Name(), errors.Join(err, f.Close())
}
