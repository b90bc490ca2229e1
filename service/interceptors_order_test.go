package service

import (
	"log/slog"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/internal/doortest"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/service/record"
)

// listed is a server as far as its lists need one.
func listed(t *testing.T) *server {
	t.Helper()
	metrics, err := observe.NewMetrics(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &server{options: Options{Logger: slog.New(slog.DiscardHandler)}, metrics: metrics, recorder: record.New(record.Options{})}
}

// TestOrderOfInterceptors holds the contract of the list: what stands before what,
// and why.
func TestOrderOfInterceptors(t *testing.T) {
	t.Parallel()
	names := namesOf(t, listed(t).interceptors())
	want := []string{
		"Require",            // A door without headers degrades nothing silently.
		"WithHealth",         // Open to all; neither logged nor recorded.
		"WithCall",           // Everything that follows writes the account.
		"WithSpan",           // Lines and records have the id of the trace.
		"WithMetrics",        //
		"WithCalls",          // The account of a caller has the end that it sees.
		"WithLog",            // The line has the code that the caller sees.
		"WithRecord",         // The record too, and the answer waits for it.
		"WithCallerErrors",   // Every error of the handler is mapped once.
		"WithRecovery",       // A panic is an error like others.
		"WithDeadline",       // Authentication may wait for an issuer's keys.
		"WithStop",           //
		"WithFreshness",      //
		"WithAuthentication", // Limits and permissions are those of a caller.
		"WithLimits",         //
		"WithPermission",     // Last: nothing is decoded before.
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
}

// TestOrderOfSteps: a repeated call records no intent, a stored answer
// spends no budget, and a write that is never sent makes nothing stale.
func TestOrderOfSteps(t *testing.T) {
	t.Parallel()
	want := []string{"idempotency", "intent", "read cache", "pacing", "invalidation"}
	var got []string
	for _, step := range listed(t).steps(new(readcache.Metrics), new(idempotency.Metrics)) {
		got = append(got, step.name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
}

// TestDoorsAreTestedWithTheSameList: what doors are tested with is the list, in its
// order, but for the entries that are named here with the reason.
func TestDoorsAreTestedWithTheSameList(t *testing.T) {
	t.Parallel()
	leftOut := map[string]string{
		"WithCallerErrors": "it puts the gateway's words in place of the handler's",
		"WithCalls":        "it counts by caller",
		"WithLimits":       "it asks for a caller",
		"WithPermission":   "it asks for a method of the catalog",
	}
	want := slices.DeleteFunc(namesOf(t, listed(t).interceptors()), func(name string) bool {
		_, out := leftOut[name]
		delete(leftOut, name)
		return out
	})
	if diff := cmp.Diff(want, namesOf(t, doortest.Interceptors(slog.New(slog.DiscardHandler), DefaultLongestCall))); diff != "" {
		t.Errorf("- the gateway's, + the doors' part of it\n%s", diff)
	}
	for name := range leftOut {
		t.Errorf("%s is left out of a list that does not have it", name)
	}
}

var interceptorName = regexp.MustCompile(`\b(With[A-Z]\w*|Require)\b`)

// namesOf are the names of the functions that made the interceptors.
func namesOf(t *testing.T, interceptors []connect.ServerInterceptor) []string {
	t.Helper()
	names := make([]string, len(interceptors))
	for i, interceptor := range interceptors {
		full := runtime.FuncForPC(reflect.ValueOf(interceptor).Pointer()).Name()
		if names[i] = interceptorName.FindString(full); names[i] == "" {
			t.Fatalf("an interceptor without a name: %s", full)
		}
	}
	return names
}
