// Package roles knows the roles of leases: what a key of one is, for how long, and how
// many there may be. A role is defined in the policy file; [New] turns definitions into
// an immutable [Set], and refuses them with all faults at once.
//
// It imports nothing of the project. Package callers reads the definitions and says
// where in the file the faults are. Who may ask for a role is decided by package authz.
package roles
