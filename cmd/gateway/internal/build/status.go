package build

import (
	"context"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/service/status"
)

// liveState is what is live in this process, for operators of all replicas.
type liveState struct {
	version, commit, goVersion string
	started                    time.Time
	access                     *access
	ready                      *readiness
	answers                    *readcache.Cache
}

// newLiveState reads the build from its version, in the form of `gateway --version`.
func newLiveState(version string, access *access, ready *readiness, answers *readcache.Cache) *liveState {
	s := &liveState{started: time.Now(), access: access, ready: ready, answers: answers}
	s.version, _, _ = strings.Cut(version, " ")
	if info, ok := debug.ReadBuildInfo(); ok {
		s.goVersion = info.GoVersion
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				s.commit = setting.Value
			}
		}
	}
	return s
}

// Status implements [status.Source].
func (s *liveState) Status(ctx context.Context) status.State {
	now := status.State{Version: s.version, Commit: s.commit, Go: s.goVersion, Started: s.started}
	now.Cache.Reads, now.Cache.Stored = s.answers.Counts()
	if policy := s.access.policy.Current(); policy != nil {
		now.Policy = status.Policy{SHA256: policy.SHA256(), Loaded: policy.Loaded(), Callers: len(policy.Callers())}
	}
	if s.access.file != nil {
		if fault, is := s.access.file.Fault(); is {
			now.Policy.Failure, now.Policy.Failed = fault.Reason, fault.Since
		}
	}
	found := s.ready.look(ctx)
	now.Ready = found.Ready
	for _, f := range found.Findings {
		now.Conditions = append(now.Conditions, status.Condition{Name: f.Name, OK: f.OK, Degraded: f.Degraded, Reason: f.Reason})
	}
	return now
}

func (s *liveState) collectors() []prometheus.Collector {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gateway_build_info", Help: "1, with version and commit of the build, and the version of Go.",
		ConstLabels: prometheus.Labels{"version": s.version, "commit": s.commit, "go": s.goVersion},
	})
	build.Set(1)
	return []prometheus.Collector{build, policyInfo{
		policy: s.access.policy,
		info:   prometheus.NewDesc("gateway_policy_info", "1, with the SHA-256 of the policy in force.", []string{"sha256"}, nil),
		loaded: prometheus.NewDesc("gateway_policy_loaded_timestamp_seconds", "When the policy in force was loaded.", nil, nil),
	}}
}

// policyInfo shows which policy is in force. The one before has no series any more.
type policyInfo struct {
	policy       policySource
	info, loaded *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (p policyInfo) Describe(to chan<- *prometheus.Desc) {
	to <- p.info
	to <- p.loaded
}

// Collect implements [prometheus.Collector].
func (p policyInfo) Collect(to chan<- prometheus.Metric) {
	policy := p.policy.Current()
	if policy == nil {
		return
	}
	to <- prometheus.MustNewConstMetric(p.info, prometheus.GaugeValue, 1, policy.SHA256())
	to <- prometheus.MustNewConstMetric(p.loaded, prometheus.GaugeValue, float64(policy.Loaded().UnixMilli())/1000)
}
