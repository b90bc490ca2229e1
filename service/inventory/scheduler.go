package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// maxBranchRest bounds what one outermost item leaves for a resume token.
	maxBranchRest = 1000
	// progressEvery is the interval of progress messages.
	progressEvery = time.Second
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
	report report

	running  int
	listing  bool
	queue    []position
	seen     map[string]struct{} // the outermost items, of which none is read twice
	cursors  []string            // by page of the outermost list
	deepest  int                 // the last page of which an item was begun
	left     []position
	draining bool

	began []position // what the stream had to read
	held  bool       // no read begins: the list ahead of them has not been read whole
}

func newScheduler(q *query) *scheduler {
	return &scheduler{query: q, walker: newWalker(q), deepest: -1, seen: make(map[string]struct{})}
}

// start queues the reads, and refuses a call whose caller may not make any of it.
func (s *scheduler) start(ctx context.Context, todo rest) error {
	s.began = todo.positions
	if s.gatherBase != nil {
		g := s.plan.gather
		if err := s.Admission.Check(ctx, g.method, g.request(s.gatherBase, position{})); err != nil {
			return err
		}
	}
	if s.plan.buckets != nil {
		return s.startBuckets(ctx, todo)
	}
	return s.startLists(ctx, todo)
}

// startLists begins nested reads: with the rest of a token, with the items that
// are given, with those that the caller is limited to, or with the list.
func (s *scheduler) startLists(ctx context.Context, todo rest) error {
	reads := s.plan.reads
	for _, r := range reads[min(1, len(reads)-1):] {
		if err := s.Admission.MayCall(ctx, r.method); err != nil {
			return err
		}
	}
	keys, given, err := s.givenKeys(ctx)
	if err != nil {
		return err
	}
	if !given {
		if err := s.Admission.Check(ctx, reads[0].method, reads[0].request(s.bases[0], position{})); err != nil {
			return err
		}
	}
	return s.enqueue(todo.positions, keys, given)
}

// startBuckets begins lists of buckets: every piece of the range is an item.
func (s *scheduler) startBuckets(ctx context.Context, todo rest) error {
	start := seconds(s.request, s.plan.buckets.start)
	s.cuts = make([]cuts, len(s.plan.reads))
	var keys []string
	for i, r := range s.plan.reads {
		if !s.counted(r.bucketed) {
			continue
		}
		cut, err := s.cut(r, start)
		if err != nil {
			return err
		}
		s.cuts[i] = cut
		if int64(len(keys))+cut.count() > int64(s.options.MaxOutermost) {
			return rpcerror.InvalidField("start_time", fmt.Sprintf("the range takes more than %d calls", s.options.MaxOutermost), nil)
		}
		for piece := range cut.count() {
			keys = append(keys, bucketKey(i, piece))
		}
		first := s.requestAt(r, i, position{keys: []string{bucketKey(i, 0)}})
		if err := s.Admission.Check(ctx, r.method, first); err != nil {
			return err
		}
	}
	return s.enqueue(todo.positions, keys, true)
}

// enqueue queues positions. Where the outermost items are known, the position of
// their list is that of the items behind its cursor.
func (s *scheduler) enqueue(positions []position, keys []string, known bool) error {
	for _, p := range positions {
		switch {
		case len(p.keys) == 0 && known:
			after, found := slices.BinarySearch(keys, p.cursor)
			if found {
				after++
			}
			at := p.cursor
			for page := range slices.Chunk(keys[after:], widestPage) {
				s.enlist(page, at)
				at = page[len(page)-1]
			}
		case s.plan.buckets != nil && !slices.Contains(keys, p.keys[0]):
			return errForeignToken(errToken)
		default:
			if len(p.keys) > 0 {
				s.seen[p.keys[0]] = struct{}{}
			}
			s.listing = s.listing || len(p.keys) == 0 && s.plan.listed()
			s.queue = append(s.queue, p)
			s.walker.counts[s.plan.at(p)].known.Add(1)
		}
	}
	return nil
}

// enlist queues the items of a page of the outermost list.
func (s *scheduler) enlist(keys []string, at string) {
	if keys == nil {
		return
	}
	page := len(s.cursors)
	s.cursors = append(s.cursors, at)
	for _, key := range keys {
		if _, again := s.seen[key]; again {
			continue
		}
		s.seen[key] = struct{}{}
		p := position{keys: []string{key}, page: page}
		s.queue = append(s.queue, p)
		s.walker.counts[s.plan.at(p)].known.Add(1)
	}
}

// run streams until everything is read, or the time is nearly over, or the
// caller has gone away. When it returns, all walkers have ended.
func (s *scheduler) run(ctx context.Context, send func(proto.Message) error) error {
	parts, err := s.Admission.Part(ctx)
	if err != nil {
		return err
	}
	work, stop := context.WithDeadline(parts, timeToEnd(ctx, time.Now()))
	defer s.abandon(stop)
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	ending := s.options.Ending()
	if s.gatherBase != nil {
		s.gather(work)
	}
	for {
		for !s.held && s.running < s.options.Concurrency && len(s.queue) > 0 && work.Err() == nil {
			s.begin(work)
		}
		if s.running == 0 {
			break
		}
		select {
		case e := <-s.walker.events:
			if err := s.take(e, send); err != nil {
				return err
			}
		case <-ending:
			ending, s.draining = nil, true
			stop()
		case <-ticker.C:
			if err := send(s.progress(ctx)); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := send(s.progress(ctx)); err != nil {
		return err
	}
	return send(s.end(accounting.From(ctx).Reads.Made.Load(), work.Err() != nil))
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

// begin starts a walk.
func (s *scheduler) begin(ctx context.Context) {
	p := s.queue[0]
	s.queue[0] = position{}
	s.queue = s.queue[1:]
	s.running++
	top := len(p.keys) == 0 && s.plan.listed()
	if !top {
		s.deepest = max(s.deepest, p.page)
	}
	w := s.walker
	go func() {
		left := []position{p}
		err := errors.New("a walk that panicked")
		defer func() { w.events <- event{done: true, top: top, left: left} }()
		defer func() {
			if err != nil {
				w.fail(ctx, w.plan.reads[w.plan.at(p)], p, err)
			}
		}()
		defer observe.Recover(ctx, w.Logger, &err)
		left, err = w.walk(ctx, p, top), nil
	}()
}

// abandon ends the walks that are under way, and waits for them.
func (s *scheduler) abandon(stop context.CancelFunc) {
	stop()
	for s.running > 0 {
		if e := <-s.walker.events; e.done {
			s.running--
		}
	}
}

// take handles an event of a walker.
func (s *scheduler) take(e event, send func(proto.Message) error) error {
	if e.done {
		s.running--
		s.listing = s.listing && !e.top
		s.held = s.held && !e.gathered
		s.leave(e.left)
	}
	s.enlist(e.listed, e.at)
	if e.message == nil {
		return nil
	}
	s.report.add(e)
	return send(e.message)
}

// leave stores the positions that a walk did not reach.
func (s *scheduler) leave(left []position) {
	if len(left) > maxBranchRest {
		left, s.report.repeats = []position{{keys: left[0].keys[:min(1, len(left[0].keys))], page: left[0].page}}, true
	}
	s.left = append(s.left, left...)
}
