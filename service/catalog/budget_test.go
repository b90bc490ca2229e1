package catalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestEveryOperationHasItsBudget: the upstream's budgets are those of endpoints.
func TestEveryOperationHasItsBudget(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	spent := make(map[string]string)
	for _, m := range methods.Mirrored() {
		if other := spent[m.Budget]; other != "" || m.Budget == "" {
			t.Errorf("%s spends the budget %q, as %s does", m.Name(), m.Budget, other)
		}
		spent[m.Budget] = m.Name()
	}
	if len(methods.Budgets()) != len(spent) {
		t.Errorf("%d budgets of %d operations", len(methods.Budgets()), len(spent))
	}
}

// TestWithBudgets puts methods into one budget, and leaves all others their own.
func TestWithBudgets(t *testing.T) {
	t.Parallel()
	methods, err := catalog.New(catalog.Files(), nil, catalog.WithBudgets([]catalog.Budget{
		{Name: "invites", Methods: []string{"InviteService/CreateInvite", "admingateway.admin.v1.InviteService/DeleteInvite"}},
		{Name: "list_users"}, // Names a budget that a method has.
	}))
	if err != nil {
		t.Fatal(err)
	}
	before := catalogtest.Gateway(t)
	for _, m := range methods.Mirrored() {
		want, _ := before.Find(m.Name())
		name := want.Budget
		if slices.Contains([]string{"InviteService/CreateInvite", "InviteService/DeleteInvite"}, m.ShortName()) {
			name = "invites"
		}
		if m.Budget != name || methods.BudgetOf(m.Endpoint) != name {
			t.Errorf("%s spends %q and %q, want %q", m.Name(), m.Budget, methods.BudgetOf(m.Endpoint), name)
		}
	}
}

func TestBudgetFaults(t *testing.T) {
	t.Parallel()
	fine := catalog.Budget{Name: "users", Methods: []string{"UserService/ListUsers"}}
	for name, test := range map[string]struct {
		faulty catalog.Budget
		method int
		says   string
	}{
		"no such method":   {catalog.Budget{Name: "a", Methods: []string{"UserService/GetUser", "UserService/Nope"}}, 1, `there is no RPC "UserService/Nope"`},
		"in two budgets":   {catalog.Budget{Name: "a", Methods: []string{"UserService/ListUsers"}}, 0, "is in the budget users too"},
		"a local method":   {catalog.Budget{Name: "a", Methods: []string{"CacheService/Purge"}}, 0, "does not call the upstream"},
		"a malformed name": {catalog.Budget{Name: "a b", Methods: []string{"UserService/GetUser"}}, 0, "is not a dotted name"},
	} {
		_, err := catalog.New(catalog.Files(), nil, catalog.WithBudgets([]catalog.Budget{fine, test.faulty}))
		wrong, ok := errors.AsType[*catalog.BudgetError](err)
		if !ok || wrong.Budget != 1 || wrong.Method != test.method || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
