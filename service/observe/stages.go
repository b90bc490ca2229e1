package observe

import (
	"context"
	"runtime/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stage is a stage of a call, out of a closed set.
type Stage uint8

// The stages of a call. They nest: StageFlight is within StageCache, and StagePace and
// StageSend are within the one or the other.
const (
	// StageAuthenticate finds the caller.
	StageAuthenticate Stage = iota
	// StageAuthorize decides with the whole request.
	StageAuthorize
	// StageCache answers a read.
	StageCache
	// StageFlight is the fetch that several calls share.
	StageFlight
	// StagePace waits for the budget.
	StagePace
	// StageSend sends a request upstream, with its retries, and decodes the answer.
	StageSend
	// StageAudit keeps a record.
	StageAudit
	// StageOwn is a call that the gateway makes for itself.
	StageOwn
)

// stageNames are the names of spans and the values of labels.
var stageNames = [...]string{
	StageAuthenticate: "authenticate", StageAuthorize: "authorize", StageCache: "cache", StageFlight: "flight",
	StagePace: "pace", StageSend: "send", StageAudit: "audit", StageOwn: "own",
}

// String is the name of a span, and the value of a label.
func (s Stage) String() string { return stageNames[s] }

// The labels of profiles.
const (
	labelMethod = "method"
	labelStage  = "stage"
)

// Stages measures the stages of calls, and labels profiles by them. It has a series for
// each stage, and none for each RPC, of which there are many: profiles have both. A nil
// one does neither.
type Stages struct {
	seconds [len(stageNames)]prometheus.Observer
	labels  [len(stageNames)]pprof.LabelSet
}

// stageBuckets go from a look at memory to the longest call, in seconds.
func stageBuckets() []float64 {
	return []float64{1e-6, 5e-6, 25e-6, 1e-4, 5e-4, 0.0025, 0.01, 0.05, 0.25, 1, 5, 15, 60}
}

// NewStages registers the metric of stages; with a nil registerer it is not exported.
func NewStages(registerer prometheus.Registerer) (*Stages, error) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gateway_stage_seconds", Help: "Duration of the stages of calls. They nest.", Buckets: stageBuckets(),
	}, []string{labelStage})
	s := new(Stages)
	for stage, name := range stageNames {
		s.seconds[stage], s.labels[stage] = seconds.WithLabelValues(name), pprof.Labels(labelStage, name)
	}
	return s, Register(registerer, seconds)
}

// call labels the goroutine of a call by its RPC, until the returned function is called.
func (s *Stages) call(ctx context.Context, method string) (labelled context.Context, end func()) {
	labelled = pprof.WithLabels(ctx, pprof.Labels(labelMethod, method))
	pprof.SetGoroutineLabels(labelled)
	return labelled, func() { pprof.SetGoroutineLabels(ctx) }
}

// begin begins a stage on this goroutine, where end has to be called.
func (s *Stages) begin(ctx context.Context, stage Stage) (context.Context, timed) {
	labelled := pprof.WithLabels(ctx, s.labels[stage])
	pprof.SetGoroutineLabels(labelled)
	return labelled, timed{stages: s, stage: stage, around: ctx, start: time.Now()}
}

// timed is a stage that is being measured. The zero value is not.
type timed struct {
	stages *Stages
	stage  Stage
	around context.Context //nolint:containedctx // It has the labels to go back to.
	start  time.Time
}

func (t timed) end() {
	if t.stages == nil {
		return
	}
	t.stages.seconds[t.stage].Observe(time.Since(t.start).Seconds())
	pprof.SetGoroutineLabels(t.around)
}
