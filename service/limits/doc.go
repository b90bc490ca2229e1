// Package limits gives callers other limits than the policy's for a time, and answers the
// LimitService. Package overrides says how they are kept, and package callers has the
// limiters that they are put into.
package limits
