package grpcdoor_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/grpcreflect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// streaming has a method of every kind.
func streaming() *connect.Server {
	server := serving(echo)
	server.Register(
		connect.Method{
			Spec: connect.Spec{Procedure: tell, StreamType: connect.StreamTypeServer},
			Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				var in wrapperspb.StringValue
				if err := stream.Receive(&in); err != nil {
					return err
				}
				if err := stream.Receive(&in); !errors.Is(err, io.EOF) {
					return connect.Errorf(connect.CodeInternal, "after the one message: %v", err)
				}
				info, _ := connect.CallInfoForServerContext(ctx)
				info.ResponseHeader().Set("X-Early", "header")
				if err := stream.SendHeaders(); err != nil {
					return err
				}
				n, err := strconv.Atoi(in.GetValue())
				if err != nil {
					return connect.NewError(connect.CodeInvalidArgument, "no number")
				}
				for i := range n {
					if err := stream.Send(wrapperspb.String(strconv.Itoa(i))); err != nil {
						return err
					}
				}
				info.ResponseTrailer().Set("X-Late", "trailer")
				return nil
			},
		},
		connect.Method{
			Spec: connect.Spec{Procedure: collect, StreamType: connect.StreamTypeClient},
			Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
				all := ""
				for {
					var in wrapperspb.StringValue
					if err := stream.Receive(&in); errors.Is(err, io.EOF) {
						return stream.Send(wrapperspb.String(all))
					} else if err != nil {
						return err
					}
					all += in.GetValue()
				}
			},
		},
		connect.Method{
			Spec: connect.Spec{Procedure: talk, StreamType: connect.StreamTypeBidi},
			Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
				for {
					var in wrapperspb.StringValue
					if err := stream.Receive(&in); errors.Is(err, io.EOF) {
						return nil
					} else if err != nil {
						return err
					}
					if err := stream.Send(&in); err != nil {
						return err
					}
				}
			},
		},
	)
	return server
}

// exchange is a stream of strings.
type exchange struct{ grpc.ClientStream }

func newExchange(t *testing.T, conn *grpc.ClientConn, procedure string) exchange {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, procedure)
	if err != nil {
		t.Fatal(err)
	}
	return exchange{stream}
}

func (e exchange) send(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := e.SendMsg(wrapperspb.String(text)); err != nil {
			t.Fatal(err)
		}
	}
}

// rest receives to the end.
func (e exchange) rest(t *testing.T) ([]string, error) {
	t.Helper()
	if err := e.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var all []string
	for {
		var out wrapperspb.StringValue
		if err := e.RecvMsg(&out); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, out.GetValue())
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	conn := dial(t, serve(t, streaming(), grpcdoor.Options{}).address)
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		e := newExchange(t, conn, tell)
		e.send(t, "3")
		if err := e.CloseSend(); err != nil {
			t.Fatal(err)
		}
		header, err := e.Header()
		if err != nil || !slices.Equal(header["x-early"], []string{"header"}) {
			t.Errorf("header %v, %v", header, err)
		}
		if all, err := e.rest(t); err != nil || !slices.Equal(all, []string{"0", "1", "2"}) {
			t.Errorf("%v, %v", all, err)
		}
		if trailer := e.Trailer(); !slices.Equal(trailer["x-late"], []string{"trailer"}) {
			t.Errorf("trailer %v", trailer)
		}
	})
	t.Run("server, many", func(t *testing.T) {
		t.Parallel()
		e := newExchange(t, conn, tell)
		e.send(t, "20000")
		if all, err := e.rest(t); err != nil || len(all) != 20000 {
			t.Errorf("%d messages, %v", len(all), err)
		}
	})
	t.Run("server, error after the headers", func(t *testing.T) {
		t.Parallel()
		e := newExchange(t, conn, tell)
		e.send(t, "many")
		if all, err := e.rest(t); len(all) > 0 || status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v, %v", all, err)
		}
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		e := newExchange(t, conn, collect)
		e.send(t, "a", "b", "c")
		if all, err := e.rest(t); err != nil || !slices.Equal(all, []string{"abc"}) {
			t.Errorf("%v, %v", all, err)
		}
	})
	t.Run("both, in turns", func(t *testing.T) {
		t.Parallel()
		e := newExchange(t, conn, talk)
		for _, text := range []string{"a", "b"} {
			e.send(t, text)
			var out wrapperspb.StringValue
			if err := e.RecvMsg(&out); err != nil || out.GetValue() != text {
				t.Errorf("%q, %v", out.GetValue(), err)
			}
		}
		if all, err := e.rest(t); err != nil || len(all) > 0 {
			t.Errorf("%v, %v", all, err)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		t.Parallel()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-any", "thing")
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, talk, grpc.UseCompressor("gzip"))
		if err != nil {
			t.Fatal(err)
		}
		e := exchange{stream}
		e.send(t, "a", "", "c")
		if all, err := e.rest(t); err != nil || !slices.Equal(all, []string{"a", "", "c"}) {
			t.Errorf("%v, %v", all, err)
		}
	})
}

// TestReflection with the client that grpcurl has.
func TestReflection(t *testing.T) {
	t.Parallel()
	server := connect.NewServer()
	method := adminv1.File_admingateway_admin_v1_project_proto.Services().ByName("ProjectService").Methods().ByName("ListProjects")
	server.Register(connect.Method{Spec: connect.Spec{Procedure: "/admingateway.admin.v1.ProjectService/ListProjects", Schema: method}, Handler: nil})
	grpcreflect.Register(server)
	client := reflectionv1.NewServerReflectionClient(dial(t, serve(t, server, grpcdoor.Options{}).address))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := client.ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(request *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	list := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{ListServices: "*"}})
	if !slices.ContainsFunc(list.GetListServicesResponse().GetService(), func(s *reflectionv1.ServiceResponse) bool {
		return s.GetName() == "admingateway.admin.v1.ProjectService"
	}) {
		t.Errorf("services %v", list)
	}
	file := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "admingateway.admin.v1.ProjectService"}})
	if len(file.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("file %v", file)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

// TestManyStreamsAtOnce: a thousand calls on one connection, all in their
// handlers at the same time.
func TestManyStreamsAtOnce(t *testing.T) {
	t.Parallel()
	const n = 1000
	inside := newGauge()
	server := serving(func(ctx context.Context, text string) (string, error) {
		inside.add(1)
		return text, inside.reach(ctx, n)
	})
	conn := dial(t, serve(t, server, grpcdoor.Options{MaxConcurrentStreams: n}).address)
	errs := make(chan error, n)
	for i := range n {
		go func() {
			got, err := invoke(t, conn, strconv.Itoa(i))
			if err == nil && got != strconv.Itoa(i) {
				err = errors.New("another call's answer: " + got)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreamsAreBounded: what is beyond the limit waits for its turn.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	const most, n = 4, 100
	inside := newGauge()
	server := serving(func(_ context.Context, text string) (string, error) {
		inside.add(1)
		defer inside.add(-1)
		return text, nil
	})
	conn := dial(t, serve(t, server, grpcdoor.Options{MaxConcurrentStreams: most}).address)
	errs := make(chan error, n)
	for range n {
		go func() {
			_, err := invoke(t, conn, "")
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if n := inside.peak(); n > most {
		t.Errorf("%d calls at once", n)
	}
}
