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
	"github.com/admin-gateway/admin-gateway/pages"
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

	repeats atomic.Bool // what is left begins earlier than it was read
}

// readCount is how many calls of a read there are, as far as is known, and how
// many were made.
type readCount struct{ known, done atomic.Int64 }

// event is a message of a walker to the scheduler.
type event struct {
	message proto.Message // to send; nil for none
	items   int64
	failed  bool
	denied  bool
	// listed are the names on a page of the outermost list, and at its cursor.
	listed []string
	at     string
	// done is the end of a walk, top that of the outermost list, and left the
	// positions that were not reached.
	done, top bool
	left      []position
	// gathered is the end of the list that is read ahead, read whole.
	gathered bool
}

func newWalker(q *query) *walker {
	return &walker{query: q, events: make(chan event), counts: make([]readCount, len(q.plan.reads))}
}

// walk reads a list to its end, and all lists within it, and returns the
// positions that it did not read. The outermost walk leaves the lists within
// it to others.
func (w *walker) walk(ctx context.Context, p position, top bool) (left []position) {
	number := w.plan.at(p)
	r := w.plan.reads[number]
	var trail *pages.Trail
	if r.list != nil {
		trail = r.list.Trail(p.cursor, w.options.MaxPages)
	}
	edge, outermost := int64(0), 0
	for {
		page, err := w.ask(ctx, number, p, trail, &edge)
		if err != nil {
			w.fail(ctx, r, p, err)
			return w.join(left, []position{p})
		}
		e := event{message: page.message, items: page.items}
		if top {
			e.listed, e.at = page.keys, p.cursor
		}
		if (e.message != nil || e.listed != nil) && !w.hand(ctx, e) {
			return w.join(left, []position{p})
		}
		if !top {
			w.counts[min(number+1, len(w.counts)-1)].known.Add(int64(len(page.keys)))
			for _, key := range page.keys {
				left = w.join(left, w.walk(ctx, p.inside(key), false))
			}
		}
		if page.next == "" {
			return left
		}
		p.cursor = page.next
		if top {
			if outermost += len(page.keys); outermost >= w.options.MaxOutermost {
				w.tooMany.Store(true)
				return append(left, p)
			}
		}
		w.counts[number].known.Add(1)
	}
}

// maxBranchRest bounds what one outermost item leaves for a resume token.
const maxBranchRest = 1000

// join puts positions within one outermost item together. Where they are too many, the
// whole item stands for all of them.
func (w *walker) join(left, more []position) []position {
	switch {
	case len(left) == 1 && left[0].whole():
		return left
	case len(left)+len(more) <= maxBranchRest || len(more) == 0:
		return append(left, more...)
	default:
		w.repeats.Store(true)
		return []position{{keys: more[0].keys[:1], page: more[0].page}}
	}
}

// itemPage is a page of a list, or the answer of another read.
type itemPage struct {
	message proto.Message // with its items; nil where they are not streamed
	items   int64
	keys    []string
	next    string
}

// uselessPage is the error of a page that the walk cannot follow: its cursor, or
// the name of an item, is not one that the upstream could have given.
func uselessPage() error {
	return &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonBadResponse}
}

// ask makes one read. Edge is where the buckets of the pages before ended.
func (w *walker) ask(ctx context.Context, number int, p position, trail *pages.Trail, edge *int64) (page itemPage, err error) {
	defer observe.Recover(ctx, w.Logger, &err)
	if err := ctx.Err(); err != nil {
		return itemPage{}, err
	}
	defer w.counts[number].done.Add(1)
	r := w.plan.reads[number]
	said, next, err := w.fetch(ctx, r, w.requestAt(r, number, p), trail)
	if e, ok := errors.AsType[*upstream.Error](err); ok && e.Kind == upstream.NotFound && r.mayBeAbsent {
		page.message, page.items = w.plan.message(r, p, nil, nil)
		return page, nil
	}
	if err != nil {
		return itemPage{}, err
	}
	page.next = next
	if r.bucketed != nil {
		if *edge, err = r.bucketed.check(w.cuts[number], pieceOf(p), *edge, said.Get(r.items).List()); err != nil {
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
// was cut off by the end of the stream has not failed.
func (w *walker) fail(ctx context.Context, r *read, p position, err error) {
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
	w.hand(ctx, event{
		failed: true, denied: seen.Code == connect.CodePermissionDenied, message: w.plan.responseOf(w.plan.failure, failure),
	})
}
