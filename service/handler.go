package service

import (
	"context"
	"errors"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// answerer sends the answers to a request that was authorized.
type answerer func(ctx context.Context, permit admission.Permit, stream connect.ServerStream) error

// handler is innermost for every method: receive, authorize with the whole request,
// answer. An answerer gets a permit and not a request, so that nothing answers what
// was not authorized.
func (s *server) handler(m *catalog.Method, answer answerer) connect.ServerFunc {
	return func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		request := m.Request.New()
		if err := stream.Receive(request.Interface()); err != nil {
			return err
		}
		permit, err := s.admission.Authorize(ctx, m, request)
		if err != nil {
			return err
		}
		return answer(ctx, permit, stream)
	}
}

// upstream answers from the upstream, or from what is known of its answers.
func (s *server) upstream(ctx context.Context, permit admission.Permit, stream connect.ServerStream) error {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return errors.New("service: a call without headers")
	}
	if !permit.Method().Read {
		key, err := idempotency.KeyOf(info.RequestHeader())
		if err != nil {
			return err
		}
		if key != "" {
			ctx = idempotency.WithKey(ctx, key)
		}
	}
	response, err := s.chain.Invoke(ctx, permit)
	call := accounting.From(ctx)
	call.Cache.SetHeaders(info.ResponseHeader())
	if call.Idempotency == idempotency.Replayed {
		info.ResponseHeader().Set(idempotency.ReplayedHeader, "true")
	}
	if _, unsendable := errors.AsType[*upstream.RequestError](err); unsendable {
		call.Admission.Verdict = audit.DecisionInvalid
	}
	if err != nil {
		return err
	}
	if err := response.Untyped(); err != nil && info.Protocol != door.ProtocolREST {
		return err
	}
	response.SetHeaders(info.ResponseHeader())
	return stream.Send(response)
}

// local answers with code of the gateway.
func (s *server) local(handler pipeline.Handler) answerer {
	return func(ctx context.Context, permit admission.Permit, stream connect.ServerStream) error {
		if !permit.Method().Read {
			if err := s.recorder.Announce(ctx); err != nil {
				return err
			}
			// Whatever it does, a record of it is due.
			accounting.From(ctx).Upstream.Done = true
		}
		if permit.Method().Descriptor.IsStreamingServer() {
			if err := s.recorder.Begin(ctx); err != nil {
				return err
			}
		}
		return handler(ctx, permit, sender{permit, stream})
	}
}

// sender takes the answers of a handler to the stream of a call.
type sender struct {
	permit admission.Permit
	stream connect.ServerStream
}

// Send implements [pipeline.Sender].
func (s sender) Send(m proto.Message) error { return s.stream.Send(m) }

// SendWire implements [pipeline.Sender]. Every door takes a Response as it is, or decodes
// it for a caller that wants another form.
func (s sender) SendWire(wire []byte) error {
	return s.stream.Send(pipeline.NewResponse(s.permit, pipeline.Answer{Wire: wire}, ""))
}
