package recent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/replicas"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// The kinds of questions.
const (
	kindRecords   = "audit.records.v1"
	kindStrangers = "audit.strangers.v1"
)

// defaultLimit is how much is returned where the request sets no limit.
const defaultLimit = 100

type auditService struct {
	memory *Memory
	fleet  replicas.Fleet
}

// Handlers answer admingateway.control.v1.AuditService. Without a memory they fail: this
// gateway remembers nothing. The fleet gets the answerers of this
// replica.
func Handlers(memory *Memory, fleet replicas.Fleet) (pipeline.Handlers, error) {
	s := auditService{memory, fleet}
	if memory != nil {
		if err := errors.Join(fleet.Handle(kindRecords, s.ownRecords), fleet.Handle(kindStrangers, s.ownStrangers)); err != nil {
			return nil, fmt.Errorf("recent: %w", err)
		}
	}
	return pipeline.Handlers{
		"/admingateway.control.v1.AuditService/ListRecords":   pipeline.Unary(s.listRecords),
		"/admingateway.control.v1.AuditService/ListStrangers": pipeline.Unary(s.listStrangers),
	}, nil
}

func (s auditService) listRecords(ctx context.Context, _ admission.Permit, request *controlv1.ListRecordsRequest) (*controlv1.ListRecordsResponse, error) {
	if err := s.remembers(); err != nil {
		return nil, err
	}
	all := &controlv1.ListRecordsResponse{}
	memories, unknown, err := ask(ctx, s.fleet, kindRecords, request, func(replica string, one *controlv1.ListRecordsResponse) {
		for _, r := range one.GetRecords() {
			r.Replica = replica
		}
		all.Records = append(all.Records, one.GetRecords()...)
		all.More = all.GetMore() || one.GetMore()
	})
	if err != nil {
		return nil, err
	}
	all.Replicas, all.UnknownReplicas = memories, unknown
	slices.SortStableFunc(all.Records, func(a, b *controlv1.AuditRecord) int {
		return b.GetTime().AsTime().Compare(a.GetTime().AsTime())
	})
	if limit := limitOf(request); len(all.GetRecords()) > limit {
		all.Records, all.More = all.GetRecords()[:limit], true
	}
	return all, nil
}

func (s auditService) listStrangers(ctx context.Context, _ admission.Permit, request *controlv1.ListStrangersRequest) (*controlv1.ListStrangersResponse, error) {
	if err := s.remembers(); err != nil {
		return nil, err
	}
	all := &controlv1.ListStrangersResponse{}
	memories, unknown, err := ask(ctx, s.fleet, kindStrangers, request, func(_ string, one *controlv1.ListStrangersResponse) {
		all.Strangers = append(all.Strangers, one.GetStrangers()...)
		all.More = all.GetMore() || one.GetMore()
	})
	if err != nil {
		return nil, err
	}
	all.Replicas, all.UnknownReplicas = memories, unknown
	all.Strangers = together(all.GetStrangers())
	if limit := limitOf(request); len(all.GetStrangers()) > limit {
		all.Strangers, all.More = all.GetStrangers()[:limit], true
	}
	return all, nil
}

// remembers fails for a gateway without a memory.
func (s auditService) remembers() error {
	if s.memory == nil {
		return &rpcerror.Error{Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonNoMemory, Message: "this gateway keeps no records in memory: audit.memory is 0"}
	}
	return nil
}

// limitOf is the limit that a request sets, or that of one that sets none.
func limitOf(request interface {
	GetLimit() int32
}) int {
	if n := request.GetLimit(); n > 0 {
		return int(n)
	}
	return defaultLimit
}

// together are the strangers of all replicas, those of one network, door and reason as
// one, the latest first.
func together(all []*controlv1.Stranger) []*controlv1.Stranger {
	type key struct{ network, door, reason string }
	merged := make(map[key]*controlv1.Stranger, len(all))
	kept := all[:0]
	for _, s := range all {
		k := key{s.GetNetwork(), s.GetDoor(), s.GetReason()}
		other := merged[k]
		if other == nil {
			merged[k] = s
			kept = append(kept, s)
			continue
		}
		count, first := other.GetCount()+s.GetCount(), other.GetFirst()
		if s.GetFirst().AsTime().Before(first.AsTime()) {
			first = s.GetFirst()
		}
		if s.GetLast().AsTime().After(other.GetLast().AsTime()) {
			proto.Reset(other)
			proto.Merge(other, s)
		}
		other.Count, other.First = count, first
	}
	slices.SortFunc(kept, func(a, b *controlv1.Stranger) int {
		return b.GetLast().AsTime().Compare(a.GetLast().AsTime())
	})
	return kept
}

// instant is a time of a request; the zero time where it sets none.
func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
