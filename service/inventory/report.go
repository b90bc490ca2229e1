package inventory

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// report counts the items that were sent, for the progress and the end of a stream.
// It belongs to the goroutine of the call.
type report struct {
	items, failures, denied int64
	// repeats says that a resume token begins earlier than the stream ended.
	repeats bool
}

func (r *report) add(e event) {
	r.items += e.items
	if e.failed {
		r.failures++
	}
	if e.denied {
		r.denied++
	}
}

// progress is the progress of the stream.
func (s *scheduler) progress(ctx context.Context) proto.Message {
	progress := &inventoryv1.Progress{Items: s.report.items, Failures: s.report.failures, AllListed: !s.listing}
	left := make(map[string]int64) // by budget
	add := func(r *read, count *readCount) {
		done := count.done.Load()
		total := max(count.known.Load(), done)
		progress.CallsDone += done
		progress.CallsKnown += total
		left[r.method.Budget] += total - done
	}
	for i, r := range s.plan.reads {
		add(r, &s.walker.counts[i])
	}
	if s.gatherBase != nil {
		add(s.plan.gather.read, &s.walker.gathered)
	}
	if s.Budget != nil {
		progress.TimeLeft = durationpb.New(s.timeLeft(ctx, left))
	}
	return s.plan.responseOf(s.plan.progress, progress)
}

// timeLeft is how long the calls that are left will take at the rates of now.
// Budgets are spent in parallel; the organization's is spent by all calls.
func (s *scheduler) timeLeft(ctx context.Context, left map[string]int64) (longest time.Duration) {
	rates := make(map[string]float64)
	for _, state := range s.Budget.Snapshot(ctx) {
		rates[state.Bucket] = state.Rate
	}
	organization := int64(0)
	for bucket, calls := range left {
		if calls > 0 {
			organization += calls
			wait := s.Budget.Estimate(bucket, pace.Flow{Key: s.caller, Class: pace.FanOut})
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

// responseOf is the message of the stream with one member.
func (p *plan) responseOf(member protoreflect.FieldDescriptor, m proto.Message) proto.Message {
	response := p.response.New()
	response.Set(member, protoreflect.ValueOfMessage(m.ProtoReflect()))
	return response.Interface()
}

// end is the last message, after so many calls.
func (s *scheduler) end(ctx context.Context, calls int64, late bool) proto.Message {
	end := &inventoryv1.End{Calls: calls, Items: s.report.items, Failures: s.report.failures}
	positions, unjudged := s.remaining(), s.walker.unjudged.Load()
	if len(positions) == 0 && !unjudged {
		end.Outcome = &inventoryv1.End_Complete{Complete: &inventoryv1.Complete{}}
		return s.plan.responseOf(s.plan.end, end)
	}
	incomplete := &inventoryv1.Incomplete{}
	for _, reason := range []struct {
		holds  bool
		reason inventoryv1.Incomplete_Reason
	}{
		{s.report.failures > s.report.denied, inventoryv1.Incomplete_REASON_FAILED},
		{s.report.denied > 0, inventoryv1.Incomplete_REASON_DENIED},
		{late && !s.draining, inventoryv1.Incomplete_REASON_OUT_OF_TIME},
		{s.draining, inventoryv1.Incomplete_REASON_DRAINING},
		{s.walker.tooMany.Load(), inventoryv1.Incomplete_REASON_TOO_MANY},
		{unjudged, inventoryv1.Incomplete_REASON_NOT_ALL_JUDGED},
	} {
		if reason.holds {
			incomplete.Reasons = append(incomplete.Reasons, reason.reason)
		}
	}
	if len(positions) > 0 {
		scope := s.scope
		if keys, err := s.options.TokenKeys(ctx); err == nil { // A stream can outlast its first ones.
			scope.keys = keys
		}
		incomplete.ResumeToken = scope.token(rest{s.now.Unix(), positions})
	}
	incomplete.Repeats = s.report.repeats
	end.Outcome = &inventoryv1.End_Incomplete{Incomplete: incomplete}
	return s.plan.responseOf(s.plan.end, end)
}

// remaining are the positions that were not read, in the order of the outermost list.
// Pages of which no item was begun are one position: that of the list behind them.
func (s *scheduler) remaining() []position {
	if s.held {
		return s.began
	}
	left := s.left
	left.named = slices.Clone(left.named)
	for _, p := range s.queue {
		if len(p.keys) > 0 && p.page > s.deepest {
			left.from = min(left.from, p.page)
		}
	}
	if s.pieces != nil && s.pieces.next < s.pieces.count() {
		left.from = min(left.from, s.pieces.next)
	}
	for _, p := range s.queue {
		left.add(p)
	}
	s.report.repeats = s.report.repeats || left.repeats || s.walker.repeats.Load()
	return left.positions(s.page)
}

// page is the position of a page of the outermost list.
func (s *scheduler) page(n int) position {
	switch {
	case n < 0:
		return position{}
	case s.pieces != nil:
		before, _ := s.pieces.key(n - 1) // None before the first: the list begins there.
		return position{cursor: before}
	default:
		return position{cursor: s.cursors[n]}
	}
}
