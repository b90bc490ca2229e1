package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// newFanRun finds out what there is to read, as far as that can be known ahead,
// and refuses what the caller may not make any of.
func (r *road) newFanRun(ctx context.Context, p permit) (*fanRun, error) {
	plan := p.call.own.fanOut
	f := &fanRun{
		road: r, plan: plan, over: p.call, request: p.request, now: r.fan.Now(),
		events: make(chan fanEvent), counts: make([]fanCount, len(plan.calls)), deepest: -1, seen: make(map[string]struct{}),
	}
	f.wished, _ = wishOf(ctx)
	var err error
	if f.scope, err = scopeOfToken(p.call, plan, p.request); err != nil {
		return nil, err
	}
	todo := rest{now: f.now.Unix()}
	if token := p.request.Get(plan.token).String(); token != "" {
		if todo, err = f.scope.parse(token, len(plan.calls)); err != nil {
			return nil, rpcerror.InvalidField(string(tokenField), "is not the token of this request and this caller", err)
		}
		f.now = time.Unix(todo.now, 0)
	}
	if plan.view != nil {
		f.through = plan.view.through(p.request.Interface(), f.now)
	}
	if err := f.basicRequests(); err != nil {
		return nil, err
	}
	if plan.buckets != nil {
		return f, f.startBuckets(todo)
	}
	return f, f.startLists(todo)
}

// basicRequests make of the call's own request what every request of a read has.
func (f *fanRun) basicRequests() error {
	for _, c := range f.plan.calls {
		base := proto.Clone(c.base)
		f.bases = append(f.bases, base)
		if c.bucketed != nil && !f.counted(c.bucketed) {
			continue
		}
		for _, take := range c.takes {
			if err := take.take(f.request, base.ProtoReflect(), c.method.Name()); err != nil {
				return err
			}
		}
		if c.bucketed != nil {
			if err := f.filtersKnown(c); err != nil {
				return err
			}
		}
		if c.scope != nil && base.ProtoReflect().Get(c.scope).List().Len() == 0 {
			ids, limited := f.over.rules.Policy.Projects(f.over.identity.Caller, c.method.access)
			for _, id := range ids {
				if limited {
					base.ProtoReflect().Mutable(c.scope).List().Append(protoreflect.ValueOfString(id))
				}
			}
		}
	}
	return nil
}

// filtersKnown refuses a filter that a list of buckets does not have: without it
// the list would count what was not asked for.
func (f *fanRun) filtersKnown(c *fanCall) (err error) {
	f.request.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		known := field == f.plan.token || f.plan.buckets.has(field.Name()) ||
			slices.ContainsFunc(c.takes, func(t taking) bool { return t.from == field })
		if !known {
			err = rpcerror.InvalidField(string(field.Name()), "is nothing that "+c.method.Name()+" knows", nil)
		}
		return known
	})
	return err
}

// startLists begins reads that are one below the other: with what a token left,
// with the items that are given, with those that the caller is limited to, or
// with the list.
func (f *fanRun) startLists(todo rest) error {
	calls := f.plan.calls
	for _, c := range calls[min(1, len(calls)-1):] {
		if err := f.mayCall(c); err != nil {
			return err
		}
	}
	keys, given := f.givenKeys()
	if !given {
		if err := f.decide(calls[0], calls[0].request(f.bases[0], position{})); err != nil {
			return err
		}
	}
	if todo.positions == nil {
		todo.positions = []position{{}}
	}
	return f.enqueue(todo.positions, keys, given)
}

// givenKeys are the outermost items, where they are known without the list:
// sorted, each once.
func (f *fanRun) givenKeys() (keys []string, given bool) {
	if f.plan.given == nil {
		return nil, false
	}
	list := f.request.Get(f.plan.given).List()
	for i := range list.Len() {
		keys = append(keys, list.Get(i).String())
	}
	if len(keys) > 0 {
		slices.Sort(keys)
		return slices.Compact(keys), true
	}
	for _, c := range f.plan.calls[1:] {
		ids, limited := f.over.rules.Policy.Projects(f.over.identity.Caller, c.method.access)
		switch {
		case !limited:
		case !given:
			keys, given = ids, true
		default:
			keys = slices.DeleteFunc(keys, func(id string) bool { return !slices.Contains(ids, id) })
		}
	}
	return keys, given
}

