package authz

import "errors"

// Faults lists the faults in an error of [Compile], in the order of the policy.
func Faults(err error) []*Fault {
	var faults []*Fault
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		for _, e := range joined.Unwrap() {
			faults = append(faults, Faults(e)...)
		}
		return faults
	}
	if fault, ok := errors.AsType[*Fault](err); ok {
		faults = append(faults, fault)
	}
	return faults
}
