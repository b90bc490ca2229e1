package gatewaytest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// restTransport calls the REST door as a client of the upstream would, so that
// what is tested through every door is tested through this one.
type restTransport struct {
	catalog  *catalog.Catalog
	web      *Web
	answered func(Answer)
}

// NewClientStream implements [connect.Transport].
func (c *restTransport) NewClientStream(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
	m, ok := c.catalog.Lookup(spec.Procedure)
	if !ok {
		return nil, fmt.Errorf("%s is not in the catalog", spec.Procedure)
	}
	return &restCall{transport: c, ctx: ctx, method: m}, nil
}

// restCall is one call.
type restCall struct {
	transport *restTransport
	ctx       context.Context //nolint:containedctx // The call is made when its answer is received.
	method    *catalog.Method
	request   proto.Message
	done      bool
}

// SendHeaders implements [connect.ClientStream].
func (c *restCall) SendHeaders() error { return nil }

// CloseSend implements [connect.ClientStream].
func (c *restCall) CloseSend() error { return nil }

// Close implements [connect.ClientStream].
func (c *restCall) Close() error { return nil }

// Send implements [connect.ClientStream].
func (c *restCall) Send(msg any) error {
	request, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("sending %T", msg)
	}
	c.request = request
	return nil
}

// Receive implements [connect.ClientStream].
func (c *restCall) Receive(msg any) error {
	if c.done {
		return io.EOF
	}
	c.done = true
	response, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("receiving into %T", msg)
	}
	request, err := restRequest(c.ctx, c.transport.web.URL, c.method, c.request.ProtoReflect())
	if err != nil {
		return err
	}
	info, ok := connect.CallInfoForClientContext(c.ctx)
	if ok {
		for name, values := range info.RequestHeader().All() {
			request.Header[name] = values
		}
	}
	reply, err := c.transport.web.Client.Do(request)
	if err != nil {
		return cmp.Or(c.ctx.Err(), err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if ok {
		for name, values := range reply.Header {
			info.ResponseHeader().SetValues(name, values)
		}
	}
	c.transport.answered(Answer{Status: reply.StatusCode, Body: body})
	if reply.StatusCode != http.StatusOK {
		return restFault(reply.StatusCode, body)
	}
	answer, err := c.method.Endpoint.Decode(body)
	if err != nil {
		return err
	}
	return proto.Unmarshal(answer.Wire, response)
}

// restRequest spells a message as a client of the upstream does. The path is
// made here, whatever the ids are: the door has to refuse ids that are not allowed.
func restRequest(ctx context.Context, base string, m *catalog.Method, message protoreflect.Message) (*http.Request, error) {
	plain := proto.Clone(message.Interface()).ProtoReflect()
	path := m.Endpoint.Template()
	for _, variable := range m.Endpoint.Variables() {
		path = strings.Replace(path, "{"+string(variable.Name())+"}", url.PathEscape(message.Get(variable).String()), 1)
		plain.Set(variable, protoreflect.ValueOfString("x"))
	}
	spelled, err := m.Endpoint.Request(plain)
	if err != nil {
		if field, ok := errors.AsType[*upstream.RequestError](err); ok {
			return nil, fmt.Errorf("a request that no client of the upstream can make: %w", field)
		}
		return nil, err
	}
	address := base + "/v1" + path
	if spelled.Query != "" {
		address += "?" + spelled.Query
	}
	request, err := http.NewRequestWithContext(ctx, m.Endpoint.Verb(), address, bytes.NewReader(spelled.Body))
	if err != nil {
		return nil, err
	}
	if spelled.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

var restCodes = map[int]connect.Code{
	http.StatusBadRequest: connect.CodeInvalidArgument, http.StatusUnauthorized: connect.CodeUnauthenticated,
	http.StatusForbidden: connect.CodePermissionDenied, http.StatusNotFound: connect.CodeNotFound,
	http.StatusConflict: connect.CodeAborted, http.StatusTooManyRequests: connect.CodeResourceExhausted,
	http.StatusFailedDependency: connect.CodeUnknown, http.StatusInternalServerError: connect.CodeInternal,
	http.StatusServiceUnavailable: connect.CodeUnavailable, http.StatusGatewayTimeout: connect.CodeDeadlineExceeded,
}

// restFault is an error of the door as another door would send it.
func restFault(status int, body []byte) error {
	var sent struct {
		Error struct {
			Message, Type, Code string
			Param               *string
		}
	}
	code, known := restCodes[status]
	if err := json.Unmarshal(body, &sent); err != nil || !known || sent.Error.Message == "" || sent.Error.Type == "" || sent.Error.Code == "" {
		return fmt.Errorf("status %d: %s: not an error of the upstream's form", status, body)
	}
	e := connect.NewError(code, sent.Error.Message)
	parts := []proto.Message{&errdetails.ErrorInfo{Reason: strings.ToUpper(sent.Error.Code), Domain: rpcerror.Domain}}
	if sent.Error.Param != nil {
		parts = append(parts, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: *sent.Error.Param}}})
	}
	for _, part := range parts {
		detail, err := connectproto.NewErrorDetail(part)
		if err != nil {
			return err
		}
		e = e.WithDetail(detail)
	}
	return e
}
