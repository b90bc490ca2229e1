//go:build unix

package leases

import (
	"context"
	"errors"
	"io"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
)

// outcome is what a tenant knows of a call.
type outcome int

const (
	// done: it was answered.
	done outcome = iota
	// refused: the gateway has answered that it is not done.
	refused
	// unknown: no answer came, or one that says nothing.
	unknown
)

const (
	// attemptLimit bounds one attempt, and callLimit is how long a call is made again: for
	// longer than a gateway is away, and not for as long as an intent is in doubt.
	attemptLimit = 1500 * time.Millisecond
	callLimit    = 3 * time.Second
	// streamLimit bounds an attempt whose answer is a stream: it reads many keys.
	streamLimit = 10 * time.Second
)

// try makes a call, and makes it again at another gateway while its outcome is not known.
// failed is called after each attempt that is not answered, or refused.
func (t *Tenant) try(ctx context.Context, rpc string, call func(ctx context.Context, c leasev1connect.LeaseServiceClient) error, failed func()) outcome {
	result := refused
	at := t.random.IntN(len(t.house.Gateways))
	began := time.Now()
	for n := 0; ; n++ {
		gateway := (at + n) % len(t.house.Gateways)
		err := t.attempt(ctx, rpc, gateway, call)
		if err == nil {
			t.diary.count(rpc, false)
			return done
		}
		if failed != nil {
			failed()
		}
		if outcomeOf(err) == refused {
			// What an attempt before it has begun is another matter.
			t.diary.count(rpc, result == unknown)
			return result
		}
		result = unknown
		if time.Since(began) > callLimit || !t.rest(ctx, time.Duration(100+t.random.IntN(300))*time.Millisecond) {
			break
		}
	}
	t.diary.count(rpc, true)
	return unknown
}

func (t *Tenant) attempt(ctx context.Context, rpc string, gateway int, call func(context.Context, leasev1connect.LeaseServiceClient) error) error {
	limit := attemptLimit
	if rpc == rpcReconcile || rpc == rpcRevokeMany {
		limit = streamLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	url, client := t.house.Gateways[gateway].At()
	authorized, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer "+t.house.token)
	if s := t.house.trap.meets(rpc, Sent); s != nil {
		fired := make(chan struct{})
		go func() {
			defer close(fired)
			s.fire(t.house.Upstream.base, gateway)
		}()
		defer func() { <-fired }()
	}
	err := call(authorized, leasev1connect.NewLeaseServiceClient(connect.NewClient(connecthttp.NewTransport(client, url))))
	if err == nil {
		if s := t.house.trap.meets(rpc, Heard); s != nil {
			s.fire(t.house.Upstream.base, gateway) //nolint:contextcheck // The call's time may be over.
		}
	}
	return err
}

// outcomeOf is what an error says, as docs/errors.md has it: unless it is the gateway that
// answers, and with one of these codes, nothing is known.
func outcomeOf(err error) outcome {
	failure, ok := errors.AsType[*connect.Error](err)
	if !ok || !failure.IsRemote() {
		return unknown
	}
	switch failure.Code() {
	case connect.CodeAborted, connect.CodeNotFound, connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodePermissionDenied, connect.CodeUnauthenticated:
		return refused
	default:
		return unknown
	}
}

// stream is that of an answer in several parts.
type stream[M any] interface{ Receive() (M, error) }

// drain reads a stream up to its end. A stream that is incomplete is an error.
func drain[M any](s stream[M], end func(M) *leasev1.LeaseEnd) error {
	complete := false
	for {
		m, err := s.Receive()
		switch {
		case errors.Is(err, io.EOF) && complete:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the stream is incomplete")
		case err != nil:
			return err
		}
		complete = complete || end(m).GetComplete() != nil
	}
}
