package service

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
)

// interruptible is what a door says of a call that it can make stop waiting for
// its client. Interrupt may be called at any time, and more than once.
type interruptible interface{ Interrupt() }

type incomingKey struct{}

// interrupterOf finds it: in what the door says of the connection, or, for the
// doors of net/http, in the request's context. nil where a door cannot.
func interrupterOf(ctx context.Context) interruptible {
	if info, ok := connect.CallInfoForServerContext(ctx); ok {
		if i, ok := info.TransportInfo.(interruptible); ok {
			return i
		}
	}
	i, _ := ctx.Value(incomingKey{}).(interruptible)
	return i
}

// lasting is what a door says of an answer that it can give more time.
type lasting interface{ LastUntil(end time.Time) }

// lastAsLongAs has the answer last as long as ctx does. The function that it
// returns leaves it the time to say its end.
func lastAsLongAs(ctx context.Context) func() {
	const farewell = 30 * time.Second
	door, ok := interrupterOf(ctx).(lasting)
	end, bounded := ctx.Deadline()
	if !ok || !bounded {
		return func() {}
	}
	door.LastUntil(end.Add(farewell))
	return func() { door.LastUntil(time.Now().Add(farewell)) }
}

// interruptWhenOver has a client that is waited for be waited for no longer than
// ctx lasts. The function that it returns ends that.
func interruptWhenOver(ctx context.Context) func() bool {
	i := interrupterOf(ctx)
	if i == nil {
		return func() bool { return false }
	}
	return context.AfterFunc(ctx, i.Interrupt)
}

// hasty is what a door says of a call whose answer goes out only after more of
// its request has come.
type hasty interface{ Hurry() }

// boundStream is a stream whose context has an end of its own, at which nobody
// waits for the client any more. What fails after that has failed because of it,
// whatever the door calls it.
type boundStream struct {
	connect.ServerStream
	ctx context.Context
	// begun tells that something was read or written.
	begun bool
}

// refused is told that the call was answered by an error.
func (s *boundStream) refused() {
	if door, ok := interrupterOf(s.ctx).(hasty); ok && !s.begun {
		door.Hurry()
	}
}

// SendHeaders sends them.
func (s *boundStream) SendHeaders() error {
	s.begun = true
	return s.ServerStream.SendHeaders()
}

// Send sends a message.
func (s *boundStream) Send(msg any) error {
	s.begun = true
	return s.ServerStream.Send(msg)
}

// Receive waits for a message, at most until the end of the context.
func (s *boundStream) Receive(msg any) error {
	s.begun = true
	// For the time of the wait alone: it costs a goroutine where a client goes
	// away, and who is not allowed to call is never waited for.
	defer interruptWhenOver(s.ctx)()
	err := s.ServerStream.Receive(msg)
	if err != nil && !errors.Is(err, io.EOF) && s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return err
}

// WithInterrupts makes the calls of a door of net/http ones that end with their
// deadline, also while they wait for the body of their request: connecthttp
// waits in a Read that knows no deadline. It goes around every such door; twice
// is as good as once. The http.ResponseWriter is passed on as it is.
func WithInterrupts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body := &incoming{ReadCloser: r.Body, w: w, http1: r.ProtoMajor == 1}
		defer body.end()
		r = r.WithContext(context.WithValue(r.Context(), incomingKey{}, body))
		r.Body = body
		next.ServeHTTP(w, r)
	})
}

// incoming is the body of a request.
type incoming struct {
	io.ReadCloser
	w     http.ResponseWriter
	http1 bool

	mu                sync.Mutex
	ended, interrupts bool
}

// Read reads, and notices the end.
func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && b.end() && b.http1 {
		// The deadline may have struck what net/http reads once a body is
		// through, and then nothing more can come on this connection. The body
		// of an HTTP/1.1 request is read by who answers it.
		b.w.Header().Set("Connection", "close")
	}
	return n, err
}

// restOfRefused is how long the rest of a request is waited for that was refused
// unread.
const restOfRefused = time.Second

// Hurry is for a call of which nothing was read, and nothing answered yet: later
// the deadline could be that of the next request. On HTTP/1.1 net/http reads up to
// 256 KiB of what is left before the answer goes out, because who is still
// sending would find the connection closed and not the answer. Who has no
// credential could have it wait for long.
func (b *incoming) Hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.http1 && !b.ended && !b.interrupts {
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Now().Add(restOfRefused)) // As below.
	}
}

// LastUntil gives the answer more time than an http.Server gives every answer.
func (b *incoming) LastUntil(end time.Time) {
	_ = http.NewResponseController(b.w).SetWriteDeadline(end) // As below.
}

// end tells whether the body was interrupted before.
func (b *incoming) end() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	return b.interrupts
}

// Interrupt makes a Read that waits, and all that follow, fail. Once the body is
// through it does nothing: on HTTP/1.1 the deadline would be that of the next
// request.
func (b *incoming) Interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.interrupts {
		return
	}
	b.interrupts = true
	_ = http.NewResponseController(b.w).SetReadDeadline(time.Unix(1, 0)) // What cannot is no http.Server, and has no client to wait for.
}
