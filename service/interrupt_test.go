package service_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func http2Client(t *testing.T) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestCallsEndThoughTheirRequestNeverComes: a caller opens a call and sends
// nothing, or the beginning. The call ends with its deadline all the same.
func TestCallsEndThoughTheirRequestNeverComes(t *testing.T) {
	t.Parallel()
	http1 := &http.Transport{}
	t.Cleanup(http1.CloseIdleConnections)
	clients := map[string]*http.Client{"HTTP/1.1": {Transport: http1}, "HTTP/2": http2Client(t)}
	for whose, longest := range map[string]time.Duration{"the gateway's deadline": 200 * time.Millisecond, "the caller's deadline": time.Hour} {
		h := newGateway(t, gatewaytest.AnswerProject, longest)
		for version, client := range clients {
			for contentType, begun := range map[string]string{
				"application/json":       `{"project_id": `,
				"application/proto":      "",
				"application/grpc+proto": "\x00\x00\x00\x00\x09",
			} {
				if strings.HasPrefix(contentType, "application/grpc") && version == "HTTP/1.1" {
					continue
				}
				t.Run(whose+"/"+version+"/"+contentType, func(t *testing.T) {
					t.Parallel()
					answer, trailer := callWithoutEnd(t, client, h.HTTP().URL, contentType, begun, longest == time.Hour)
					if !strings.Contains(answer+trailer, "deadline_exceeded") && trailer != "4" {
						t.Errorf("answered %q, status %q", answer, trailer)
					}
				})
			}
		}
		t.Run(whose+"/the fast door", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if longest == time.Hour {
				ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
			}
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+admissiontest.TokenOf("root"))
			stream, err := h.FastGRPC().Conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, getProject)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.RecvMsg(nil); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// TestNothingIsBegunTooLate: a request whose time has passed when it is here is not
// worked on, and ends as one whose deadline passed, however quick its answer would be.
func TestNothingIsBegunTooLate(t *testing.T) {
	t.Parallel()
	h := newGateway(t, func(context.Context) (*upstream.Reply, error) {
		return nil, errors.New("the upstream was asked")
	}, time.Hour)
	client := http2Client(t)
	for name, url := range map[string]string{"the one port": h.HTTP().URL, "the fast door": "http://" + h.FastGRPC().Conn.Target()} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+getProject, strings.NewReader("\x00\x00\x00\x00\x08\x0a\x06proj_1"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/grpc+proto")
		request.Header.Set("Te", "trailers")
		request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
		request.Header.Set("Grpc-Timeout", "1n")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = response.Body.Close()
		if got := cmp.Or(response.Trailer.Get("Grpc-Status"), response.Header.Get("Grpc-Status")); got != "4" {
			t.Errorf("%s: ended with the status %q", name, got)
		}
	}
}

// callWithoutEnd begins a call and waits for the answer: what it says, and its
// gRPC status.
func callWithoutEnd(t *testing.T, client *http.Client, url, contentType, begun string, deadline bool) (answer, grpcStatus string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	reader, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+getProject, io.MultiReader(strings.NewReader(begun), reader))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
	if deadline {
		request.Header.Set("Connect-Timeout-Ms", "200")
		request.Header.Set("Grpc-Timeout", "200m")
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	_ = writer.Close() // Over HTTP/2 the answer is not closed before the request is.
	_ = response.Body.Close()
	grpcStatus = response.Trailer.Get("Grpc-Status")
	if grpcStatus == "" {
		grpcStatus = response.Header.Get("Grpc-Status")
	}
	return string(body), grpcStatus
}

// TestInterruptsLeaveTheNextRequestAlone: a deadline that passes once a request
// is through does not end the connection that it came on.
func TestInterruptsLeaveTheNextRequestAlone(t *testing.T) {
	t.Parallel()
	first := make(chan struct{}, 1)
	first <- struct{}{}
	h := newGateway(t, func(ctx context.Context) (*upstream.Reply, error) {
		select {
		case <-first:
			<-ctx.Done()
			return nil, ctx.Err()
		default:
			return gatewaytest.AnswerProject(ctx)
		}
	}, 200*time.Millisecond)
	transport := &http.Transport{MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	for _, want := range []int{http.StatusGatewayTimeout, http.StatusOK, http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.HTTP().URL+getProject, strings.NewReader(`{"project_id": "proj_1"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want || response.Close {
			t.Errorf("answered %d %s, connection closed: %v; want %d", response.StatusCode, body, response.Close, want)
		}
	}
}

// TestTheNextRequestIsWhole: what becomes of one request on a connection, refused
// unread or answered at length, is nothing to the next one, whose time has not
// begun to run then.
func TestTheNextRequestIsWhole(t *testing.T) {
	t.Parallel()
	slow := make(chan struct{}, 1)
	h := newGateway(t, func(ctx context.Context) (*upstream.Reply, error) {
		select {
		case <-slow:
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(1200 * time.Millisecond): // More than the rest of a refused request is given.
			}
		default:
		}
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"object": "organization.project", "id": "proj_1", "created_at": 1, "name": "` + strings.Repeat("n", 16<<10) + `"}`)}, nil
	}, time.Minute)
	transport := &http.Transport{MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	for _, contentType := range []string{"application/json", "application/grpc-web+proto"} {
		body := `{"project_id": "proj_1"}`
		if contentType != "application/json" {
			body = "\x00\x00\x00\x00\x08\x0a\x06proj_1"
		}
		for i, token := range []string{"agw_nobody", admissiontest.TokenOf("root"), "agw_nobody", admissiontest.TokenOf("root")} {
			if i == 3 {
				slow <- struct{}{}
			}
			// A reader of no known length makes it chunks.
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.HTTP().URL+getProject, io.MultiReader(strings.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", contentType)
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if served := len(answer) > 16<<10; err != nil || response.Close || served != (i%2 == 1) {
				t.Errorf("%s %d: %s, %d bytes, connection closed: %v, %v", contentType, i, response.Status, len(answer), response.Close, err)
			}
		}
	}
}
