package service_test

import (
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// tally is what buckets add up to.
type tally struct {
	buckets map[string]map[int64]int    // by kind and start: how often
	counts  map[string]map[string]int64 // by kind and metric
	spent   *big.Rat
	groups  map[string]bool // project ids of results
}

func newTally() *tally {
	return &tally{make(map[string]map[int64]int), make(map[string]map[string]int64), new(big.Rat), make(map[string]bool)}
}

func (y *tally) add(t *testing.T, buckets *inventoryv1.ListUsageResponse_Buckets) {
	t.Helper()
	filled := 0
	buckets.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if !field.IsList() {
			return true
		}
		filled++
		kind := string(field.Name())
		if want := "USAGE_KIND_" + strings.ToUpper(kind); buckets.GetKind().String() != want {
			t.Errorf("%s among those of %s", kind, buckets.GetKind())
		}
		if y.buckets[kind] == nil {
			y.buckets[kind], y.counts[kind] = make(map[int64]int), make(map[string]int64)
		}
		for i := range value.List().Len() {
			y.addBucket(t, kind, value.List().Get(i).Message())
		}
		return true
	})
	if filled > 1 {
		t.Errorf("a page of %d kinds", filled)
	}
}

func (y *tally) addBucket(t *testing.T, kind string, bucket protoreflect.Message) {
	t.Helper()
	fields := bucket.Descriptor().Fields()
	start, _ := bucket.Get(fields.ByName("start_time")).Message().Interface().(*timestamppb.Timestamp)
	y.buckets[kind][start.GetSeconds()]++
	results := bucket.Get(fields.ByName("results")).List()
	for i := range results.Len() {
		results.Get(i).Message().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			switch {
			case field.Kind() == protoreflect.Int64Kind:
				y.counts[kind][string(field.Name())] += value.Int()
			case field.Name() == "project_id":
				y.groups[value.String()] = true
			case field.Name() == "amount":
				amount, _ := value.Message().Interface().(*adminv1.CostsAmount)
				rat, ok := new(big.Rat).SetString(amount.GetValue())
				if !ok {
					t.Errorf("an amount of %q", amount.GetValue())
					return true
				}
				y.spent.Add(y.spent, rat)
			}
			return true
		})
	}
}

// usage streams usage and adds it up.
func (gw *tourGateway) usage(t *testing.T, caller string, request *inventoryv1.ListUsageRequest, y *tally) (*inventoryv1.End, []*inventoryv1.Failure, error) {
	t.Helper()
	stream, err := gw.open(t.Context(), doors[0], caller, inventoryOf(t, gw.Catalog, "ListUsage"), request.ProtoReflect())
	if err != nil {
		return nil, nil, err
	}
	var failures []*inventoryv1.Failure
	for {
		response := &inventoryv1.ListUsageResponse{}
		if err := stream.Receive(response); err != nil {
			return nil, failures, err
		}
		switch event := response.GetEvent().(type) {
		case *inventoryv1.ListUsageResponse_Buckets_:
			y.add(t, event.Buckets)
		case *inventoryv1.ListUsageResponse_Failure:
			failures = append(failures, event.Failure)
		case *inventoryv1.ListUsageResponse_End:
			return event.End, failures, nil
		}
	}
}

