package recent

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/fleet"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/replicas"
)

// roomForRecords bounds the records in the answer of one replica, in bytes: what is around
// them is less than the rest of what an answer may have.
const roomForRecords = fleet.MaxAnswer - 8<<10

// answer is what a replica says: it has the form of the answer to a caller, with the memory
// of that one replica.
type answer interface {
	proto.Message
	GetReplicas() []*controlv1.ReplicaMemory
}

// ask asks all replicas, gives what each said to take, and returns how far each of them
// remembers.
func ask[A answer](ctx context.Context, fleet replicas.Fleet, kind string, request proto.Message, take func(replica string, one A)) (memories []*controlv1.ReplicaMemory, unknown bool, err error) {
	question, err := proto.Marshal(request)
	if err != nil {
		return nil, false, fmt.Errorf("recent: %w", err)
	}
	var none A
	parts, err := replicas.Ask(ctx, fleet, kind, question, func() A {
		one, _ := none.ProtoReflect().New().Interface().(A) // It is one.
		return one
	})
	if err != nil {
		return nil, false, err
	}
	for _, part := range parts.All {
		for _, m := range part.Message.GetReplicas() {
			m.Replica = part.Replica
			memories = append(memories, m)
		}
		take(part.Replica, part.Message)
	}
	for _, m := range parts.Missing {
		memories = append(memories, &controlv1.ReplicaMemory{Replica: m.GetName(), Missing: m.GetReason()})
	}
	return memories, parts.Unknown, nil
}

// ownRecords answers for this replica. As many records are in it as there is room for.
func (s auditService) ownRecords(_ context.Context, question []byte) ([]byte, error) {
	request := &controlv1.ListRecordsRequest{}
	if err := proto.Unmarshal(question, request); err != nil {
		return nil, fmt.Errorf("recent: %w", err)
	}
	found := s.memory.Find(&audit.Filter{
		RequestID: request.GetRequestId(), Caller: request.GetCaller(), Method: request.GetMethod(),
		Project: request.GetProject(), Code: request.GetCode(), Refused: request.GetDenied(), Failed: request.GetFailed(),
		Slowest: request.GetSlowerThan().AsDuration(),
		Since:   instant(request.GetSince()), Until: instant(request.GetUntil()),
	}, limitOf(request))
	own := &controlv1.ListRecordsResponse{More: found.More, Replicas: []*controlv1.ReplicaMemory{{CompleteSince: timestamppb.New(found.Since)}}}
	room := roomForRecords
	for _, r := range found.Records {
		m := Message(r)
		if room -= proto.Size(m) + 8; room < 0 {
			own.More = true
			break
		}
		own.Records = append(own.Records, m)
	}
	return proto.Marshal(own)
}

// ownStrangers answers for this replica.
func (s auditService) ownStrangers(_ context.Context, question []byte) ([]byte, error) {
	request := &controlv1.ListStrangersRequest{}
	if err := proto.Unmarshal(question, request); err != nil {
		return nil, fmt.Errorf("recent: %w", err)
	}
	found, more, since := s.memory.Strangers(instant(request.GetSince()), limitOf(request))
	own := &controlv1.ListStrangersResponse{More: more, Replicas: []*controlv1.ReplicaMemory{{CompleteSince: timestamppb.New(since)}}}
	room := roomForRecords
	for i := range found {
		m := strangerMessage(&found[i])
		if room -= proto.Size(m) + 8; room < 0 {
			own.More = true
			break
		}
		own.Strangers = append(own.Strangers, m)
	}
	return proto.Marshal(own)
}
