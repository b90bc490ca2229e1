package floor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// bytesCodec passes messages through as they are on the wire.
type bytesCodec struct{}

// Name is that of protobuf, which is on the wire.
func (bytesCodec) Name() string { return "proto" }

// Marshal takes bytes, which must not change afterwards.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a %T is not bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(message)}, nil
}

// Unmarshal stores a copy in a *[]byte.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a %T does not take bytes", v)
	}
	*message = data.Materialize() //nolint:misspell // A name of the library.
	return nil
}

var _ encoding.CodecV2 = bytesCodec{}

// unary answers a call. method is its full name with a leading slash.
type unary func(ctx context.Context, method string) ([]byte, error)

func serveGRPC(ctx context.Context, l net.Listener, _ Options, answer []byte) error {
	return serveUnary(ctx, l, func(context.Context, string) ([]byte, error) { return answer, nil })
}

func serveFairGRPC(ctx context.Context, l net.Listener, o Options, answer []byte) error {
	d, err := newDuties(o)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	var writing sync.WaitGroup
	var written error
	writing.Go(func() { written = d.run(ctx) })
	err = serveUnary(ctx, l, func(ctx context.Context, method string) ([]byte, error) {
		var authorization string
		if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) == 1 {
			authorization = values[0]
		}
		ctx, c, err := d.begin(ctx, authorization)
		if err != nil {
			return nil, status.Error(codes.Unauthenticated, err.Error())
		}
		header := make(metadata.MD, 3)
		for _, h := range d.headers(c) {
			header[h[0]] = []string{h[1]}
		}
		if err := grpc.SetHeader(ctx, header); err != nil {
			return nil, err
		}
		var address string
		if p, ok := peer.FromContext(ctx); ok {
			address = p.Addr.String()
		}
		return answer, d.end(c, address, strings.TrimPrefix(method, "/"))
	})
	cancel()
	writing.Wait()
	return errors.Join(err, written)
}

// serveUnary serves every method of every service by the function, until ctx ends.
func serveUnary(ctx context.Context, l net.Listener, answer unary) error {
	server := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		grpcMethod("ListProjects", answer), grpcMethod("GetProject", answer),
	}}, nil)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	return server.Serve(l)
}

// service is the one whose methods are measured.
const service = "admingateway.admin.v1.ProjectService"

func grpcMethod(name string, answer unary) grpc.MethodDesc {
	full := "/" + service + "/" + name
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var request []byte
			if err := decode(&request); err != nil {
				return nil, err
			}
			return answer(ctx, full)
		},
	}
}
