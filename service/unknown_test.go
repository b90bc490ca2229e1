package service_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// lateUpstream has a project whose next write takes effect after its answer was given
// up.
type lateUpstream struct {
	name atomic.Pointer[string]
	next string
	late time.Duration
}

func (u *lateUpstream) Do(_ context.Context, e *upstream.Endpoint, _ *upstream.Request) (*upstream.Reply, error) {
	if e.Verb() == http.MethodGet {
		return &upstream.Reply{Status: http.StatusOK, Body: fmt.Appendf(nil, `{"id": "proj_1", "object": "organization.project", "name": %q, "created_at": 1}`, *u.name.Load())}, nil
	}
	time.AfterFunc(u.late, func() { u.name.Store(&u.next) })
	return nil, &upstream.Error{Kind: upstream.OutcomeUnknown, Reason: upstream.ReasonOutcomeUnknown}
}

// TestUnknownOutcomeIsNotHidden: who waits for the grace after OUTCOME_UNKNOWN, and
// then looks, sees a write that took effect late, although others read in between.
func TestUnknownOutcomeIsNotHidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before := "before"
		up := &lateUpstream{next: "after", late: 3 * time.Second}
		up.name.Store(&before)
		projects := adminv1connect.NewProjectServiceClient(gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache()).Client("root"))
		get := func() string {
			got, err := projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_1"})
			if err != nil {
				t.Fatal(err)
			}
			return got.GetProject().GetName()
		}
		get()
		if _, err := projects.UpdateProject(t.Context(), &adminv1.UpdateProjectRequest{ProjectId: "proj_1", Name: proto.String("after")}); err == nil {
			t.Fatal("the outcome is known")
		}
		if got := get(); got != before {
			t.Errorf("at once: %q", got)
		}
		time.Sleep(up.late) //nolint:forbidigo // A bubble's clock.
		synctest.Wait()
		if got := get(); got != "after" {
			t.Errorf("after the effect: %q", got)
		}
		time.Sleep(cache.UnknownOutcomeGrace) //nolint:forbidigo // A bubble's clock.
		if got := get(); got != "after" {
			t.Errorf("after the grace: %q", got)
		}
	})
}
