package main

import "fmt"

type checkCommand struct {
	policyFlags
}

// Run reads config and policy as serve does, and reports their faults. A warning is about
// a policy that is good, and may not be meant so.
func (c *checkCommand) Run(std streams) error {
	_, set, err := c.load(std)
	if err != nil {
		return err
	}
	for _, warning := range set.Warnings() {
		if _, err := fmt.Fprintf(std.err, "warning: %v\n", warning); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(std.out, "config and policy are good; callers: %d\n", len(set.Callers()))
	return err
}