// mayCall refuses a stream whose caller may not make one of its reads at all.
func (f *fanRun) mayCall(c *fanCall) error {
	return f.refused(f.over.rules.Policy.MayCall(f.over.identity.Caller, c.method.access))
}

// decide refuses a stream whose first read the caller may not make.
func (f *fanRun) decide(c *fanCall, request protoreflect.Message) error {
	return f.refused(f.over.rules.Policy.Decide(f.over.identity.Caller, c.method.access, request))
}

func (f *fanRun) refused(d authz.Decision) error {
	if d.Allowed {
		return nil
	}
	f.over.decision = d
	return f.road.refuse(f.over)
}

// enqueue queues positions. Where the outermost items are known, the position of
// their list is that of the items behind its cursor.
func (f *fanRun) enqueue(positions []position, keys []string, known bool) error {
	for _, p := range positions {
		switch {
		case len(p.keys) == 0 && known:
			after, found := slices.BinarySearch(keys, p.cursor)
			if found {
				after++
			}
			at := p.cursor
			for page := range slices.Chunk(keys[after:], widestPage) {
				f.enlist(page, at)
				at = page[len(page)-1]
			}
		case f.plan.buckets != nil && !slices.Contains(keys, p.keys[0]):
			return rpcerror.InvalidField(string(tokenField), "is not the token of this request and this caller", errToken)
		default:
			if len(p.keys) > 0 {
				f.seen[p.keys[0]] = struct{}{}
			}
			f.listing = f.listing || len(p.keys) == 0 && f.plan.listed()
			f.queue = append(f.queue, p)
			f.counts[f.plan.at(p)].known.Add(1)
		}
	}
	return nil
}

// startBuckets begins lists of buckets: every piece of the range is an item.
func (f *fanRun) startBuckets(todo rest) error {
	start := seconds(f.request, f.plan.buckets.start)
	f.cuts = make([]cuts, len(f.plan.calls))
	var keys []string
	for i, c := range f.plan.calls {
		if !f.counted(c.bucketed) {
			continue
		}
		cut, err := f.cut(c, start)
		if err != nil {
			return err
		}
		f.cuts[i] = cut
		if int64(len(keys))+cut.count() > int64(f.road.fan.MaxOutermost) {
			return rpcerror.InvalidField("start_time", fmt.Sprintf("the range takes more than %d calls", f.road.fan.MaxOutermost), nil)
		}
		for piece := range cut.count() {
			keys = append(keys, bucketKey(i, piece))
		}
		first := f.requestAt(c, i, position{keys: []string{bucketKey(i, 0)}})
		if err := f.decide(c, first); err != nil {
			return err
		}
	}
	if todo.positions == nil {
		todo.positions = []position{{}}
	}
	return f.enqueue(todo.positions, keys, true)
}

// counted tells whether the request asks for a kind.
func (f *fanRun) counted(b *bucketCall) bool {
	kinds := f.request.Get(f.plan.buckets.kinds).List()
	for i := range kinds.Len() {
		if kinds.Get(i).Enum() == b.kind.Number() {
			return true
		}
	}
	return false
}

// cut cuts the request's range for a list. A range without an end ends with the
// bucket that was under way when the stream began.
func (f *fanRun) cut(c *fanCall, start int64) (cuts, error) {
	fields := f.plan.buckets
	for _, field := range []protoreflect.FieldDescriptor{fields.start, fields.end} {
		at, _ := f.request.Get(field).Message().Interface().(*timestamppb.Timestamp)
		if at.GetNanos() != 0 || at.GetSeconds() < 0 {
			return cuts{}, rpcerror.InvalidField(string(field.Name()), "is no whole second since 1970", nil)
		}
	}
	width := aDay
	if f.request.Has(fields.width) {
		width = adminv1.UsageBucketWidth(f.request.Get(fields.width).Enum())
	}
	if f.request.Has(fields.end) {
		return c.bucketed.cut(start, seconds(f.request, fields.end), width)
	}
	cut, err := c.bucketed.cut(start, f.now.Unix()+1, width)
	if err != nil {
		return cuts{}, err
	}
	if f.now.Unix() < start {
		return cuts{}, rpcerror.InvalidField(string(fields.start.Name()), "lies in the future, and there is no end_time", nil)
	}
	return c.bucketed.cut(start, cut.ceil(f.now.Unix()+1), width)
}
