package pipeline

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/admission"
)

// Sender takes the answers of a [Handler] to the caller.
type Sender interface {
	// Send sends a message.
	Send(m proto.Message) error
	// SendWire sends a message of the method's response type that is in its binary form
	// already. The bytes are not changed afterwards.
	SendWire(wire []byte) error
}

// Handler answers a local method or a fan-out. It sends once, or as often as it
// likes where the method streams.
type Handler func(ctx context.Context, permit admission.Permit, to Sender) error

// Handlers are the handlers of some methods, by procedure.
type Handlers map[string]Handler

// Unary makes a Handler of a function that answers once.
func Unary[Q, A proto.Message](f func(ctx context.Context, permit admission.Permit, request Q) (A, error)) Handler {
	return func(ctx context.Context, permit admission.Permit, to Sender) error {
		request, ok := permit.Request().Interface().(Q)
		if !ok {
			return fmt.Errorf("a request of type %s", permit.Request().Descriptor().FullName())
		}
		answer, err := f(ctx, permit, request)
		if err != nil {
			return err
		}
		return to.Send(answer)
	}
}
