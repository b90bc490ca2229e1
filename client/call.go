package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
)

// call is a call, of one attempt or several.
type call struct {
	gateway *Gateway
	next    connect.ClientFunc
	spec    connect.Spec
	info    *connect.CallInfo // the caller's
	ctx     context.Context
	end     func()
	request any

	// key is the idempotency key.
	key string
	// token is the one of the last attempt, and refused one that the gateway refused.
	token, refused string
}

// intercept is the interceptor around all others' transport.
func (g *Gateway) intercept(next connect.ClientFunc) connect.ClientFunc {
	return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
		info, _ := connect.CallInfoForClientContext(ctx) // The library puts it there.
		c := &call{gateway: g, next: next, spec: spec, info: info}
		ctx, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(g.closed, cancel) //nolint:contextcheck // The call ends with either.
		c.ctx, c.end = ctx, func() { stop(); cancel() }
		switch spec.StreamType {
		case connect.StreamTypeUnary:
			return c.unary(), nil
		case connect.StreamTypeServer:
			return &stream{call: c}, nil
		default:
			c.end()
			return nil, newError(ctx, connect.NewError(connect.CodeUnimplemented, "no gateway takes a stream of requests"), info)
		}
	}
}

// SendHeaders implements connect.ClientStream. Headers go with the request.
func (*call) SendHeaders() error { return nil }

// Send implements connect.ClientStream. The request is kept for each attempt.
func (c *call) Send(request any) error {
	c.request = request
	return nil
}

// attempt sends the request. It has a CallInfo of its own, so that what is added here does
// not stay in the caller's, which may serve for other calls.
func (c *call) attempt() (connect.ClientStream, *connect.CallInfo, error) {
	ctx, info := connect.NewClientContext(c.ctx)
	headers := info.RequestHeader()
	for name, values := range c.info.RequestHeader().All() {
		headers.SetValues(name, slices.Clone(values))
	}
	if !headers.Has("Authorization") {
		token, err := c.gateway.credential.token(ctx, c.refused)
		if err != nil {
			return nil, info, err
		}
		if c.token = token; token != "" {
			headers.Set("Authorization", "Bearer "+token)
		}
	}
	if c.key != "" {
		headers.Set(idempotencyKey, c.key)
	}
	if !headers.Has("User-Agent") {
		headers.Set("User-Agent", c.gateway.userAgent)
	}
	opened, err := c.next(ctx, c.spec)
	if err != nil {
		return nil, info, err
	}
	// An answer can come before the whole request has gone out, and then says why.
	if err := opened.Send(c.request); err != nil && err != io.EOF { //nolint:errorlint // The library's own contract.
		return opened, info, err
	}
	return opened, info, opened.CloseSend()
}

// anotherToken says whether a refused call can be made again with another token: once.
func (c *call) anotherToken(err error) bool {
	wire, ok := errors.AsType[*connect.Error](err)
	if !ok || !wire.IsRemote() || wire.Code() != connect.CodeUnauthenticated || c.refused != "" || c.token == "" {
		return false
	}
	c.refused = c.token
	token, err := c.gateway.credential.token(c.ctx, c.refused)
	return err == nil && token != c.refused
}

// failed is the error of an attempt. [Gateway.Close] tells calls of it one by one, and what
// it does to their connections can be seen before.
func (c *call) failed(err error, info *connect.CallInfo) *Error {
	if c.gateway.closed.Err() != nil {
		c.end()
	}
	return newError(c.ctx, err, info)
}

// tell gives the caller what is known of an attempt.
func (c *call) tell(info *connect.CallInfo) {
	c.info.Spec, c.info.PeerAddr, c.info.Protocol, c.info.Codec = info.Spec, info.PeerAddr, info.Protocol, info.Codec
	c.info.RequestEncoding, c.info.ResponseEncoding = info.RequestEncoding, info.ResponseEncoding
	c.info.SendStats, c.info.ReceiveStats, c.info.TransportInfo = info.SendStats, info.ReceiveStats, info.TransportInfo
	for name, values := range info.ResponseHeader().All() {
		c.info.ResponseHeader().SetValues(name, values)
	}
	for name, values := range info.ResponseTrailer().All() {
		c.info.ResponseTrailer().SetValues(name, values)
	}
}

