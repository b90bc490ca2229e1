package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// methods returns the methods of the suite's service, as its declaration describes
// them, without the one that has to be unimplemented.
func (s schema) methods() []connect.Method {
	var methods []connect.Method
	all := s.service.Methods()
	for i := range all.Len() {
		if d := all.Get(i); d.Name() != "Unimplemented" {
			methods = append(methods, connect.Method{Spec: specOf(d), Handler: serveCall(d)})
		}
	}
	return methods
}

func specOf(d protoreflect.MethodDescriptor) connect.Spec {
	spec := connect.Spec{Procedure: "/" + string(d.Parent().FullName()) + "/" + string(d.Name()), Schema: d}
	if d.IsStreamingClient() {
		spec.StreamType |= connect.StreamTypeClient
	}
	if d.IsStreamingServer() {
		spec.StreamType |= connect.StreamTypeServer
	}
	if options, ok := d.Options().(*descriptorpb.MethodOptions); ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
		spec.IdempotencyLevel = connect.IdempotencyNoSideEffects
	}
	return spec
}

// deadlineKey is the context key of the client's deadline.
type deadlineKey struct{}

// withClientDeadline remembers the deadline that came with the call. The suite wants
// this one in the answer, and not the one that an interceptor sets where none came.
func withClientDeadline(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if deadline, ok := ctx.Deadline(); ok {
			ctx = context.WithValue(ctx, deadlineKey{}, deadline)
		}
		return next(ctx, spec, stream)
	}
}

// exchange is one call of the suite: its first request describes the answer.
type exchange struct {
	ctx    context.Context
	method protoreflect.MethodDescriptor
	info   *connect.CallInfo
	stream connect.ServerStream
	// requests are the received ones that no answer has described yet.
	requests []message
	ended    bool // the client sends no more
	answers  int
}

func serveCall(d protoreflect.MethodDescriptor) connect.ServerFunc {
	return func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		info, _ := connect.CallInfoForServerContext(ctx)
		x := &exchange{ctx: ctx, method: d, info: info, stream: stream}
		first, err := x.receive()
		if err != nil {
			return err
		}
		definition := first.child("response_definition")
		copyHeaders(info.ResponseHeader(), definition.children("response_headers"))
		copyHeaders(info.ResponseTrailer(), definition.children("response_trailers"))
		duplex := d.IsStreamingClient() && d.IsStreamingServer() && first.get("full_duplex").Bool()
		for d.IsStreamingClient() && !duplex && !x.ended {
			if _, err := x.receive(); err != nil {
				return err
			}
		}
		if d.IsStreamingServer() {
			return x.answerAll(definition, duplex)
		}
		return x.answerOnce(definition)
	}
}

// receive reads the next request; an empty one when there are no more.
func (x *exchange) receive() (message, error) {
	m := newMessage(x.method.Input())
	switch err := x.stream.Receive(m.Interface()); {
	case errors.Is(err, io.EOF):
		x.ended = true
		return m, nil
	case err != nil:
		return m, err
	}
	x.requests = append(x.requests, m)
	return m, nil
}

func (x *exchange) answerOnce(definition message) error {
	if definition.has("error") {
		return x.fail(definition.child("error"))
	}
	return x.send(definition, definition.get("response_data").Bytes())
}

// answerAll sends the answers of the definition; in full duplex one for each request,
// and the rest when there are no more.
func (x *exchange) answerAll(definition message, duplex bool) error {
	data := definition.list("response_data")
	if data.Len() > 0 {
		if err := x.stream.SendHeaders(); err != nil {
			return err
		}
	}
	for i := range data.Len() {
		if err := x.send(definition, data.Get(i).Bytes()); err != nil {
			return err
		}
		if !duplex || x.ended {
			continue
		}
		if _, err := x.receive(); err != nil {
			return err
		}
	}
	if definition.has("error") {
		return x.fail(definition.child("error"))
	}
	return nil
}

func (x *exchange) send(definition message, data []byte) error {
	// The wait is as long as asked for, deadline or not: the cases about
	// deadlines need late answers. An error at the deadline itself would meet
	// the client giving up, and now and then reach it in half.
	<-time.After(time.Duration(definition.get("response_delay_ms").Uint()) * time.Millisecond)
	answer := newMessage(x.method.Output())
	payload := answer.newChild("payload")
	payload.set("data", data)
	if x.answers == 0 || len(x.requests) > 0 {
		x.describe(payload.newChild("request_info"))
	}
	x.answers++
	return x.stream.Send(answer.Interface())
}

// describe adds the requests since the last answer; to the first answer also the
// headers and the deadline of the call.
func (x *exchange) describe(info message) {
	for _, request := range x.requests {
		packInto(info.newElement("requests"), request)
	}
	x.requests = nil
	if x.answers > 0 {
		return
	}
	for name, values := range x.info.RequestHeader().All() {
		addHeader(info.newElement("request_headers"), name, values)
	}
	if deadline, ok := x.ctx.Value(deadlineKey{}).(time.Time); ok {
		info.set("timeout_ms", time.Until(deadline).Milliseconds())
	}
	for name, values := range x.query() {
		addHeader(info.newChild("connect_get_info").newElement("query_params"), name, values)
	}
}

// query returns the query of a call over GET.
func (x *exchange) query() url.Values {
	info, _ := connecthttp.ServerInfoForContext(x.ctx)
	return info.HTTPGetQueryParams()
}

// fail makes the error that is described. If it comes before the first answer, it has
// to describe the requests.
func (x *exchange) fail(described message) error {
	if x.answers == 0 {
		info := newMessage(x.method.Output().Fields().ByName("payload").Message().Fields().ByName("request_info").Message())
		x.describe(info)
		packInto(described.newElement("details"), info)
	}
	e := connect.NewError(connect.Code(described.get("code").Enum()), described.get("message").String())
	for _, packed := range described.children("details") {
		detail, err := connectproto.NewErrorDetail(&anypb.Any{TypeUrl: packed.get("type_url").String(), Value: packed.get("value").Bytes()})
		if err != nil {
			return err
		}
		e = e.WithDetail(detail)
	}
	return e
}

// packInto fills a google.protobuf.Any of the suite's schema.
func packInto(packed, m message) {
	wire, err := proto.Marshal(m.Interface())
	if err != nil {
		panic(err) // It was unmarshaled, or made, a moment ago.
	}
	packed.set("type_url", "type.googleapis.com/"+string(m.Descriptor().FullName()))
	packed.set("value", wire)
}

func copyHeaders(to *connect.Header, from []message) {
	for _, header := range from {
		for values, i := header.list("value"), 0; i < values.Len(); i++ {
			to.Add(header.get("name").String(), values.Get(i).String())
		}
	}
}

func addHeader(to message, name string, values []string) {
	to.set("name", name)
	list := to.Mutable(to.field("value")).List()
	for _, value := range values {
		list.Append(protoreflect.ValueOfString(value))
	}
}
