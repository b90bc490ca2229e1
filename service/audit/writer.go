package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// maxBatch is how many records share one wait for the disk.
	maxBatch = 64
	// lingerTime is how long an offered record waits for others at the most, to be
	// written with them. A crash of the process loses those of so much time.
	lingerTime = 100 * time.Millisecond
)

// writer is the one goroutine that uses the sink.
type writer struct {
	log             *Log
	sink            *sink
	held            []*entry    // Offered records that the sink did not take.
	lingering       *time.Timer // Runs from the first offered record on.
	one             [1]*entry   // A batch of one.
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
	w.lingering = time.NewTimer(lingerTime)
	defer w.lingering.Stop()
	for {
		select {
		case reply := <-w.log.reopens:
			// It takes no turns with Writes: on a slow disk its time would pass.
			w.reopen(reply)
			w.settle(false)
		default:
		}
		if w.turn() {
			return
		}
		w.settle(false)
	}
}

// turn does what comes first, and returns whether it was the last.
func (w *writer) turn() (last bool) {
	ready, lingered, going := w.log.offers.ready, w.lingering.C, w.log.always
	if w.failing {
		ready, lingered = nil, nil
	}
	if w.failing || len(w.held) == 0 && w.sink.rest == nil {
		going = nil
	}
	select {
	case e := <-w.log.writes:
		w.commit(e)
	case <-going: // The sink was slow.
		w.again()
	case <-ready:
		if !w.log.offers.due() {
			w.lingering.Reset(lingerTime)
			return false
		}
		w.batch()
	case <-lingered:
		w.batch()
	case <-w.retry.C:
		w.again()
	case reply := <-w.log.reopens:
		w.reopen(reply)
	case <-w.log.closing:
		w.flush()
		return true
	}
	return false
}

// batch writes offered records.
func (w *writer) batch() {
	if len(w.held) == 0 {
		w.held = w.log.offers.pop(w.held[:0], batchBytes)
	}
	w.again()
}

// reopen opens the path again, and answers.
func (w *writer) reopen(reply chan<- error) {
	w.sink.complete(w.deadline())
	_ = w.flushToDisk() // It notes the error, and the file is left all the same.
	reply <- w.sink.reopen()
	w.again()
}

// commit writes the record of a Write, and with it those that wait for the same sync,
// and answers. The first that fails is the last: others may fail as slowly, while those
// that were written wait for their answer.
func (w *writer) commit(e *entry) {
	var batch [maxBatch]*entry
	written := batch[:0]
	for ok := true; ok; {
		w.one[0] = e
		if _, err := w.attempt(w.one[:]); err != nil {
			e.result <- err
			break
		}
		written = append(written, e)
		if ok = w.sink.durable && len(written) < maxBatch; ok {
			select {
			case e = <-w.log.writes:
			default:
				ok = false
			}
		}
	}
	err := w.flushToDisk()
	for _, e := range written {
		e.result <- err
	}
	if !w.failing {
		w.again()
	}
}

// flushToDisk syncs what was written, where that is asked for, and notes an error.
func (w *writer) flushToDisk() error {
	w.log.state.begin()
	err := w.sink.flush()
	w.log.state.end()
	if err != nil {
		w.sink.err = err
		w.note(err)
	}
	return err
}

// attempt writes entries, and notes the result.
func (w *writer) attempt(batch []*entry) (taken int, err error) {
	w.log.state.begin()
	taken, err = w.sink.write(batch, w.deadline())
	w.log.state.end()
	w.note(err)
	return taken, err
}

// mark writes a record of the log's own, and returns whether the sink took it.
func (w *writer) mark(r *Record) bool {
	w.one[0] = w.log.entry(r)
	taken, _ := w.attempt(w.one[:]) // It notes the error.
	w.log.recycle(w.one[0])
	return taken > 0
}

// again retries after a failure: held records, or a line that was cut off. Without
// either, a record of the log's own shows whether the sink works. Of the records that
// wait it tries one.
func (w *writer) again() {
	if len(w.held) == 0 && w.failing {
		w.held = w.log.offers.pop(w.held[:0], 1)
	}
	switch {
	case len(w.held) > 0:
		taken, _ := w.attempt(w.held) // It notes the error.
		for _, e := range w.held[:taken] {
			w.log.recycle(e)
		}
		w.held = slices.Delete(w.held, 0, taken)
	case w.sink.rest != nil:
		w.note(w.sink.finish(w.deadline()))
	case w.failing:
		w.mark(&Record{Time: time.Now(), Event: EventResumed})
	}
}

// settle does what is due between records: it writes of gaps, and syncs.
func (w *writer) settle(always bool) {
	for !w.failing && len(w.held) == 0 && w.sink.rest == nil {
		gap, queue := w.log.offers.gap(time.Now(), always)
		if gap == nil {
			break
		}
		if w.mark(gap) {
			w.log.offers.tell(queue, gap)
		}
	}
	if w.sink.unsynced.records >= maxBatch || w.log.offers.empty() {
		_ = w.flushToDisk() // It notes the error.
	}
}

// flush writes what was accepted before the log was closed, and says how much of it is
// lost.
func (w *writer) flush() {
	if cause := w.drain(); cause != nil {
		w.giveUp(cause)
	}
	_ = w.flushToDisk() // It counts what is lost.
	if lost := w.log.lost.Load() - w.log.lostBefore; lost > 0 {
		w.log.incomplete = fmt.Errorf("records lost: %d: %w", lost, bare(w.sink.lostBy))
	}
}

// drain writes until nothing waits, or returns why it does not.
func (w *writer) drain() error {
	for {
		if len(w.held) == 0 {
			w.held = w.log.offers.pop(w.held[:0], batchBytes)
		}
		select {
		case <-w.log.quit:
			return ErrClosed
		default:
		}
		if len(w.held) == 0 && w.sink.rest == nil {
			w.settle(true)
			return nil
		}
		w.again()
		if w.failing && !errors.Is(w.sink.err, os.ErrDeadlineExceeded) {
			return w.sink.err
		}
	}
}

// giveUp counts the records that will not be written.
func (w *writer) giveUp(cause error) {
	waiting := w.log.offers.waiting()
	w.sink.lose(len(w.held)+int(waiting.Callers+waiting.Strangers), cause)
	w.sink.forget(cause)
}

// note notes whether the sink works, and logs a change.
func (w *writer) note(err error) {
	w.log.state.set(err)
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
