package pages

import (
	"time"

	"github.com/admin-gateway/admin-gateway/service/console"
)

// overview is the first page: what an operator asks first.
func overview() *console.Page {
	return &console.Page{
		Path: "/", Title: "Overview",
		Parts: []console.Part{
			{ID: "budget", Title: "Budget of the upstream", Needs: "budget.read", Gather: gatherBudget, Template: "budget", Refresh: 5 * time.Second},
		},
	}
}
