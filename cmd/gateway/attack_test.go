//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/racing"
)

// beleaguered has limits that an attack reaches.
const beleaguered = `
shutdown: {delay: 0s}
limits: {connections: 150, read_header_timeout: 1s, read_timeout: 2s}
`

// duringAttack is the number of calls of a neighbour during an attack. With the race
// detector, which makes them slow, there are fewer calls and attacks: make attacks makes
// all of them.
func duringAttack() int { return racing.Of(8, 3) }

// heapBound bounds the heap of a gateway under attack. Its cache stays small here. The
// race detector makes what is allocated larger, and the collector late.
func heapBound() float64 { return float64(racing.Of(96, 128) << 20) }

const (
	// memoryLimit lets the collector keep up where the machine is busy, as the limit of
	// a pod does: what is bounded is what the gateway holds.
	memoryLimit = "GOMEMLIMIT=80MiB"
	// upstreamBound bounds the heap while the gateway reads an answer of up to 32 MiB.
	// A growing buffer leaves smaller ones behind.
	upstreamBound = 320 << 20
	// goroutineBound bounds the additional goroutines: a few for each connection, and
	// the streams of those that strangers may have, which are half. A busy machine has
	// not begun the calls of one when the next one is there.
	goroutineBound = 3*150 + 150/2*100 + 100
)

// TestAttacks: during an attack the gateway stays small and answers its neighbours.
// Afterwards its goroutines have ended.
func TestAttacks(t *testing.T) { //nolint:tparallel // Attacks run one after the other.
	t.Parallel()
	squeezed()
	for name, attack := range attacks() {
		if racing.Spares(2) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := startChild(t, beleaguered, memoryLimit)
			n := newNeighbour(t, c)
			n.tries = tries(name)
			if err := n.calls(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := c.metric(t, "go_goroutines")
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- attack(ctx, c) }()
			if listener := fills(name); listener != "" {
				c.reaches(t, `gateway_connections_ended_total{kind="anonymous",listener="`+listener+`",reason="replaced"}`, 1)
			}
			for range duringAttack() {
				if err := n.calls(t.Context()); err != nil {
					t.Errorf("a neighbour got %v", err)
				}
				if heap := c.metric(t, "go_memstats_heap_inuse_bytes"); heap > heapBound() {
					t.Errorf("the heap has %.0f MiB", heap/(1<<20))
				}
				if goroutines := c.metric(t, "go_goroutines"); goroutines > before+goroutineBound {
					t.Errorf("%.0f goroutines, %.0f before", goroutines, before)
				}
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			c.settles(t, before+20)
		})
	}
}

// TestUpstreamBombs: compressed answers of the upstream are bounded too.
func TestUpstreamBombs(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(squeezed())
	}))
	t.Cleanup(upstream.Close)
	c := startChildAt(t, upstream.URL+"/v1", beleaguered)
	n := newNeighbour(t, c)
	for range 4 { // Each is 32 MiB to decompress.
		if err := n.call(t.Context()); connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("answered with %v", err)
		}
		if heap := c.metric(t, "go_memstats_heap_inuse_bytes"); heap > upstreamBound {
			t.Errorf("the heap has %.0f MiB", heap/(1<<20))
		}
	}
}

// TestSmuggling: a request that two servers could parse differently is refused.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	c := startChild(t, beleaguered)
	const head = "POST /admingateway.admin.v1.UserService/ListUsers HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nAuthorization: Bearer "
	for name, text := range map[string]string{
		"two lengths":                 head + c.token + "\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"a list of lengths":           head + c.token + "\r\nContent-Length: 2, 3\r\n\r\n{}",
		"a signed length":             head + c.token + "\r\nContent-Length: +2\r\n\r\n{}",
		"bare LF after a chunk size":  head + c.token + "\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
		"bare LF after a chunk":       head + c.token + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\n0\r\n\r\n",
		"bare LF in an extension":     head + c.token + "\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\nb\r\n{}\r\n0\r\n\r\n",
		"bare CR in a header":         head + c.token + "\r\nX-A: a\rb\r\nContent-Length: 2\r\n\r\n{}",
		"space before the colon":      head + c.token + "\r\nContent-Length : 2\r\n\r\n{}",
		"folded header":               head + c.token + "\r\n Content-Length: 2\r\n\r\n{}",
		"a coding that is not known":  head + c.token + "\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"a coding that is written so": head + c.token + "\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	} {
		status, err := c.say(t, text)
		if err == nil && status < 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	// With a length and chunks, the chunks count (RFC 9112, 6.3), and the connection
	// is closed.
	if status, err := c.say(t, head+c.token+"\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"); err != nil || status != http.StatusOK && status < 400 {
		t.Errorf("length and chunks: %d, %v", status, err)
	}
	if status, err := c.say(t, head+c.token+"\r\nContent-Length: 2\r\n\r\n{}"); status != http.StatusOK {
		t.Errorf("a request: %d, %v", status, err)
	}
}

