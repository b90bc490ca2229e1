package pages

import (
	"context"
	"net/url"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const (
	permissionHolds       = "holds.read"
	permissionCreateHold  = "holds.create"
	permissionReleaseHold = "holds.release"
)

// holdsView is what the template "holds" shows.
type holdsView struct {
	*controlv1.ListHoldsResponse

	May, MayRelease bool // its user may hold callers, and release them
}

func gatherHolds(ctx context.Context, v *console.Visit) (any, error) {
	answer, err := controlv1connect.NewHoldServiceClient(v.Client()).ListHolds(ctx, &controlv1.ListHoldsRequest{})
	if err != nil {
		return nil, err
	}
	return holdsView{answer, v.Access.May(permissionCreateHold), v.Access.May(permissionReleaseHold)}, nil
}

// holdTimes are how long a caller may be held by the console, by their names in forms.
// None is until somebody releases it.
func holdTimes() map[string]time.Duration {
	return map[string]time.Duration{"1h": time.Hour, "1d": day, "7d": 7 * day}
}

// createHold holds a caller.
func createHold() *console.Action {
	return &console.Action{
		Path: "/callers/hold", Title: "Hold a caller", Needs: permissionCreateHold,
		Ask: func(_ context.Context, v *console.Visit) (console.Question, error) {
			caller, reason, until := v.Query.Get("caller"), v.Query.Get("reason"), "until somebody releases it"
			lifetime, limited := holdTimes()[v.Query.Get("for")]
			if limited {
				until = "for " + console.Duration(lifetime) + ", or until somebody releases it"
			}
			return console.Question{
				Sentences: []string{
					"Every call of this caller is refused at every door of every replica, within two seconds, " + until + ".",
					"Its calls and streams that run are ended, but for writes that were sent. It is not told why.",
				},
				Facts:  []console.Fact{{Name: "Caller", Value: caller}, {Name: "Reason", Value: reason}},
				Fields: url.Values{"caller": {caller}, "reason": {reason}, "for": {v.Query.Get("for")}},
				Button: "Hold the caller", Danger: true,
			}, nil
		},
		Do: func(ctx context.Context, v *console.Visit) (console.Done, error) {
			request := &controlv1.CreateHoldRequest{Caller: v.Form.Get("caller"), Reason: v.Form.Get("reason")}
			if lifetime, limited := holdTimes()[v.Form.Get("for")]; limited {
				request.Lifetime = durationpb.New(lifetime)
			}
			answer, err := controlv1connect.NewHoldServiceClient(v.Client()).CreateHold(ctx, request)
			if err != nil {
				return console.Done{}, err
			}
			return console.Done{Sentences: []string{"The caller " + console.Plain(answer.GetHold().GetCaller()) + " is held."}}, nil
		},
	}
}

// releaseHold lets a caller call again.
func releaseHold() *console.Action {
	return &console.Action{
		Path: "/callers/release", Title: "Release a caller", Needs: permissionReleaseHold,
		Ask: func(_ context.Context, v *console.Visit) (console.Question, error) {
			caller := v.Query.Get("caller")
			return console.Question{
				Sentences: []string{"The caller may call again, as the policy lets it, at every replica within two seconds."},
				Facts:     []console.Fact{{Name: "Caller", Value: caller}},
				Fields:    url.Values{"caller": {caller}}, Button: "Release the caller",
			}, nil
		},
		Do: func(ctx context.Context, v *console.Visit) (console.Done, error) {
			answer, err := controlv1connect.NewHoldServiceClient(v.Client()).ReleaseHold(ctx, &controlv1.ReleaseHoldRequest{Caller: v.Form.Get("caller")})
			if err != nil {
				return console.Done{}, err
			}
			return console.Done{Sentences: []string{"The caller " + console.Plain(answer.GetHold().GetCaller()) + " may call again."}}, nil
		},
	}
}
