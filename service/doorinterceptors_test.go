package service

import (
	"log/slog"
	"reflect"
	"regexp"
	"runtime"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"
)

// TestDoorInterceptors: what doors are tested with is the road, in its order, but
// for what is named here with the reason.
func TestDoorInterceptors(t *testing.T) {
	t.Parallel()
	leftOut := map[string]string{
		"withCallerErrors":   "it puts the gateway's words in place of the handler's",
		"withAuthentication": "it asks for a caller",
		"withLimits":         "it asks for a caller",
		"withPermission":     "it asks for a method of the catalog",
	}
	var want []string
	for _, name := range namesOf(t, newDoorRoad(slog.New(slog.DiscardHandler), DefaultLongestCall).interceptors(DefaultLongestCall)) {
		if _, ok := leftOut[name]; !ok {
			want = append(want, name)
		}
		delete(leftOut, name)
	}
	if diff := cmp.Diff(want, namesOf(t, DoorInterceptors(slog.New(slog.DiscardHandler), DefaultLongestCall))); diff != "" {
		t.Errorf("- the road, + the doors' part of it\n%s", diff)
	}
	for name := range leftOut {
		t.Errorf("%s is left out of the road, which does not have it", name)
	}
}

// namesOf are the names of the functions that made the interceptors.
func namesOf(t *testing.T, interceptors []connect.ServerInterceptor) []string {
	t.Helper()
	name := regexp.MustCompile(`with[A-Z]\w*`)
	names := make([]string, len(interceptors))
	for i, interceptor := range interceptors {
		full := runtime.FuncForPC(reflect.ValueOf(interceptor).Pointer()).Name()
		if names[i] = name.FindString(full); names[i] == "" {
			t.Fatalf("an interceptor of no name: %s", full)
		}
	}
	return names
}
