package grpcdoor_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// BenchmarkSmallCalls compares this door with the one-port one: the same client,
// the same server, small unary calls on one connection. The floor is grpc-go's
// own server with a generated-like handler, which has no interceptors, metadata
// or call info to hand over.
func BenchmarkSmallCalls(b *testing.B) {
	server := serving(func(ctx context.Context, text string) (string, error) {
		connection, ok := door.ConnectionOf(ctx)
		if !ok {
			return text, nil // On the one port, which knows nothing of strangers here.
		}
		return text, connection.Trust("benchmark") // A stranger is thrown out after some calls.
	})
	for name, open := range map[string]func(*testing.B) string{
		"grpcdoor": func(b *testing.B) string { b.Helper(); return serve(b, server, grpcdoor.Options{}).address },
		"one port": func(b *testing.B) string { b.Helper(); return onePort(b, server) },
		"grpc-go":  plainServer,
	} {
		b.Run(name, func(b *testing.B) {
			conn := dial(b, open(b))
			if _, err := invoke(b, conn, "warm"); err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := invokeWith(b.Context(), conn, "small"); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

func plainServer(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "test.v1.Service", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Say",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var in wrapperspb.StringValue
			if err := decode(&in); err != nil {
				return nil, err
			}
			return wrapperspb.String(in.GetValue()), nil
		},
	}}}, nil)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	b.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return l.Addr().String()
}
