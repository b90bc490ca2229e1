//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
)

// writer creates projects until a call is refused.
type writer struct {
	client  adminv1connect.ProjectServiceClient
	name    string
	written map[string]string // id of the project → id of the request
	refused []error
}

// write makes one call. It returns false when the call is refused.
func (w *writer) write(ctx context.Context, n int) bool {
	ctx, info := connect.NewClientContext(ctx)
	answer, err := w.client.CreateProject(ctx, &adminv1.CreateProjectRequest{Name: fmt.Sprintf("%s %d", w.name, n)})
	if err != nil {
		w.refused = append(w.refused, err)
		return false
	}
	w.written[answer.GetProject().GetId()] = info.ResponseHeader().Get("X-Request-Id")
	return true
}

// TestSIGTERMLosesNoWrite: the gateway gets SIGTERM during writes through all doors.
// Every write that the upstream made is answered, and recorded exactly once.
func TestSIGTERMLosesNoWrite(t *testing.T) {
	t.Parallel()
	c := startChild(t, "\nshutdown: {delay: 100ms, timeout: 20s}\n")
	http1 := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(http1.CloseIdleConnections)
	var writers []*writer
	for i := range 12 {
		http2 := http2Client()
		t.Cleanup(http2.CloseIdleConnections)
		for name, transport := range map[string]connect.Transport{
			"Connect":   connecthttp.NewTransport(&http.Client{Transport: http1}, "http://"+c.Listen),
			"gRPC":      connecthttp.NewTransport(http2, "http://"+c.Listen, connecthttp.WithGRPC()),
			"fast gRPC": connecthttp.NewTransport(http2, "http://"+c.GRPCListen, connecthttp.WithGRPC()),
		} {
			writers = append(writers, &writer{
				client: adminv1connect.NewProjectServiceClient(connect.NewClient(transport, withToken(c.token))),
				name:   fmt.Sprint(name, " ", i), written: make(map[string]string),
			})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var group sync.WaitGroup
	var total atomic.Int64
	underWay := make(chan struct{})
	for _, w := range writers {
		group.Go(func() {
			for n := range 100_000 {
				if !w.write(ctx, n) {
					return
				}
				if total.Add(1) == 300 {
					close(underWay)
				}
			}
		})
	}
	select {
	case <-underWay:
	case <-ctx.Done():
		t.Fatalf("%d writes were made", total.Load())
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
	group.Wait()

	made := c.fake.Count("POST /organization/projects")
	told, recorded := make(map[string]int), 0
	for _, w := range writers {
		for _, id := range w.written {
			told[id] = 0
		}
		for _, err := range w.refused {
			// Other errors mean that the connection was already closed.
			if e, ok := errors.AsType[*connect.Error](err); ok && e.IsRemote() && e.Code() != connect.CodeUnavailable {
				t.Errorf("%s was refused with %v", w.name, err)
			}
		}
	}
	for _, r := range c.records(t) {
		if r.Event == "call" && r.Method == "admingateway.admin.v1.ProjectService/CreateProject" && r.Code == "ok" {
			recorded++
			told[r.RequestID]++
		}
	}
	if made != int(total.Load()) || made != len(told) || made != recorded {
		t.Errorf("the upstream made %d writes, %d callers were told of %d, %d were recorded", made, len(told), total.Load(), recorded)
	}
	for id, n := range told {
		if n != 1 {
			t.Errorf("%s was recorded %d times", id, n)
		}
	}
	t.Logf("%d writes", made)
}

// TestSecondSignalEndsAtOnce: it does so during calls, with the exit code of a
// shell.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for signal, want := range map[os.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			asked, answer := make(chan struct{}, 1), make(chan struct{})
			upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				asked <- struct{}{}
				<-answer
			}))
			t.Cleanup(upstream.Close)
			t.Cleanup(func() { close(answer) })
			c := startChildAt(t, upstream.URL+"/v1", "\nshutdown: {delay: 0s, timeout: 10m}\n")
			client := http2Client()
			t.Cleanup(client.CloseIdleConnections)
			ended := make(chan error, 1)
			go func() {
				w := &writer{client: adminv1connect.NewProjectServiceClient(connect.NewClient(connecthttp.NewTransport(client, "http://"+c.Listen, connecthttp.WithGRPC()), withToken(c.token)))}
				w.write(t.Context(), 0)
				ended <- w.refused[0]
			}()
			<-asked
			c.signal(t, signal)
			waitForStatus(t, "http://"+c.OpsListen+"/readyz", http.StatusServiceUnavailable)
			c.signal(t, signal)
			if code := c.exit(t); code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			if err := <-ended; err == nil {
				t.Error("the call was answered")
			}
		})
	}
}

// TestTheSecondSignalLosesNoLine: what was logged before it is written before the
// process ends.
func TestTheSecondSignalLosesNoLine(t *testing.T) {
	t.Parallel()
	c := startChild(t, "\nshutdown: {delay: 5m, timeout: 10m}\nlog: {calls: all}\n")
	client := http2Client()
	t.Cleanup(client.CloseIdleConnections)
	c.signal(t, syscall.SIGTERM)
	waitForStatus(t, "http://"+c.OpsListen+"/readyz", http.StatusServiceUnavailable)
	w := &writer{
		client:  adminv1connect.NewProjectServiceClient(connect.NewClient(connecthttp.NewTransport(client, "http://"+c.Listen, connecthttp.WithGRPC()), withToken(c.token))),
		written: make(map[string]string),
	}
	if !w.write(t.Context(), 0) {
		t.Fatal(w.refused)
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 143 || !strings.Contains(c.err.String(), `"msg":"call"`) {
		t.Errorf("exit code %d, and the log is %s", code, c.err)
	}
}

// waitForStatus repeats a request until the response has the status.
func waitForStatus(tb testing.TB, url string, want int) {
	tb.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: patience}
	deadline := time.Now().Add(patience)
	for got := 0; got != want; {
		if time.Now().After(deadline) {
			tb.Fatalf("%s gives %d, and not %d", url, got, want)
		}
		request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			tb.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			tb.Fatal(err)
		}
		got = response.StatusCode
		_ = response.Body.Close()
	}
}

// TestTheLogSaysHowItEnds: that a signal has come and which, when the doors close, and that
// the end has come.
func TestTheLogSaysHowItEnds(t *testing.T) {
	t.Parallel()
	c := startChild(t, "\nshutdown: {delay: 0s}\n")
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := <-c.ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
	log := c.err.String()
	for _, line := range []string{`"msg":"the gateway stops","because":"signal: terminated","running":0`, `"msg":"the doors close"`, `"msg":"the gateway has stopped","cut_off":0,"took_seconds":`} {
		if !strings.Contains(log, line) {
			t.Errorf("no line with %s in\n%s", line, log)
		}
	}
}
