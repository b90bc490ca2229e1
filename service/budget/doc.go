// Package budget answers admingateway.control.v1.BudgetService: how the upstream's budget
// is spent, here and in all replicas, and by whom.
//
// It shows what the pacer and the account of callers know, and adds up the parts of
// replicas. It is no step, and decides nothing.
package budget