// TestUsageOfAYear: totals of a year in buckets of an hour, of all kinds at once,
// are the sandbox's own, whatever fails on the way; and no bucket comes twice.
func TestUsageOfAYear(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 6, Projects: 2, AuditEvents: 10})
	start, end := tourNow.AddDate(-1, 0, 0).Add(17*time.Minute), tourNow.Add(-11*time.Minute) // In the middle of buckets.
	request, ok := anyRequest(inventoryOf(t, gw.Catalog, "ListUsage")).Interface().(*inventoryv1.ListUsageRequest)
	if !ok {
		t.Fatal("another request")
	}
	request.StartTime, request.EndTime = timestamppb.New(start), timestamppb.New(end)
	request.BucketWidth = adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_HOUR.Enum()
	for i := range 6 {
		gw.Sandbox.Inject(sandbox.Fault{Op: "*", Kind: sandbox.Refuse, Status: 400, After: 80 * i, Times: 1})
	}
	y := newTally()
	first, failures, err := gw.usage(t, "root", request, y)
	if err != nil || len(failures) != 6 || first.GetIncomplete() == nil {
		t.Fatalf("%v, %v, %v", first, failures, err)
	}
	for _, failure := range failures {
		if failure.GetUsageKind() == 0 || failure.GetStartTime() == nil || failure.GetEndTime() == nil || failure.GetMethod() == "" {
			t.Errorf("%v", failure)
		}
	}
	gw.Sandbox.ClearFaults()
	request.ResumeToken = first.GetIncomplete().GetResumeToken()
	rest, _, err := gw.usage(t, "root", request, y)
	if err != nil || rest.GetComplete() == nil || rest.GetCalls() != 6 {
		t.Fatalf("%v, %v", rest, err)
	}
	kinds := 0
	for kind, buckets := range y.buckets {
		wide := int64(3600)
		if kind == "costs" {
			wide = 86400
		} else {
			kinds++
			want, err := gw.Sandbox.UsageTotals(kind, sandbox.UsageQuery{Start: start, End: end})
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(want, y.counts[kind]) {
				t.Errorf("%s: %v, want %v", kind, y.counts[kind], want)
			}
		}
		for at := start.Unix(); at < end.Unix(); at = (at/wide + 1) * wide {
			if buckets[at] != 1 {
				t.Errorf("%s: the bucket of %s came %d times", kind, time.Unix(at, 0).UTC(), buckets[at])
			}
			delete(buckets, at)
		}
		if len(buckets) > 0 {
			t.Errorf("%s: %d buckets too many", kind, len(buckets))
		}
	}
	if want := gw.Sandbox.CostTotal(sandbox.UsageQuery{Start: start, End: end}); kinds != 11 || y.spent.Cmp(want) != 0 || want.Sign() == 0 {
		t.Errorf("%d kinds; spent %s, want %s", kinds, y.spent, want)
	}
}

// TestPiecesOfARange: pieces of a range are its cache's keys. What is over is not
// asked for again, also not for another range that it is a piece of.
func TestPiecesOfARange(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 12, Projects: 4}, gatewaytest.WithMemoryCache())
	const op = "GET /organization/usage/completions"
	ask := func(days int) int {
		before := gw.Sandbox.Count(op)
		end, _, err := gw.usage(t, "root", &inventoryv1.ListUsageRequest{
			Kinds:     []inventoryv1.UsageKind{inventoryv1.UsageKind_USAGE_KIND_COMPLETIONS},
			StartTime: timestamppb.New(tourNow.AddDate(0, 0, -days)),
			EndTime:   timestamppb.New(tourNow),
		}, newTally())
		if err != nil || end.GetComplete() == nil {
			t.Fatalf("%v, %v", end, err)
		}
		return gw.Sandbox.Count(op) - before
	}
	if n := ask(20); n != 1 {
		t.Errorf("20 days took %d calls", n)
	}
	if n := ask(400); n < 13 || n > 15 {
		t.Errorf("400 days took %d calls", n)
	}
	if n := ask(400); n != 0 {
		t.Errorf("the same again took %d calls", n)
	}
	if n := ask(300); n > 1 {
		t.Errorf("300 of these days took %d calls", n)
	}
}

