// Package replicas asks all replicas for a part of an answer, for the services that answer
// for all of them: parts are messages, and replicas without one are named.
//
// It imports internal/fleet, which carries the parts, and rpcerror.
package replicas

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/fleet"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Fleet asks all replicas of this gateway, and answers them for this one. A *fleet.Fleet
// is one.
type Fleet interface {
	// Handle answers the questions of a kind in this replica.
	Handle(kind string, answer fleet.Answerer) error
	// Ask asks every replica, this one among them, and names those without an answer.
	Ask(ctx context.Context, kind string, payload []byte) (fleet.Answers, error)
}

// Part is the part of one replica.
type Part[M proto.Message] struct {
	// Replica is its name, and Self says that it is this one.
	Replica string
	Self    bool
	Message M
}

// Parts are those of all replicas.
type Parts[M proto.Message] struct {
	// All are those that came, by the names of replicas.
	All []Part[M]
	// Missing are the replicas without one.
	Missing []*controlv1.MissingReplica
	// Unknown says that there may be replicas that are named nowhere.
	Unknown bool
}

// Ask asks for parts. empty makes a message that a part is decoded into. The error is one
// that callers may see, or that of ctx.
func Ask[M proto.Message](ctx context.Context, all Fleet, kind string, payload []byte, empty func() M) (Parts[M], error) {
	asked, err := all.Ask(ctx, kind, payload)
	if errors.Is(err, fleet.ErrBusy) {
		return Parts[M]{}, &rpcerror.Error{
			Code: connect.CodeResourceExhausted, Reason: rpcerror.ReasonReplicasBusy, RetryAfter: time.Second, Cause: err,
			Message: "too many calls wait for the answers of other replicas",
		}
	}
	if err != nil {
		return Parts[M]{}, err
	}
	parts := Parts[M]{Unknown: asked.Unknown}
	for _, a := range asked.ByReplica {
		part := empty()
		if proto.Unmarshal(a.Payload, part) != nil {
			asked.Missing = append(asked.Missing, fleet.Missing{Replica: a.Replica, Why: fleet.Unreadable})
			continue
		}
		parts.All = append(parts.All, Part[M]{a.Replica, a.Self, part})
	}
	for _, m := range asked.Missing {
		parts.Missing = append(parts.Missing, &controlv1.MissingReplica{Name: m.Replica, Reason: string(m.Why)})
	}
	return parts, nil
}
