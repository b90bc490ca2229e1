package audit

import (
	"errors"
	"io/fs"
	"net"
)

// ErrClosed is the cause of what is asked of a closed log.
var ErrClosed = errors.New("the log is closed")

// errNoReader is the cause when nobody reads from a FIFO: nothing is wrong with
// it that time could not mend.
var errNoReader = errors.New("the FIFO has no reader")

// Error is a failure to write records. It quotes none of them.
type Error struct {
	// Op is the failed operation: open, write, reopen or close.
	Op string
	// Path is the sink; "-" is the standard output.
	Path string
	// Err is the cause, such as syscall.ENOSPC, os.ErrDeadlineExceeded, a
	// context's error, or ErrClosed.
	Err error
}

// Error tells all of it.
func (e *Error) Error() string { return "audit log: " + e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// newError makes an Error, unless there is no cause.
func newError(op, path string, cause error) error {
	if cause == nil {
		return nil
	}
	return &Error{Op: op, Path: path, Err: bare(cause)}
}

// bare is a cause without the operation and the path that package os puts
// before it, or package net.
func bare(cause error) error {
	if e, ok := errors.AsType[*net.OpError](cause); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](cause); ok {
		return e.Err
	}
	return cause
}
