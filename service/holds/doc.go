// Package holds keeps the callers that operators hold, and answers the HoldService. A
// caller that is held may not call, whatever the policy says: package admission asks
// [Holds.Held] for every call. Package overrides says how they are kept.
package holds
