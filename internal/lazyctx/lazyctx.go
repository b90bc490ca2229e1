// Package lazyctx has contexts that cost nothing until somebody waits for their end. It
// imports nothing of the project.
//
// Each context of package context that can end is entered into its parent, and has a
// timer where it has a deadline. A call that is answered from memory is over before
// anybody has asked: most of what it would spend on its contexts is wasted. A [Context]
// makes one of package context when Done is first called, and is that from then on.
package lazyctx

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Context is a context with an end of its own. It is made by [Context.Begin] and has to be
// ended. It is safe for concurrent use, and not copied.
type Context struct {
	parent   context.Context
	deadline time.Time // zero: that of the parent
	// apart says that the deadline counts, and not how the parent ends then.
	apart  bool
	waited atomic.Pointer[waited]

	ended atomic.Bool
	mu    sync.Mutex // of those who make waited, or end it
}

// waited is the context once somebody waits for it.
type waited struct {
	context.Context
	end     context.CancelCauseFunc
	release context.CancelFunc
}

// Begin makes c a child of parent, which also ends at deadline unless that is zero. It is
// called once, before anything else.
func (c *Context) Begin(parent context.Context, deadline time.Time) {
	if earlier, ok := parent.Deadline(); ok && !deadline.IsZero() && earlier.Before(deadline) {
		deadline = time.Time{}
	}
	c.parent, c.deadline = parent, deadline
}

// BeginApart makes c a child of parent with the same deadline, which is exceeded when it
// passes, and not canceled: a parent may be canceled because its deadline passes, before
// it has noticed itself. It is called once, before anything else.
func (c *Context) BeginApart(parent context.Context) {
	c.parent = parent
	c.deadline, c.apart = parent.Deadline()
}

// End ends the context, with a cause for [context.Cause] unless that is nil. It does
// nothing to a context that has ended.
func (c *Context) End(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waited.Load()
	if w == nil && cause != nil && !c.ended.Load() {
		w = c.makeWaited() // It keeps the cause.
	}
	c.ended.Store(true)
	if w != nil {
		w.end(cause)
		w.release()
	}
}

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) {
	if c.deadline.IsZero() {
		return c.parent.Deadline()
	}
	return c.deadline, true
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} { return c.wait().Done() }

// Err implements [context.Context].
func (c *Context) Err() error {
	if w := c.waited.Load(); w != nil {
		return w.Err()
	}
	if !c.ended.Load() && c.parent.Err() == nil && (c.deadline.IsZero() || time.Now().Before(c.deadline)) {
		return nil
	}
	return c.wait().Err()
}

// Value implements [context.Context].
func (c *Context) Value(key any) any {
	if w := c.waited.Load(); w != nil {
		return w.Value(key)
	}
	return c.parent.Value(key)
}

// wait is the context for those who wait.
func (c *Context) wait() *waited {
	if w := c.waited.Load(); w != nil {
		return w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.waited.Load(); w != nil {
		return w
	}
	return c.makeWaited()
}

// makeWaited is for those who hold the lock, and only once.
func (c *Context) makeWaited() *waited {
	w := new(waited)
	parent := c.parent
	if c.apart {
		parent = context.WithoutCancel(parent)
	}
	w.Context, w.end = context.WithCancelCause(parent)
	w.release = func() {}
	if !c.deadline.IsZero() {
		w.Context, w.release = context.WithDeadline(w.Context, c.deadline)
	}
	switch {
	case c.ended.Load():
		w.end(nil)
		w.release()
	case c.apart && c.parent.Err() != nil:
		w.endEarly(c.deadline)
	case c.apart:
		stop, release := context.AfterFunc(c.parent, func() { w.endEarly(c.deadline) }), w.release
		w.release = func() { stop(); release() }
	}
	c.waited.Store(w)
	return w
}

// endEarly ends the context because its parent has ended, unless that was its deadline.
func (w *waited) endEarly(deadline time.Time) {
	if time.Now().Before(deadline) {
		w.end(nil)
	}
}
