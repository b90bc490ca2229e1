package budget_test

import (
	"errors"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/fleet"
	"github.com/admin-gateway/admin-gateway/service/budget"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/service/spending"
)

// TestBudgetServiceWithoutABudget: a gateway that does not pace says so.
func TestBudgetServiceWithoutABudget(t *testing.T) {
	t.Parallel()
	alone, err := fleet.New(fleet.Options{Replica: "alone"})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := budget.Handlers(budget.Dependencies{Fleet: alone, Spending: spending.New(spending.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	for procedure, answer := range handlers {
		m, ok := catalogtest.Gateway(t).Lookup(procedure)
		if !ok {
			t.Fatal("the catalog has no " + procedure)
		}
		permit := admissiontest.Permit(t, m, m.Request.New().Interface())
		err := answer(t.Context(), permit, nil) // It has no answer to send.
		if refused, ok := errors.AsType[*rpcerror.Error](err); !ok || refused.Reason != rpcerror.ReasonNoPacing {
			t.Errorf("%s: %v", procedure, err)
		}
	}
}
