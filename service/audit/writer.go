package audit

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// writer is the one goroutine that uses the sink.
type writer struct {
	log             *Log
	sink            *sink
	held            *entry      // An offered record that the sink did not take.
	failing         bool        // The last attempt failed, so records offered wait.
	retry           *time.Timer // Runs while failing.
	failureWarnings oncePerMinute
	reported        bool // A failure was logged, so recovery is logged too.
}

func (w *writer) run() {
	defer close(w.log.done)
	defer w.sink.close()
	w.retry = time.NewTimer(w.sink.retry)
	defer w.retry.Stop()
	for {
		offers := w.log.offers
		if w.failing {
			offers = nil
		}
		select {
		case e := <-w.log.writes:
			_, err := w.attempt(e)
			e.result <- err
			if err == nil {
				w.again()
			}
		case w.held = <-offers:
			w.again()
		case <-w.retry.C:
			w.again()
		case reply := <-w.log.reopens:
			reply <- w.sink.reopen(w.deadline())
			w.again()
		case <-w.log.closing:
			w.flush()
			return
		}
	}
}

// attempt writes an entry, and notes the result.
func (w *writer) attempt(e *entry) (taken bool, err error) {
	taken, err = w.sink.write(e, w.deadline())
	w.note(err)
	return taken, err
}

// again retries after a failure: a held record, or a line that was cut off.
func (w *writer) again() {
	switch {
	case w.held != nil:
		if taken, err := w.attempt(w.held); taken || err == nil {
			w.log.recycle(w.held)
			w.held = nil
		}
	case w.sink.rest != nil:
		w.note(w.sink.finish(w.deadline()))
	default:
		// Only the next record can show whether the sink works.
		w.failing = false
	}
}

// flush writes what was accepted before the log was closed.
func (w *writer) flush() {
	for {
		if w.held == nil {
			select {
			case w.held = <-w.log.offers:
			default:
			}
		}
		select {
		case <-w.log.quit:
			w.giveUp(ErrClosed)
			return
		default:
		}
		if w.held == nil && w.sink.rest == nil {
			return
		}
		w.again()
		if w.failing && !errors.Is(w.sink.err, os.ErrDeadlineExceeded) {
			w.giveUp(w.sink.err)
			return
		}
	}
}

// giveUp counts the records that will not be written.
func (w *writer) giveUp(cause error) {
	lost := len(w.log.offers)
	if w.held != nil {
		lost++
	}
	w.log.failed.Add(uint64(lost))
	if w.sink.forget() {
		lost++
	}
	if lost > 0 {
		w.log.lost = fmt.Errorf("records lost: %d: %w", lost, bare(cause))
	}
}

// note notes whether the sink works, and logs a change.
func (w *writer) note(err error) {
	if err == nil {
		w.failing = false
		if w.reported {
			w.reported = false
			w.log.logger.Info("audit records are written again", "path", w.log.path)
		}
		return
	}
	w.failing = true
	if w.retry != nil {
		w.retry.Reset(w.sink.retry)
	}
	if w.failureWarnings.now() {
		w.reported = true
		w.log.logger.Error("audit records cannot be written", "path", w.log.path, "cause", bare(err).Error())
	}
}

// deadline is that of an attempt, and not that of the caller of Write: a short
// deadline does not make the sink fail.
func (w *writer) deadline() time.Time { return time.Now().Add(w.log.timeout) }

// oncePerMinute allows an event once a minute.
type oncePerMinute struct{ last atomic.Pointer[time.Time] }

func (s *oncePerMinute) now() bool {
	last, now := s.last.Load(), time.Now()
	return (last == nil || now.Sub(*last) >= time.Minute) && s.last.CompareAndSwap(last, &now)
}
