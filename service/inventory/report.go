package inventory

import (
	"context"
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
	pages                   int64 // messages with items, those that are empty too
}

func (r *report) add(e event) {
	r.items += e.items
	if (e.message != nil || e.wire != nil) && !e.failed {
		r.pages++
	}
	if e.failed {
		r.failures++
	}
	if e.denied {
		r.denied++
	}
}

// progress is the progress of the stream. Token returns the one that it has, if any.
func (s *scheduler) progress(ctx context.Context, token func(context.Context) (string, bool)) proto.Message {
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
	if token != nil {
		progress.ResumeToken, progress.Repeats = token(ctx)
	}
	return s.plan.responseOf(s.plan.progress, progress)
}

// timeLeft is how long the calls that are left will take at the rates of now.
// Budgets are spent in parallel; the organization's is spent by all calls. The rates are
// asked for once a tick: replicas share them in Redis.
func (s *scheduler) timeLeft(ctx context.Context, left map[string]int64) (longest time.Duration) {
	if s.rates == nil {
		s.rates = make(map[string]float64)
		for _, state := range s.Budget.Snapshot(ctx) {
			s.rates[state.Bucket] = state.Rate
		}
	}
	organization := int64(0)
	for bucket, calls := range left {
		if calls > 0 {
			organization += calls
			wait := s.Budget.Estimate(bucket, pace.Flow{Key: s.caller, Class: pace.FanOut})
			longest = max(longest, wait, minutesOf(calls, s.rates[bucket]))
		}
	}
	return max(longest, minutesOf(organization, s.rates[""]))
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
	positions, repeats := s.remaining()
	unjudged := s.walker.unjudged.Load()
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
		incomplete.ResumeToken = s.token(ctx, positions)
	}
	incomplete.Repeats = repeats
	end.Outcome = &inventoryv1.End_Incomplete{Incomplete: incomplete}
	return s.plan.responseOf(s.plan.end, end)
}
