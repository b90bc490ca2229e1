package service_test

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestStreamsHavePlacesOfTheirOwn: by default a caller has four streams, whatever else it
// does, and they take no places of its other calls. The place of a stream that has ended
// is free again.
func TestStreamsHavePlacesOfTheirOwn(t *testing.T) {
	t.Parallel()
	up := newSilence()
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(strings.Replace(twoTokens, "$free", "{burst: 1000, requests_per_second: 1000}", 1)))
	door := gateway.PlainDoors()["gRPC"]
	var open []interface{ Close() error }
	for range 4 {
		stream := keys(t, "old", door)
		up.await(t)
		open = append(open, stream)
	}
	if err := untilItEnds(keys(t, "new", door)); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("the fifth stream: %v", err)
	}
	if _, err := adminv1connect.NewProjectServiceClient(gateway.Client("old")).ListProjects(t.Context(), &adminv1.ListProjectsRequest{}); err != nil {
		t.Errorf("a call beside the streams: %v", err)
	}
	before := len(gateway.Records.Calls())
	_ = open[0].Close()
	awaitRecord(t, gateway.Records, before)
	for len(up.asked) > 0 {
		<-up.asked
	}
	stream := keys(t, "old", door)
	open = append(open, stream)
	if message, err := stream.Receive(); err != nil {
		t.Errorf("a stream in the place of another: %v, %v", message, err)
	}
	for _, stream := range open[1:] {
		_ = stream.Close()
	}
}

// TestRangesAreBounded: a range is no longer than its declaration says, and of its future
// nothing is read.
func TestRangesAreBounded(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{}, gatewaytest.WithClock(func() time.Time { return tourNow }))
	days := int(inventoryOf(t, gw.Catalog, "ListUsage").Reads.GetBuckets().GetLongestDays())
	ask := func(start, end time.Time) (*inventoryv1.End, error) {
		request := &inventoryv1.ListUsageRequest{
			Kinds: []inventoryv1.UsageKind{inventoryv1.UsageKind_USAGE_KIND_COMPLETIONS}, StartTime: timestamppb.New(start), EndTime: timestamppb.New(end),
		}
		if end.IsZero() {
			request.EndTime = nil
		}
		said, _, err := gw.usage(t, "root", request, newTally())
		return said, err
	}
	day := tourNow.Truncate(24 * time.Hour)
	for name, test := range map[string]struct {
		start, end time.Time
		field      string
	}{
		"to the year 9999":       {day.AddDate(0, 0, -10), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), "end_time"},
		"a second too long":      {day.AddDate(0, 0, -days).Add(-time.Second), day, "end_time"},
		"too long, without end":  {day.AddDate(0, 0, -days), time.Time{}, "start_time"},
		"the future":             {day.AddDate(0, 0, 2), day.AddDate(0, 0, 3), "start_time"},
		"the future without end": {day.AddDate(0, 0, 2), time.Time{}, "start_time"},
	} {
		if end, err := ask(test.start, test.end); connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(everything(err), test.field) {
			t.Errorf("%s: %v, %v", name, end, err)
		}
	}
	if n := len(gw.Sandbox.Counts()); n > 0 {
		t.Errorf("the upstream was asked: %v", gw.Sandbox.Counts())
	}
	// A call has 31 days, which are counted from 1970 on.
	calls := func(first, last time.Time) int64 {
		const each = 31 * 86400
		return last.Unix()/each - first.Unix()/each + 1
	}
	for name, test := range map[string]struct {
		start, end time.Time
		calls      int64
	}{
		"as long as may be":     {day.AddDate(0, 0, -days), day, calls(day.AddDate(0, 0, -days), day.Add(-time.Second))},
		"as far as may be":      {day.AddDate(0, 0, -31), day.AddDate(0, 0, days-31), calls(day.AddDate(0, 0, -31), tourNow)},
		"one piece of a future": {day, day.AddDate(0, 0, 20), 1},
	} {
		if end, err := ask(test.start, test.end); err != nil || end.GetComplete() == nil || end.GetCalls() != test.calls {
			t.Errorf("%s: %v, %v, want %d calls", name, end, err, test.calls)
		}
	}
}
