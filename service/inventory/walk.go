package inventory

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// walker makes the reads of one call, on as many goroutines as the scheduler starts.
// These share nothing but the query, which does not change, the channel, and the
// atomics.
type walker struct {
	*query
	events  chan event
	counts  []readCount // by read
	tooMany atomic.Bool // the outermost list has more items than a stream goes through

	gathered readCount   // of the list that is read ahead
	unjudged atomic.Bool // its items are about more than the view remembers
}

// readCount is how many calls of a read there are, as far as is known, and how
// many were made.
type readCount struct{ known, done atomic.Int64 }

// event is a message of a walker to the scheduler.
type event struct {
	message proto.Message // to send; nil for none
	wire    []byte        // the same in its binary form, in its place
	items   int64
	failed  bool
	denied  bool
	// listed are the names on a page of the outermost list, and at its cursor.
	listed []string
	at     string
	// walk is the number of the walk, and rest what is left of it once the message has
	// been sent; nil where that is what it was.
	walk int
	rest *branch
	// done is the end of a walk, and top that of the outermost list.
	done, top bool
	// gathered is the end of the list that is read ahead, read whole.
	gathered bool
}

func newWalker(q *query) *walker {
	return &walker{query: q, events: make(chan event), counts: make([]readCount, len(q.plan.reads))}
}

// walk reads a list to its end, and all lists within it; or until the time is over, or
// the outermost list has more items than a stream goes through. That list's walk leaves
// the lists within it to others. Number is the walk's own.
func (w *walker) walk(ctx context.Context, number int, p position, top bool) {
	b, outermost := newBranch(p), 0
	for ctx.Err() == nil {
		f := b.next()
		if f == nil {
			return
		}
		at, which := f.at, w.plan.at(f.at)
		r := w.plan.reads[which]
		if f.list == nil {
			f.list = w.listing(r, at)
		}
		page, err := w.ask(ctx, which, at, f.list)
		if err != nil {
			b.fail(f)
			rest := b.clone()
			w.fail(ctx, r, at, err, event{walk: number, rest: &rest})
			continue
		}
		e := event{walk: number, message: page.message, wire: page.wire, items: page.items}
		inner := page.keys
		if top {
			e.listed, e.at, inner = page.keys, at.cursor, nil
		}
		b.read(f, inner, page.next)
		rest := b.clone()
		e.rest = &rest
		if !w.hand(ctx, e) {
			return
		}
		w.counts[min(which+1, len(w.counts)-1)].known.Add(int64(len(inner)))
		if page.next == "" {
			continue
		}
		if outermost += len(e.listed); outermost >= w.options.MaxOutermost {
			w.tooMany.Store(true)
			return
		}
		w.counts[which].known.Add(1)
	}
}

func (w *walker) listing(r *read, p position) *listing {
	if r.list == nil {
		return &listing{}
	}
	return &listing{trail: r.list.Trail(p.cursor, w.options.MaxPages)}
}

// itemPage is a page of a list, or the answer of another read.
type itemPage struct {
	message proto.Message // with its items; nil where they are not streamed
	wire    []byte        // the same, of items that are passed on
	items   int64
	keys    []string
	next    string
}

// uselessPage is the error of a page that the walk cannot follow: its cursor, or
// the name of an item, is not one that the upstream could have given.
func uselessPage() error {
	return &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonBadResponse}
}

// ask makes one read.
func (w *walker) ask(ctx context.Context, number int, p position, list *listing) (page itemPage, err error) {
	defer observe.Recover(ctx, w.Logger, &err)
	if err := ctx.Err(); err != nil {
		return itemPage{}, err
	}
	defer w.counts[number].done.Add(1)
	r := w.plan.reads[number]
	got, next, err := w.fetch(ctx, r, w.requestAt(r, number, p), list.trail)
	if e, ok := errors.AsType[*upstream.Error](err); ok && e.Kind == upstream.NotFound && r.mayBeAbsent {
		page.message, page.items = w.plan.message(r, p, nil, nil)
		return page, nil
	}
	if err != nil {
		return itemPage{}, err
	}
	page.next = next
	if r.passes {
		page.wire, page.items, err = w.plan.passed(r, p, got)
		return page, err
	}
	said := got.message
	if r.bucketed != nil {
		if list.edge, err = r.bucketed.check(w.cuts[number], pieceOf(p), list.edge, said.Get(r.items).List()); err != nil {
			return itemPage{}, err
		}
	}
	page.keys = r.keysOf(said)
	if slices.ContainsFunc(page.keys, func(key string) bool { return key == "" || len(key) > maxKey }) {
		return itemPage{}, uselessPage()
	}
	page.message, page.items = w.plan.message(r, p, said, w.view.convert)
	return page, nil
}

// hand hands an event over; false when the time was over first.
func (w *walker) hand(ctx context.Context, e event) bool {
	select {
	case w.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// fail reports a read that failed, as its caller would have seen it. A read that
// was cut off by the end of the stream has not failed. E says what is left then.
func (w *walker) fail(ctx context.Context, r *read, p position, err error, e event) {
	if ctx.Err() != nil {
		return
	}
	failure := &inventoryv1.Failure{Method: r.method.Name()}
	said := failure.ProtoReflect()
	for level, key := range p.keys {
		if name := w.plan.reads[level].as; r.bucketed == nil && name != "" {
			said.Set(said.Descriptor().Fields().ByName(name), protoreflect.ValueOfString(key))
		}
	}
	if r.bucketed != nil {
		start, end := w.cuts[w.plan.at(p)].piece(pieceOf(p))
		failure.UsageKind = inventoryv1.UsageKind(r.bucketed.kind.Number())
		failure.StartTime, failure.EndTime = &timestamppb.Timestamp{Seconds: start}, &timestamppb.Timestamp{Seconds: end}
	}
	seen := rpcerror.ToCaller(err)
	failure.Code, failure.Reason, failure.Message = int32(seen.Code), seen.Reason, seen.Message
	if seen.RetryAfter > 0 {
		failure.RetryDelay = durationpb.New(seen.RetryAfter)
	}
	e.failed, e.denied, e.message = true, seen.Code == connect.CodePermissionDenied, w.plan.responseOf(w.plan.failure, failure)
	w.hand(ctx, e)
}
