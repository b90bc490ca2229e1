package grpcdoor

import (
	"context"
	"errors"
	"io"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// toStatus is the status that a client gets for an error: code, message and
// details of a *connect.Error that was made here, and only a code for all
// others.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*connect.Error](err)
	switch {
	case ok && e != nil && e.IsRemote():
		return status.Error(codes.Internal, "") // The message is from another server.
	case ok && e != nil:
		return detailed(e)
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "")
	default:
		return status.Error(codes.Unknown, "")
	}
}

func detailed(e *connect.Error) error {
	// grpc-go drops the details of a message that is not UTF-8.
	s := &spb.Status{Code: int32(e.Code()), Message: strings.ToValidUTF8(e.Message(), "\ufffd")}
	for _, detail := range e.Details() {
		s.Details = append(s.Details, connectproto.ErrorDetailToAny(detail))
	}
	return status.ErrorProto(s)
}

// fromTransport converts the error of a failed read or write for the
// pipeline.
func fromTransport(ctx context.Context, err error) error {
	if of, ok := errors.AsType[*connect.Error](err); ok {
		return of
	}
	s := status.Convert(err)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		s = status.New(codes.Internal, "the message ends early")
	}
	e := connect.NewError(connect.Code(s.Code()), s.Message()).WithCause(err)
	if ended := ctx.Err(); ended != nil {
		e = e.WithCause(ended)
	}
	return e
}
