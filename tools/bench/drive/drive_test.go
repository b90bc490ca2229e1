package drive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/tools/bench/drive"
)

func http1Plan(url string) drive.Plan {
	address := strings.TrimPrefix(url, "http://")
	return drive.Plan{
		Address: address, Connections: 3, Calls: 60,
		Request: func(call int) []byte { return fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", call) },
	}
}

func TestEachCallIsMadeOnceOverHTTP1(t *testing.T) {
	for name, body := range map[string]string{"with a length": "small", "in chunks": strings.Repeat("large ", 20_000), "empty": ""} {
		for loop, rate := range map[string]float64{"closed": 0, "open": 5000} {
			t.Run(name+", "+loop, func(t *testing.T) {
				var mu sync.Mutex
				seen := make(map[string]int)
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					seen[r.URL.Path]++
					mu.Unlock()
					_, _ = w.Write([]byte(body))
				}))
				defer server.Close()
				plan := http1Plan(server.URL)
				plan.Rate = rate
				outcome, err := drive.Run(t.Context(), plan)
				if err != nil {
					t.Fatal(err)
				}
				if len(outcome.Times) != plan.Calls || len(seen) != plan.Calls {
					t.Fatalf("%d times and %d requests, not %d", len(outcome.Times), len(seen), plan.Calls)
				}
				for call, took := range outcome.Times {
					if took <= 0 || seen[fmt.Sprintf("/%d", call)] != 1 {
						t.Errorf("call %d took %s, and came %d times", call, took, seen[fmt.Sprintf("/%d", call)])
					}
				}
			})
		}
	}
}

// Calls are due whether the server answers or not: the wait of those that no connection
// could take belongs to their times.
func TestACallIsTimedFromWhenItWasDue(t *testing.T) {
	const stall = 300 * time.Millisecond
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { <-time.After(stall) })
	}))
	defer server.Close()
	plan := http1Plan(server.URL)
	plan.Connections, plan.Rate = 1, 1000
	outcome, err := drive.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	// The first call took all of the stall, and those that were due meanwhile waited for
	// its end, each a little less.
	var waited int
	for _, took := range outcome.Times {
		if took > stall/2 {
			waited++
		}
	}
	if waited < plan.Calls/2 {
		t.Errorf("%d of %d calls waited for the server", waited, plan.Calls)
	}
}

func TestAnAnswerWithoutSuccessIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/42" {
			http.Error(w, "no", http.StatusTeapot)
		}
	}))
	defer server.Close()
	if _, err := drive.Run(t.Context(), http1Plan(server.URL)); !errors.Is(err, drive.ErrFailed) {
		t.Errorf("the error is %v", err)
	}
}

// echo serves a gRPC method that answers with large messages.
func echo(t *testing.T, answer func(ctx context.Context) error) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxConcurrentStreams(100))
	large := wrapperspb.Bytes(bytes.Repeat([]byte("large "), 4000))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "test.v1.Test", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Echo",
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(new(wrapperspb.Int64Value)); err != nil {
				return nil, err
			}
			return large, answer(ctx)
		},
	}}}, nil)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestCallsOverGRPC(t *testing.T) {
	var mu sync.Mutex
	var calls int
	address := echo(t, func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if md, _ := metadata.FromIncomingContext(ctx); len(md["authorization"]) != 1 || md["authorization"][0] != "Bearer secret" {
			return status.Error(codes.Unauthenticated, "no token")
		}
		return nil
	})
	request := drive.GRPCRequest("x", "/test.v1.Test/Echo", "secret", []byte{8, 1})
	for loop, rate := range map[string]float64{"closed": 0, "open": 5000} {
		t.Run(loop, func(t *testing.T) {
			calls = 0
			plan := drive.Plan{Address: address, Protocol: drive.GRPC, Connections: 2, Streams: 20, Calls: 500, Rate: rate, Request: func(int) []byte { return request }}
			outcome, err := drive.Run(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			if calls != plan.Calls || len(outcome.Times) != plan.Calls {
				t.Errorf("%d calls came, and %d times are known", calls, len(outcome.Times))
			}
		})
	}
}

func TestAStatusOfGRPCIsAnError(t *testing.T) {
	address := echo(t, func(context.Context) error { return status.Error(codes.PermissionDenied, "no") })
	request := drive.GRPCRequest("x", "/test.v1.Test/Echo", "secret", []byte{8, 1})
	_, err := drive.Run(t.Context(), drive.Plan{Address: address, Protocol: drive.GRPC, Connections: 1, Streams: 1, Calls: 1, Request: func(int) []byte { return request }})
	if !errors.Is(err, drive.ErrFailed) || !strings.Contains(err.Error(), `"7"`) {
		t.Errorf("the error is %v", err)
	}
}
