package fill_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/fill"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// TestComplete: every beginning that is offered is one that [fill.Request] takes.
func TestComplete(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		message proto.Message
		prefix  string
		want    []string // among what is offered
		value   string   // of the first of them, for a request
	}{
		{new(leasev1.CreateLeaseRequest), "", []string{"role=", "ttl=", "labels="}, "search"},
		{new(leasev1.CreateLeaseRequest), "tt", []string{"ttl="}, "60s"},
		{new(leasev1.ListLeasesRequest), "states=", []string{"states=LEASE_STATE_ACTIVE"}, ""},
		{new(controlv1.PurgeRequest), "all=", []string{"all=true", "all=false"}, ""},
		{new(controlv1.PurgeRequest), "no.thing", nil, ""},
		{new(controlv1.PurgeRequest), "no.thing=", nil, ""},
		{new(controlv1.PurgeRequest), "all.x=", nil, ""},
		{new(controlv1.GetEntryRequest), "request.", nil, ""},
	} {
		var got []string
		for _, begun := range fill.Complete(test.message.ProtoReflect().Descriptor(), test.prefix) {
			got = append(got, begun.Text)
		}
		for _, want := range test.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s %q: %q lacks %q", test.message.ProtoReflect().Descriptor().Name(), test.prefix, got, want)
			}
		}
		if len(test.want) == 0 && len(got) > 0 {
			t.Errorf("%s %q: %q", test.message.ProtoReflect().Descriptor().Name(), test.prefix, got)
		}
		if len(test.want) > 0 {
			if err := fill.Request(proto.Clone(test.message), "", []string{test.want[0] + test.value}); err != nil {
				t.Errorf("%s: %v", test.want[0]+test.value, err)
			}
		}
	}
}
