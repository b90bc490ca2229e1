package main

import (
	"context"
	"sync"
	"time"
)

// lastLinesTime bounds the wait for the log when the process is to end at once.
const lastLinesTime = 100 * time.Millisecond

// lastLines is what the end of the process waits for when a second signal cuts the
// command off: the log of a command that has one.
type lastLines struct {
	mu    sync.Mutex
	flush func(context.Context)
}

type lastLinesKey struct{}

// withLastLines returns a context whose command tells of its log.
func withLastLines(ctx context.Context, l *lastLines) context.Context {
	return context.WithValue(ctx, lastLinesKey{}, l)
}

// keepLastLines tells of a log. Outside of the main function there is nobody to tell.
func keepLastLines(ctx context.Context, flush func(context.Context)) {
	if l, ok := ctx.Value(lastLinesKey{}).(*lastLines); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.flush = flush
	}
}

// write waits until the last lines are written, for a moment.
func (l *lastLines) write() {
	l.mu.Lock()
	flush := l.flush
	l.mu.Unlock()
	if flush == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastLinesTime)
	defer cancel()
	flush(ctx)
}