// say writes text on a new connection, and returns the status.
func (c *child) say(t *testing.T, text string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := dialRaw(ctx, c.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		return 0, err
	}
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return 0, err
	}
	return strconv.Atoi(string(answer[len(answer)-3:]))
}

// neighbour is a caller who behaves well. It uses old and new connections to both
// doors, and has the gateway probed.
type neighbour struct {
	c    *child
	kept map[string]adminv1connect.UserServiceClient // by address
	// tries is how many new connections it makes for a call at the most.
	tries int
}

func newNeighbour(tb testing.TB, c *child) *neighbour {
	tb.Helper()
	client := http2Client()
	tb.Cleanup(client.CloseIdleConnections)
	n := &neighbour{c: c, kept: make(map[string]adminv1connect.UserServiceClient), tries: 1}
	for _, address := range []string{c.Listen, c.GRPCListen} {
		n.kept[address] = c.usersAt(client, address)
	}
	return n
}

func (c *child) users(client *http.Client) adminv1connect.UserServiceClient {
	return c.usersAt(client, c.Listen)
}

func (c *child) usersAt(client *http.Client, address string) adminv1connect.UserServiceClient {
	return adminv1connect.NewUserServiceClient(connect.NewClient(connecthttp.NewTransport(client, "http://"+address, connecthttp.WithGRPC()), withToken(c.token)))
}

// calls makes calls through both doors, and probes them.
func (n *neighbour) calls(ctx context.Context) error {
	for address := range n.kept {
		if err := n.callAt(ctx, address); err != nil {
			return err
		}
		if err := n.onNewConnection(ctx, func(ctx context.Context, client *http.Client) error {
			return connect.NewClient(connecthttp.NewTransport(client, "http://"+address, connecthttp.WithGRPC())).CallUnary(ctx,
				connect.Spec{Procedure: healthv1.Health_Check_FullMethodName}, &healthv1.HealthCheckRequest{}, new(healthv1.HealthCheckResponse))
		}); err != nil {
			return fmt.Errorf("a probe: %w", err)
		}
	}
	return nil
}

// call makes calls through the one port.
func (n *neighbour) call(ctx context.Context) error { return n.callAt(ctx, n.c.Listen) }

func (n *neighbour) callAt(ctx context.Context, address string) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := n.kept[address].ListUsers(bounded, &adminv1.ListUsersRequest{}); err != nil {
		return fmt.Errorf("on its connection: %w", err)
	}
	if err := n.onNewConnection(ctx, func(ctx context.Context, client *http.Client) error {
		_, err := n.c.usersAt(client, address).ListUsers(ctx, &adminv1.ListUsersRequest{})
		return err
	}); err != nil {
		return fmt.Errorf("on a new connection: %w", err)
	}
	return nil
}

// onNewConnection makes a call that gets an answer, within its tries.
func (n *neighbour) onNewConnection(ctx context.Context, call func(context.Context, *http.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for try := 1; ; try++ {
		client := http2Client()
		err := call(ctx, client)
		client.CloseIdleConnections()
		if e, answered := errors.AsType[*connect.Error](err); err == nil || try >= n.tries || answered && e.IsRemote() {
			return err
		}
	}
}

// metric reads a metric of the gateway.
func (c *child) metric(tb testing.TB, name string) float64 {
	tb.Helper()
	value, err := c.readMetric(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return value
}

func (c *child) readMetric(ctx context.Context, name string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.OpsListen+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err
	}
	content, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// fills is the listener all of whose places of strangers an attack takes, and that
// replaces connections from then on; "" for other attacks.
func fills(attack string) string {
	switch {
	case !fromElsewhere(attack):
		return ""
	case strings.HasSuffix(attack, "fast door"):
		return "grpc_listen"
	default:
		return "listen"
	}
}

// fromElsewhere says that an attack comes from addresses of its own: from the
// neighbour's where a system has no more than one.
func fromElsewhere(attack string) bool {
	return strings.HasPrefix(attack, "prefaces") || strings.HasPrefix(attack, "watches")
}

// tries is how many new connections a neighbour needs at the most for a call during an
// attack. One from its own address may have its connection replaced before it has
// authenticated: it is the oldest one then. One from elsewhere may not.
func tries(attack string) int {
	if fromElsewhere(attack) && runtime.GOOS == "linux" {
		return 1
	}
	return 4
}

// reaches waits until a metric has a value or a higher one.
func (c *child) reaches(t *testing.T, name string, least float64) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for c.metric(t, name) < least {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not reach %v", name, least)
		}
	}
}

// settles waits until at most that many goroutines are left.
func (c *child) settles(t *testing.T, most float64) {
	t.Helper()
	deadline := time.Now().Add(patience)
	pause := time.NewTicker(20 * time.Millisecond) // Reading metrics makes work, and goroutines.
	defer pause.Stop()
	for ; ; <-pause.C {
		left := c.metric(t, "go_goroutines")
		if left <= most {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%.0f goroutines are left, and there should be %.0f", left, most)
			return
		}
	}
}
