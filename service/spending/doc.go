// Package spending is the account of what each caller does and spends: calls by their
// end, requests to the upstream by budget, and the time for which calls waited for these,
// since the process began and in the last minute.
//
// The interceptor [Account.WithCalls] counts calls, and the pacer of the budget tells of
// requests and waits ([Account.Waits], [Account.Spent]). What is known is bounded: callers
// are those of the policy, up to a number, and the budgets are those of the pacer. A call
// costs a look-up without a lock and four atomic additions.
//
// It imports package accounting and no step. service/pacing shows the account to
// operators, and [Account] is a collector of metrics.
package spending
