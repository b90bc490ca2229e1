package pages

import (
	"context"
	"strings"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/money"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Permissions of limits and alerts, of the organization and of projects.
const (
	permissionLimit         = "spend_limit.read"
	permissionAlerts        = "spend_alerts.read"
	permissionProjectLimit  = "projects.spend_limit.read"
	permissionProjectAlerts = "projects.spend_alerts.read"
)

// limitsView is what the template "limits" shows.
type limitsView struct {
	Thresholds []threshold
	// Lacking are permissions without which more would be here.
	Lacking []string
	// Spent says that the costs are known, so that each threshold has its part.
	Spent bool
}

// threshold is a limit or an alert.
type threshold struct {
	Kind    string // "limit" or "alert"
	Project string // "" is the organization
	Amount  string
	Part    float64 // of it that was spent
	Passed  bool
	Status  string // of a limit
	To      string // who gets an alert
}

// gatherLimits are the limits and alerts of the organization, or of the projects that the
// caller is limited to, beside what this month has cost.
func gatherLimits(ctx context.Context, v *console.Visit) (any, error) {
	var view limitsView
	month, err := monthSpending(ctx, v)
	if err == nil {
		view.Spent = true
	} else if rpcerror.ToCaller(err).Code != connect.CodePermissionDenied {
		return nil, err
	}
	_, limited := v.Access.Projects(permissionLimit)
	if v.Access.May(permissionLimit) && !limited {
		answer, err := adminv1connect.NewSpendLimitServiceClient(v.Client()).GetSpendLimit(ctx, &adminv1.GetSpendLimitRequest{})
		if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
			return nil, err
		}
		if l := answer.GetSpendLimit(); l != nil {
			view.add(threshold{Kind: "limit", Status: l.GetEnforcement().GetStatus()}, l.GetThresholdAmount(), spent(month, ""))
		}
	} else if !limited {
		view.Lacking = append(view.Lacking, permissionLimit)
	}
	_, limited = v.Access.Projects(permissionAlerts)
	if v.Access.May(permissionAlerts) && !limited {
		limit := int32(100)
		answer, err := adminv1connect.NewSpendAlertServiceClient(v.Client()).ListSpendAlerts(ctx, &adminv1.ListSpendAlertsRequest{Limit: &limit})
		if err != nil {
			return nil, err
		}
		for _, a := range answer.GetData() {
			view.add(threshold{Kind: "alert", To: strings.Join(a.GetNotificationChannel().GetRecipients(), ", ")}, a.GetThresholdAmount(), spent(month, ""))
		}
	} else if !limited {
		view.Lacking = append(view.Lacking, permissionAlerts)
	}
	if err := view.addProjects(ctx, v, month); err != nil {
		return nil, err
	}
	return view, nil
}

// addProjects adds those of the few projects that a caller is limited to. Of all others
// there are too many to ask for one by one.
func (l *limitsView) addProjects(ctx context.Context, v *console.Visit, month *spending) error {
	if ids, limited := v.Access.Projects(permissionProjectLimit); limited {
		client := adminv1connect.NewProjectSpendLimitServiceClient(v.Client())
		for _, id := range ids[:min(len(ids), maxNamed)] {
			answer, err := client.GetProjectSpendLimit(ctx, &adminv1.GetProjectSpendLimitRequest{ProjectId: id})
			if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
				return err
			}
			if found := answer.GetSpendLimit(); found != nil {
				l.add(threshold{Kind: "limit", Project: id, Status: found.GetEnforcement().GetStatus()}, found.GetThresholdAmount(), spent(month, id))
			}
		}
	}
	if ids, limited := v.Access.Projects(permissionProjectAlerts); limited {
		client := adminv1connect.NewProjectSpendAlertServiceClient(v.Client())
		for _, id := range ids[:min(len(ids), maxNamed)] {
			limit := int32(100)
			answer, err := client.ListProjectSpendAlerts(ctx, &adminv1.ListProjectSpendAlertsRequest{ProjectId: id, Limit: &limit})
			if err != nil {
				return err
			}
			for _, a := range answer.GetData() {
				l.add(threshold{Kind: "alert", Project: id, To: strings.Join(a.GetNotificationChannel().GetRecipients(), ", ")}, a.GetThresholdAmount(), spent(month, id))
			}
		}
	}
	return nil
}

// spent is what a project, or with "" everything, has cost; nil where that is not known.
func spent(month *spending, project string) *money.Sum {
	switch {
	case month == nil:
		return nil
	case project == "":
		return &month.total
	case month.sums[project] == nil:
		return new(money.Sum)
	default:
		return month.sums[project]
	}
}

func (l *limitsView) add(t threshold, cents int64, spent *money.Sum) {
	var amount money.Sum
	amount.AddCents(cents)
	t.Amount = amount.String()
	if spent != nil {
		t.Part, t.Passed = spent.PartOf(&amount), spent.Cmp(&amount) >= 0
	}
	l.Thresholds = append(l.Thresholds, t)
}
