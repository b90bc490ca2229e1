// Package status answers admingateway.control.v1.StatusService: which build and which
// policy is live on which replica, and what is wrong there.
//
// Each replica answers for itself, from its [Source]; nothing is asked of the upstream.
package status

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/replicas"
)

// kind is that of the question to replicas.
const kind = "status"

// Source knows the state of this replica.
type Source interface {
	// Status is the state at this moment. It has no secret.
	Status(ctx context.Context) State
}

// State is the state of a replica.
type State struct {
	// Version and Commit are those of the build, and Go that of the compiler.
	Version, Commit, Go string
	// Started is when the process began.
	Started time.Time
	// Policy is that in force.
	Policy Policy
	// Ready says that load balancers should send callers here, and Conditions why.
	Ready      bool
	Conditions []Condition
	// Cache is what the cache has done since the process began.
	Cache Cache
}

// Cache counts reads.
type Cache struct {
	// Reads are those whose answers may be stored, and Stored those of them that were
	// answered from the cache.
	Reads, Stored int64
}

// Policy is the policy of a replica.
type Policy struct {
	// SHA256 is that of its text, in hex.
	SHA256 string
	// Loaded is when it was put into force.
	Loaded time.Time
	// Callers is how many it names.
	Callers int
	// Failure is why the file cannot be used as it is now, "" if it can; Failed is since
	// when.
	Failure string
	Failed  time.Time
}

// Condition is a condition of readiness.
type Condition struct {
	Name string
	OK   bool
	// Degraded says that calls are answered without what it is about.
	Degraded bool
	// Reason is what is wrong; "" for nothing.
	Reason string
}

// service answers admingateway.control.v1.StatusService.
type service struct{ all replicas.Fleet }

// Handlers answer admingateway.control.v1.StatusService, and the questions of other
// replicas for it. With a nil source this replica has no answer.
func Handlers(source Source, all replicas.Fleet) (pipeline.Handlers, error) {
	if source != nil {
		if err := all.Handle(kind, func(ctx context.Context, _ []byte) ([]byte, error) { return own(source.Status(ctx)) }); err != nil {
			return nil, err
		}
	}
	return pipeline.Handlers{controlv1connect.StatusServiceGetStatusProcedure: pipeline.Unary(service{all}.getStatus)}, nil
}

// maxText bounds a reason, so that an answer is never too long.
const maxText = 4 << 10

func own(s State) ([]byte, error) {
	replica := &controlv1.ReplicaStatus{
		Version: s.Version, Commit: s.Commit, GoVersion: s.Go, StartedAt: instant(s.Started), Ready: s.Ready,
		Cache: &controlv1.CacheStatus{Reads: s.Cache.Reads, Stored: s.Cache.Stored},
	}
	if s.Policy.SHA256 != "" {
		replica.Policy = &controlv1.PolicyStatus{
			Sha256: s.Policy.SHA256, LoadedAt: instant(s.Policy.Loaded), Callers: int32(s.Policy.Callers),
			Failure: clip(s.Policy.Failure), FailedAt: instant(s.Policy.Failed),
		}
	}
	for _, c := range s.Conditions {
		replica.Conditions = append(replica.Conditions, &controlv1.Condition{Name: c.Name, Ok: c.OK, Degraded: c.Degraded, Reason: clip(c.Reason)})
	}
	return proto.Marshal(replica)
}

// clip makes a text one that a message can have, and that is not too long.
func clip(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

func (s service) getStatus(ctx context.Context, _ admission.Permit, _ *controlv1.GetStatusRequest) (*controlv1.GetStatusResponse, error) {
	parts, err := replicas.Ask(ctx, s.all, kind, nil, func() *controlv1.ReplicaStatus { return &controlv1.ReplicaStatus{} })
	if err != nil {
		return nil, err
	}
	answer := &controlv1.GetStatusResponse{MissingReplicas: parts.Missing, UnknownReplicas: parts.Unknown}
	for _, part := range parts.All {
		part.Message.Name, part.Message.Answering = part.Replica, part.Self
		answer.Replicas = append(answer.Replicas, part.Message)
		first := answer.GetReplicas()[0]
		answer.PoliciesDiffer = answer.GetPoliciesDiffer() || first.GetPolicy().GetSha256() != part.Message.GetPolicy().GetSha256()
		answer.VersionsDiffer = answer.GetVersionsDiffer() || first.GetVersion() != part.Message.GetVersion() || first.GetCommit() != part.Message.GetCommit()
	}
	return answer, nil
}

// instant is absent where there is none.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
