package main

import "fmt"

type checkCommand struct {
	policyFlags
}

// Run reads config and policy as serve does, and reports their faults.
func (c *checkCommand) Run(std streams) error {
	_, set, err := c.load(std)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "config and policy are good; callers: %d\n", len(set.Callers()))
	return err
}
