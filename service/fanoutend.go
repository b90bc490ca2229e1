package service

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// fail tells of a read that failed, as its caller would have heard of it. One
// that did not come to an end because the stream did has not failed.
func (f *fanRun) fail(ctx context.Context, c *fanCall, p position, err error) {
	if ctx.Err() != nil {
		return
	}
	failure := &inventoryv1.Failure{Method: c.method.Procedure[1:]}
	said := failure.ProtoReflect()
	for level, key := range p.keys {
		if name := f.plan.calls[level].as; c.bucketed == nil && name != "" {
			said.Set(said.Descriptor().Fields().ByName(name), protoreflect.ValueOfString(key))
		}
	}
	if c.bucketed != nil {
		start, end := f.cuts[f.plan.at(p)].piece(bucketKeyPiece(p.keys[0]))
		failure.UsageKind = inventoryv1.UsageKind(c.bucketed.kind.Number())
		failure.StartTime, failure.EndTime = &timestamppb.Timestamp{Seconds: start}, &timestamppb.Timestamp{Seconds: end}
	}
	e := fanEvent{failed: true}
	seen := rpcerror.ToCaller(err)
	failure.Code, failure.Reason, failure.Message = int32(seen.Code), seen.Reason, seen.Message
	if seen.RetryAfter > 0 {
		failure.RetryDelay = durationpb.New(seen.RetryAfter)
	}
	e.denied = seen.Code == connect.CodePermissionDenied
	response := f.plan.response.New()
	response.Set(f.plan.failure, protoreflect.ValueOfMessage(said))
	e.message = response.Interface()
	f.tell(ctx, e)
}

// leave keeps what a walk did not get to.
func (f *fanRun) leave(left []position) {
	if len(left) > maxBranchRest {
		left, f.repeats = []position{{keys: left[0].keys[:min(1, len(left[0].keys))], page: left[0].page}}, true
	}
	f.left = append(f.left, left...)
}

// progressNow is how far the stream is.
func (f *fanRun) progressNow(ctx context.Context) proto.Message {
	progress := &inventoryv1.Progress{Items: f.items, Failures: f.failures, AllListed: !f.listing}
	left := make(map[string]int64) // by budget
	for i, c := range f.plan.calls {
		done := f.counts[i].done.Load()
		total := max(f.counts[i].known.Load(), done)
		progress.CallsDone += done
		progress.CallsKnown += total
		left[c.method.Budget] += total - done
	}
	if f.road.budget != nil {
		progress.TimeLeft = durationpb.New(f.timeLeft(ctx, left))
	}
	return f.responseOf(f.plan.progress, progress)
}

// timeLeft is how long the calls that are left will take at the rates of now.
// Budgets are spent beside each other; the organization's is spent by all calls.
func (f *fanRun) timeLeft(ctx context.Context, left map[string]int64) (longest time.Duration) {
	rates := make(map[string]float64)
	for _, state := range f.road.budget.Snapshot(ctx) {
		rates[state.Bucket] = state.Rate
	}
	organization := int64(0)
	for bucket, calls := range left {
		if calls > 0 {
			organization += calls
			wait := f.road.budget.Estimate(bucket, pace.Flow{Key: f.over.identity.Caller, Class: pace.FanOut})
			longest = max(longest, wait, minutesOf(calls, rates[bucket]))
		}
	}
	return max(longest, minutesOf(organization, rates[""]))
}

// minutesOf is how long calls take at a rate in a minute; 0 at an unknown one.
func minutesOf(calls int64, rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(min(float64(calls)/rate*float64(time.Minute), float64(DefaultLongestStream)*100))
}

func (f *fanRun) responseOf(member protoreflect.FieldDescriptor, m proto.Message) proto.Message {
	response := f.plan.response.New()
	response.Set(member, protoreflect.ValueOfMessage(m.ProtoReflect()))
	return response.Interface()
}

// endNow is the last message.
func (f *fanRun) endNow(late bool) proto.Message {
	end := &inventoryv1.End{Calls: f.over.below.calls.Load(), Items: f.items, Failures: f.failures}
	positions := f.remaining()
	if len(positions) == 0 {
		end.Outcome = &inventoryv1.End_Complete{Complete: &inventoryv1.Complete{}}
		return f.responseOf(f.plan.end, end)
	}
	incomplete := &inventoryv1.Incomplete{}
	for _, reason := range []struct {
		holds  bool
		reason inventoryv1.Incomplete_Reason
	}{
		{f.failures > f.denied, inventoryv1.Incomplete_REASON_FAILED},
		{f.denied > 0, inventoryv1.Incomplete_REASON_DENIED},
		{late && !f.draining, inventoryv1.Incomplete_REASON_OUT_OF_TIME},
		{f.draining, inventoryv1.Incomplete_REASON_DRAINING},
		{f.tooMany.Load(), inventoryv1.Incomplete_REASON_TOO_MANY},
	} {
		if reason.holds {
			incomplete.Reasons = append(incomplete.Reasons, reason.reason)
		}
	}
	incomplete.ResumeToken = f.token(positions)
	incomplete.Repeats = f.repeats
	end.Outcome = &inventoryv1.End_Incomplete{Incomplete: incomplete}
	return f.responseOf(f.plan.end, end)
}

// remaining is what was not read, in the order of the outermost list. Pages of
// it that nothing was begun of are one position: that of the list behind them.
func (f *fanRun) remaining() []position {
	left := f.left
	untouched := len(f.cursors)
	for _, p := range f.queue {
		if p.page > f.deepest && len(p.keys) > 0 {
			untouched = min(untouched, p.page)
		} else {
			left = append(left, p)
		}
	}
	if untouched < len(f.cursors) {
		left = slices.DeleteFunc(left, func(p position) bool { return len(p.keys) == 0 })
		left = append(left, position{cursor: f.cursors[untouched]})
	}
	slices.SortStableFunc(left, func(a, b position) int { return f.order(a) - f.order(b) })
	return left
}

// order is the page of a position, or of the list's own position the last.
func (f *fanRun) order(p position) int {
	if len(p.keys) == 0 {
		return len(f.cursors)
	}
	return p.page
}

// token is a resume token for what remains. Where that is too much to be named,
// it begins earlier: with all of an item in place of what it lacks, then with the
// page of the list that the first item was on that does not fit, then anew.
func (f *fanRun) token(positions []position) string {
	todo := rest{f.now.Unix(), positions}
	if token, ok := f.scope.token(todo); ok {
		return token
	}
	f.repeats = true
	todo.positions = nil
	for _, p := range positions {
		if n := len(todo.positions); n > 0 && len(p.keys) > 0 && slices.Equal(todo.positions[n-1].keys, p.keys[:1]) {
			continue
		}
		if len(p.keys) > 0 {
			p = position{keys: p.keys[:1], page: p.page}
		}
		todo.positions = append(todo.positions, p)
	}
	if token, ok := f.scope.token(todo); ok {
		return token
	}
	// A page at a time, from the end.
	for page := len(f.cursors) - 1; page >= 0; page-- {
		todo.positions = slices.DeleteFunc(todo.positions, func(p position) bool { return len(p.keys) == 0 || p.page >= page })
		todo.positions = append(todo.positions, position{cursor: f.cursors[page]})
		if token, ok := f.scope.token(todo); ok {
			return token
		}
	}
	todo.positions = []position{{}}
	token, _ := f.scope.token(todo)
	return token
}
