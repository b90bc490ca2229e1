package service

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	// maxBranchRest bounds what one outermost item leaves for a resume token.
	maxBranchRest = 1000
	// progressEvery is how often a stream says how far it is.
	progressEvery = time.Second
)

// fanRun is one call of an RPC that is made of many reads.
//
// One goroutine, that of the call, owns the stream and all that is not marked
// otherwise. It starts others, at most as many as there may be reads at a time:
// one walks the outermost list, each other walks what lies below one of its
// items. They hand over what they find, a page at a time, and wait until it is
// taken; so a slow caller slows the walks down, and nobody holds more than a page.
type fanRun struct {
	road    *road
	plan    *fanOut
	over    *call
	wished  wish
	request protoreflect.Message
	now     time.Time
	bases   []proto.Message // by call: what every request has
	cuts    []cuts          // by call, for buckets
	through func(proto.Message) (proto.Message, bool)
	scope   tokenScope

	events   chan fanEvent
	counts   []fanCount  // by call; shared
	outer    int         // items of the outermost list so far; its walker's own
	tooMany  atomic.Bool // the outermost list has more than that; shared
	running  int
	listing  bool
	queue    []position
	seen     map[string]struct{} // the outermost items, of which none is read twice
	cursors  []string            // by page of the outermost list
	deepest  int                 // the last page of which an item was begun
	left     []position
	repeats  bool
	items    int64
	failures int64
	denied   int64
	draining bool
}

// fanCount is how many calls of a read there are, as far as is known, and how
// many were made.
type fanCount struct{ known, done atomic.Int64 }

// fanEvent is what a walk tells the call's own goroutine.
type fanEvent struct {
	message proto.Message // to send; nil for none
	items   int64
	failed  bool
	denied  bool
	// listed are the names on a page of the outermost list, and at its cursor.
	listed []string
	at     string
	// done is the end of a walk, top of that of the outermost list, and left what
	// it did not get to.
	done, top bool
	left      []position
}

// fanOut answers an RPC that is made of many reads.
func (r *road) fanOut(ctx context.Context, p permit, send func(proto.Message) error) error {
	f, err := r.newFanRun(ctx, p)
	if err != nil {
		return err
	}
	return f.run(ctx, send)
}

// run streams until everything is read, or the time is nearly over, or the
// caller is gone. When it returns, nothing below it goes on.
func (f *fanRun) run(ctx context.Context, send func(proto.Message) error) error {
	work, stop := context.WithDeadline(underneath{ctx}, timeToEnd(ctx, time.Now()))
	defer f.abandon(stop)
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	var ending <-chan struct{}
	if f.road.fan.Ending != nil {
		ending = f.road.fan.Ending()
	}
	for {
		for f.running < f.road.fan.Concurrency && len(f.queue) > 0 && work.Err() == nil {
			f.begin(work) //nolint:contextcheck // It is ctx, without its headers.
		}
		if f.running == 0 {
			break
		}
		select {
		case e := <-f.events:
			if err := f.take(e, send); err != nil {
				return err
			}
		case <-ending:
			ending, f.draining = nil, true
			stop()
		case <-ticker.C:
			if err := send(f.progressNow(ctx)); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := send(f.progressNow(ctx)); err != nil {
		return err
	}
	return send(f.endNow(work.Err() != nil))
}

// timeToEnd is when to begin to end: it leaves a tenth of the time, and at most
// some seconds, to say what is left.
func timeToEnd(ctx context.Context, now time.Time) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return now.Add(DefaultLongestStream)
	}
	return deadline.Add(-min(deadline.Sub(now)/10, 5*time.Second))
}

// begin starts a walk.
func (f *fanRun) begin(ctx context.Context) {
	p := f.queue[0]
	f.queue[0] = position{}
	f.queue = f.queue[1:]
	f.running++
	top := len(p.keys) == 0 && f.plan.listed()
	if !top {
		f.deepest = max(f.deepest, p.page)
	}
	go func() {
		left := []position{p}
		err := errors.New("a walk that panicked")
		defer func() { f.events <- fanEvent{done: true, top: top, left: left} }()
		defer func() {
			if err != nil {
				f.fail(ctx, f.plan.calls[f.plan.at(p)], p, err)
			}
		}()
		defer f.road.recovered(ctx, f.over, &err)
		left, err = f.walk(ctx, p, top), nil
	}()
}

// abandon ends what is under way, and waits for it.
func (f *fanRun) abandon(stop context.CancelFunc) {
	stop()
	for f.running > 0 {
		if e := <-f.events; e.done {
			f.running--
		}
	}
}

// take takes in what a walk tells.
func (f *fanRun) take(e fanEvent, send func(proto.Message) error) error {
	if e.done {
		f.running--
		f.listing = f.listing && !e.top
		f.leave(e.left)
	}
	f.enlist(e.listed, e.at)
	if e.message == nil {
		return nil
	}
	f.items += e.items
	switch {
	case e.denied:
		f.denied++
		f.failures++
	case e.failed:
		f.failures++
	}
	return send(e.message)
}

