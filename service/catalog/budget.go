package catalog

import (
	"fmt"

	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// Budget puts the calls of several methods into one budget of the upstream's.
type Budget struct {
	// Name is the budget's.
	Name string
	// Methods are those that spend it, by a name that [Catalog.Find] finds.
	Methods []string
}

// BudgetError is the error of [New] for a [Budget].
type BudgetError struct {
	// Budget and Method count from 0, in the order in which they were given.
	Budget, Method int
	// Err says what is wrong with the method: it is a *NameError where there is none.
	Err error
}

// Error says which method of which budget, and what is wrong with it.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("budget %d, method %d: %v", e.Budget, e.Method, e.Err)
}

// Unwrap returns the cause.
func (e *BudgetError) Unwrap() error { return e.Err }

// WithBudgets puts methods into budgets, whatever their declarations say. A method
// that is in two, or spends none because the upstream is not asked for it, is a
// [*BudgetError].
func WithBudgets(budgets []Budget) Option {
	return func(c *Catalog) error {
		taken := make(map[*Method]string)
		for i, budget := range budgets {
			for j, name := range budget.Methods {
				m, err := c.Find(name)
				switch {
				case !permission.IsDotted(budget.Name):
					err = fmt.Errorf("the budget's name %q is not a dotted name, such as usage", budget.Name)
				case err != nil:
				case m.Source != Upstream:
					err = fmt.Errorf("%s does not call the upstream", m.Name())
				case taken[m] != "":
					err = fmt.Errorf("%s is in the budget %s too", m.Name(), taken[m])
				}
				if err != nil {
					return &BudgetError{i, j, err}
				}
				taken[m], m.Budget = budget.Name, budget.Name
			}
		}
		return nil
	}
}
