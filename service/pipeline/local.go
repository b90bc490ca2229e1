package pipeline

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/admission"
)

// Handler answers a local method or a fan-out. It sends once, or as often as it
// likes where the method streams.
type Handler func(ctx context.Context, permit admission.Permit, send func(proto.Message) error) error

// Handlers are the handlers of some methods, by procedure.
type Handlers map[string]Handler

// Unary makes a Handler of a function that answers once.
func Unary[Q, A proto.Message](f func(ctx context.Context, permit admission.Permit, request Q) (A, error)) Handler {
	return func(ctx context.Context, permit admission.Permit, send func(proto.Message) error) error {
		request, ok := permit.Request().Interface().(Q)
		if !ok {
			return fmt.Errorf("a request of type %s", permit.Request().Descriptor().FullName())
		}
		answer, err := f(ctx, permit, request)
		if err != nil {
			return err
		}
		return send(answer)
	}
}
