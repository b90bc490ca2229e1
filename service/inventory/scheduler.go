package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/standby"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
)

// scheduler runs one call. It belongs to the goroutine of the call, which owns the
// stream too. It starts walkers, at most as many as there may be reads at a time:
// one walks the outermost list, each other walks the lists within one of its items.
// They hand over the pages through a channel, a page at a time, and wait until it
// is taken; so a slow caller slows the walks down, and no walker holds more than a
// page.
type scheduler struct {
	*query
	walker *walker
	// walks run the walks.
	walks  *standby.Goroutines
	report report

	running  map[int]branch // what is left of the walks that are under way, by number
	begun    int            // how many walks were
	listing  bool
	queue    []position          // behind it come the pieces of the query
	seen     map[string]struct{} // the outermost items of a list, of which none is read twice
	cursors  []string            // by page of the outermost list
	deepest  int                 // the last page of which an item was begun
	left     leftovers
	draining bool

	tokens tokenPace
	untold int                // messages since the last progress
	rates  map[string]float64 // of the budgets, at the last tick; nil: not known

	began []position // what the stream had to read
	held  bool       // no read begins: the list ahead of them has not been read whole
}

func newScheduler(q *query) *scheduler {
	return &scheduler{query: q, walker: newWalker(q), running: make(map[int]branch), deepest: -1, seen: make(map[string]struct{}), left: leftovers{from: nowhere}}
}

// run streams until everything is read, or the time is nearly over, or the
// caller has gone away. When it returns, all walkers have ended.
func (s *scheduler) run(ctx context.Context, to pipeline.Sender) error {
	parts, err := s.Admission.Part(ctx)
	if err != nil {
		return err
	}
	work, stop := context.WithDeadline(parts, timeToEnd(ctx, time.Now()))
	s.walks = standby.New(s.options.Concurrency)
	defer s.abandon(stop)
	ticker := time.NewTicker(s.options.ProgressEvery)
	defer ticker.Stop()
	ending := s.options.Ending()
	if s.gatherBase != nil {
		s.gather(work)
	}
	for {
		for !s.held && len(s.running) < s.options.Concurrency && work.Err() == nil {
			p, ok := s.next()
			if !ok {
				break
			}
			s.begin(work, p)
		}
		if len(s.running) == 0 {
			break
		}
		select {
		case e := <-s.walker.events:
			if err := s.take(e, to); err != nil {
				return err
			}
			if s.untold < untoldMost {
				continue
			}
			if err := s.tell(ctx, to); err != nil {
				return err
			}
		case <-ending:
			ending, s.draining = nil, true
			stop()
		case <-ticker.C:
			s.rates = nil
			if err := s.tell(ctx, to); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := to.Send(s.progress(ctx, nil)); err != nil { // The end has the token.
		return err
	}
	return to.Send(s.end(ctx, accounting.From(ctx).Reads.Made.Load(), work.Err() != nil))
}

// untoldMost is how many messages a stream sends without a progress: in the time between
// two ticks, a cache can fill many pages, and a caller may wait for the token.
const untoldMost = 250

// tell sends the progress.
func (s *scheduler) tell(ctx context.Context, to pipeline.Sender) error {
	s.untold = 0
	return to.Send(s.progress(ctx, s.resumeToken))
}

// timeToEnd is when to begin the end: a tenth of the time, and at most some
// seconds, is left for the resume token.
func timeToEnd(ctx context.Context, now time.Time) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return now.Add(DefaultLongestStream)
	}
	return deadline.Add(-min(deadline.Sub(now)/10, 5*time.Second))
}

// next is what to read next; false for nothing.
func (s *scheduler) next() (position, bool) {
	if len(s.queue) > 0 {
		p := s.queue[0]
		s.queue[0] = position{}
		s.queue = s.queue[1:]
		return p, true
	}
	for s.pieces != nil {
		p, ok := s.pieces.take()
		if !ok {
			break
		}
		if _, again := s.seen[p.keys[0]]; !again {
			return p, true
		}
	}
	return position{}, false
}

// number takes note of a walk that begins.
func (s *scheduler) number(b branch) int {
	s.begun++
	s.running[s.begun] = b
	return s.begun
}

// begin starts a walk.
func (s *scheduler) begin(ctx context.Context, p position) {
	number := s.number(newBranch(p))
	top := len(p.keys) == 0 && s.plan.listed()
	if !top {
		s.deepest = max(s.deepest, p.page)
	}
	w := s.walker
	s.walks.Go(func() {
		err := errors.New("a walk that panicked")
		defer func() { w.events <- event{walk: number, done: true, top: top} }()
		defer func() {
			if err != nil {
				w.fail(ctx, w.plan.reads[w.plan.at(p)], p, err, event{walk: number})
			}
		}()
		defer observe.Recover(ctx, w.Logger, &err)
		w.walk(ctx, number, p, top)
		err = nil
	})
}

// abandon ends the walks that are under way, and waits for them.
func (s *scheduler) abandon(stop context.CancelFunc) {
	stop()
	for len(s.running) > 0 {
		if e := <-s.walker.events; e.done {
			delete(s.running, e.walk)
		}
	}
	s.walks.Close()
}

// take handles an event of a walker. What is left and what was sent change together:
// whatever ends the stream, or asks for a token, comes before or after both.
func (s *scheduler) take(e event, to pipeline.Sender) error {
	if e.rest != nil {
		s.running[e.walk] = *e.rest
	}
	if e.done {
		b := s.running[e.walk]
		delete(s.running, e.walk)
		s.left.addBranch(&b)
		s.listing = s.listing && !e.top
		s.held = s.held && !e.gathered
	}
	s.enlist(e.listed, e.at)
	if e.message == nil && e.wire == nil {
		return nil
	}
	s.report.add(e)
	s.untold++
	if e.wire != nil {
		return to.SendWire(e.wire)
	}
	return to.Send(e.message)
}