// unary is a call with one answer.
type unary struct{ *call }

func (c *call) unary() *unary {
	if _, limited := c.ctx.Deadline(); !limited {
		ctx, cancel := context.WithTimeout(c.ctx, c.gateway.options.deadline)
		end := c.end
		c.ctx, c.end = ctx, func() { cancel(); end() }
	}
	return &unary{c}
}

// CloseSend implements connect.ClientStream.
func (*unary) CloseSend() error { return nil }

// Close implements connect.ClientStream.
func (u *unary) Close() error {
	u.end()
	return nil
}

// Receive makes the call, as often as it takes and as is safe.
func (u *unary) Receive(response any) error {
	var ours bool
	u.key, ours = u.chooseKey()
	for attempts, pause := 1, firstPause; ; {
		info, err := u.once(response)
		if err == nil {
			u.tell(info)
			return nil
		}
		failure := u.failed(err, info)
		switch {
		case u.anotherToken(err):
			continue
		case ours && failure.keepsNoKeys():
			u.key, ours = "", false
			continue
		case attempts < u.gateway.options.attempts && u.repeatable() && failure.passes() && u.pause(pause, failure):
			attempts, pause = attempts+1, min(2*pause, longestPause)
		default:
			u.tell(info)
			if err := u.ctx.Err(); err != nil && failure.passes() { // In a pause.
				return u.failed(err, info)
			}
			return failure
		}
	}
}

// once is one attempt.
func (u *unary) once(response any) (*connect.CallInfo, error) {
	opened, info, err := u.attempt()
	if opened == nil {
		return info, err
	}
	defer func() { _ = opened.Close() }()
	if err != nil {
		return info, err
	}
	return info, opened.Receive(response)
}

// repeatable says whether the call can be made twice without being done twice.
func (u *unary) repeatable() bool {
	if u.spec.IdempotencyLevel == connect.IdempotencyNoSideEffects || u.key != "" {
		return true
	}
	named, ok := u.request.(interface{ GetRequestId() string })
	return ok && named.GetRequestId() != ""
}

// pause waits ahead of another attempt; false where there is no time for one.
func (u *unary) pause(d time.Duration, failure *Error) bool {
	d = d/2 + time.Duration(rand.Int64N(int64(d/2)+1)) //nolint:gosec // It spreads callers.
	d = max(d, failure.RetryDelay)
	if deadline, ok := u.ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-u.ctx.Done():
		return false
	}
}

// stream is a call with a stream of answers. It is opened once, and once more where its
// token is refused.
type stream struct {
	*call
	opened connect.ClientStream
	last   *connect.CallInfo // of the attempt
	err    error
	began  bool
}

// Send implements connect.ClientStream. The request is the caller's to change after it.
func (s *stream) Send(request any) error {
	if message, ok := request.(proto.Message); ok {
		request = proto.Clone(message)
	}
	return s.call.Send(request)
}

// CloseSend opens the stream.
func (s *stream) CloseSend() error {
	s.open()
	return nil
}

// open keeps an error for Receive.
func (s *stream) open() { s.opened, s.last, s.err = s.attempt() }

// Receive implements connect.ClientStream.
func (s *stream) Receive(response any) error {
	err := s.receive(response)
	if err == nil && s.began {
		return nil
	}
	if s.anotherToken(err) && !s.began {
		_ = s.close()
		s.open()
		err = s.receive(response)
	}
	s.began = true
	s.tell(s.last)
	if err == nil {
		return nil
	}
	_ = s.close()
	if err == io.EOF { //nolint:errorlint // The library's own contract.
		s.end()
		return io.EOF
	}
	failure := s.failed(err, s.last)
	s.end()
	return failure
}

func (s *stream) receive(response any) error {
	if s.err != nil || s.opened == nil {
		return s.err
	}
	return s.opened.Receive(response)
}

// Close implements connect.ClientStream.
func (s *stream) Close() error {
	err := s.close()
	s.end()
	return err
}

func (s *stream) close() error {
	if s.opened == nil {
		return nil
	}
	return s.opened.Close()
}