// enlist queues the items of a page of the outermost list.
func (f *fanRun) enlist(keys []string, at string) {
	if keys == nil {
		return
	}
	page := len(f.cursors)
	f.cursors = append(f.cursors, at)
	for _, key := range keys {
		if _, again := f.seen[key]; again {
			continue
		}
		f.seen[key] = struct{}{}
		p := position{keys: []string{key}, page: page}
		f.queue = append(f.queue, p)
		f.counts[f.plan.at(p)].known.Add(1)
	}
}

// walk reads a list to its end, and everything that lies below it, and returns
// what it did not get. The outermost one leaves what lies below to others.
func (f *fanRun) walk(ctx context.Context, p position, top bool) (left []position) {
	number := f.plan.at(p)
	c := f.plan.calls[number]
	var trail *pages.Trail
	if c.list != nil {
		trail = c.list.Trail(p.cursor, f.road.fan.MaxPages)
	}
	edge := int64(0)
	for {
		page, err := f.ask(ctx, number, p, trail, &edge)
		if err != nil {
			f.fail(ctx, c, p, err)
			return append(left, p)
		}
		e := fanEvent{message: page.message, items: page.items}
		if top {
			e.listed, e.at = page.keys, p.cursor
		}
		if (e.message != nil || e.listed != nil) && !f.tell(ctx, e) {
			return append(left, p)
		}
		if !top {
			f.counts[min(number+1, len(f.counts)-1)].known.Add(int64(len(page.keys)))
			for _, key := range page.keys {
				left = append(left, f.walk(ctx, p.inside(key), false)...)
			}
		}
		if page.next == "" {
			return left
		}
		p.cursor = page.next
		if top {
			if f.outer += len(page.keys); f.outer >= f.road.fan.MaxOutermost {
				f.tooMany.Store(true)
				return append(left, p)
			}
		}
		f.counts[number].known.Add(1)
	}
}

// fanPage is a page of a list, or what a read has.
type fanPage struct {
	message proto.Message // with its items; nil where they are not streamed
	items   int64
	keys    []string
	next    string
}

// uselessPage is a page that cannot be gone on with: its cursor, or the name of
// an item, is no name of the upstream's.
func uselessPage() error {
	return &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonBadResponse}
}

// ask makes one read. Edge is where the buckets of the pages before ended.
func (f *fanRun) ask(ctx context.Context, number int, p position, trail *pages.Trail, edge *int64) (page fanPage, err error) {
	defer f.road.recovered(ctx, f.over, &err)
	if err := ctx.Err(); err != nil {
		return fanPage{}, err
	}
	defer f.counts[number].done.Add(1)
	c := f.plan.calls[number]
	request := f.requestAt(c, number, p)
	a, err := f.read(ctx, c.method, request)
	if e, ok := errors.AsType[*upstream.Error](err); ok && e.Kind == upstream.NotFound && c.mayBeAbsent {
		page.message, page.items = f.plan.message(c, p, nil, nil)
		return page, nil
	}
	if err != nil {
		return fanPage{}, err
	}
	decoded, err := a.message()
	if err != nil {
		return fanPage{}, err
	}
	said := decoded.ProtoReflect()
	if c.list != nil {
		if page.next, err = trail.Next(said); err != nil {
			return fanPage{}, err
		}
		if len(page.next) > maxCursor {
			return fanPage{}, uselessPage()
		}
	}
	if c.bucketed != nil {
		if *edge, err = c.bucketed.check(f.cuts[number], bucketKeyPiece(p.keys[0]), *edge, said.Get(c.items).List()); err != nil {
			return fanPage{}, err
		}
	}
	page.keys = c.keysOf(said)
	if slices.ContainsFunc(page.keys, func(key string) bool { return key == "" || len(key) > maxKey }) {
		return fanPage{}, uselessPage()
	}
	page.message, page.items = f.plan.message(c, p, said, f.through)
	return page, nil
}

// read makes a read, as soon as there is budget for it: a stream waits for longer
// than a call may.
func (f *fanRun) read(ctx context.Context, m *Method, request protoreflect.Message) (*answer, error) {
	for {
		a, err := f.road.readBelow(ctx, f.over, f.wished, m, request)
		wait, waits := notSentYet(err)
		if !waits {
			return a, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

func (f *fanRun) requestAt(c *fanCall, number int, p position) protoreflect.Message {
	request := c.request(f.bases[number], p)
	if c.bucketed != nil {
		c.bucketed.set(request, f.cuts[number], bucketKeyPiece(p.keys[0]))
	}
	return request
}

// tell hands something over; false when the time was over first.
func (f *fanRun) tell(ctx context.Context, e fanEvent) bool {
	select {
	case f.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}
