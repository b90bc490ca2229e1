package histories

// KnownViolations are the scenarios that are expected to fail, with the reason. One
// that passes fails the test, so that its line is removed with the mechanism that
// makes it pass.
func KnownViolations() map[string]string {
	return map[string]string{
		"DebtsArePaidInTheDrain": "a drain does not wait for debts",
	}
}