func TestUsageThatCannotBeCounted(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	at := func(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }
	all := []inventoryv1.UsageKind{inventoryv1.UsageKind_USAGE_KIND_COMPLETIONS, inventoryv1.UsageKind_USAGE_KIND_VECTOR_STORES}
	for name, request := range map[string]*inventoryv1.ListUsageRequest{
		"no kind":              {StartTime: at(rangeStart)},
		"a kind twice":         {StartTime: at(rangeStart), Kinds: append(all, all...)},
		"no start":             {Kinds: all},
		"the end first":        {Kinds: all, StartTime: at(rangeEnd), EndTime: at(rangeStart)},
		"part of a second":     {Kinds: all, StartTime: at(rangeStart.Add(1)), EndTime: at(rangeEnd)},
		"before 1970":          {Kinds: all, StartTime: at(time.Unix(-5, 0)), EndTime: at(rangeEnd)},
		"the future":           {Kinds: all, StartTime: at(time.Now().AddDate(1, 0, 0))},
		"a filter of one kind": {Kinds: all, StartTime: at(rangeStart), Models: []string{"m"}},
		"a split of one kind":  {Kinds: all, StartTime: at(rangeStart), GroupBy: []inventoryv1.UsageGroupBy{inventoryv1.UsageGroupBy_USAGE_GROUP_BY_MODEL}},
		"a thousand years":     {Kinds: all, StartTime: at(time.Unix(0, 0)), EndTime: at(time.Unix(30_000_000_000, 0)), BucketWidth: adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_MINUTE.Enum()},
	} {
		if _, _, err := gw.usage(t, "root", request, newTally()); connect.CodeOf(err) != connect.CodeInvalidArgument || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(gw.Sandbox.Counts()); n > 0 {
		t.Errorf("the upstream was asked: %v", gw.Sandbox.Counts())
	}
}

// TestUsageIsSplitAndFiltered as the request says.
func TestUsageIsSplitAndFiltered(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	projects := gw.projects(t)[:3]
	y := newTally()
	end, _, err := gw.usage(t, "root", &inventoryv1.ListUsageRequest{
		Kinds:     []inventoryv1.UsageKind{inventoryv1.UsageKind_USAGE_KIND_COMPLETIONS, inventoryv1.UsageKind_USAGE_KIND_COSTS},
		StartTime: timestamppb.New(rangeStart), EndTime: timestamppb.New(rangeEnd), ProjectIds: projects,
		GroupBy: []inventoryv1.UsageGroupBy{inventoryv1.UsageGroupBy_USAGE_GROUP_BY_PROJECT_ID},
	}, y)
	if err != nil || end.GetComplete() == nil {
		t.Fatalf("%v, %v", end, err)
	}
	query := sandbox.UsageQuery{Start: rangeStart, End: rangeEnd, ProjectIDs: projects}
	want, err := gw.Sandbox.UsageTotals("completions", query)
	if err != nil || !maps.Equal(want, y.counts["completions"]) || y.spent.Cmp(gw.Sandbox.CostTotal(query)) != 0 {
		t.Errorf("%v, want %v; spent %s, want %s; %v", y.counts["completions"], want, y.spent, gw.Sandbox.CostTotal(query), err)
	}
	if got := slices.Sorted(maps.Keys(y.groups)); len(got) == 0 || slices.ContainsFunc(got, func(id string) bool { return !slices.Contains(projects, id) }) {
		t.Errorf("usage of %v, want %v", got, projects)
	}
}

// TestEveryUsageIsAKind: a list of usage or costs that the mirror gets later is one of
// the kinds of ListUsage too.
func TestEveryUsageIsAKind(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	kinds := make(map[string]bool)
	for _, list := range inventoryOf(t, methods, "ListUsage").Reads.GetBuckets().GetLists() {
		kinds[list.GetRpc()] = true
	}
	lists := 0
	for _, m := range methods.Mirrored() {
		if service, _, _ := strings.Cut(m.ShortName(), "/"); service != "UsageService" && service != "CostService" {
			continue
		}
		if lists++; !kinds[m.Name()] {
			t.Errorf("%s is no kind of ListUsage", m.Name())
		}
	}
	if lists != len(kinds) || lists < 12 {
		t.Errorf("%d lists, %d kinds", lists, len(kinds))
	}
}
