package histories

import (
	"cmp"
	"slices"
	"time"
)

// Oldest returns the oldest read of a history, and its age when it began: for how long
// the upstream had another value by then. The age is 0 if every read was current.
func Oldest(operations []Operation, effects func(value string) []time.Duration) (oldest Operation, age time.Duration) {
	type change struct {
		value string
		at    time.Duration
	}
	changes := make(map[string][]change) // by register
	for _, o := range operations {
		if o.Write {
			for _, at := range effects(o.Value) {
				changes[o.Register] = append(changes[o.Register], change{o.Value, at})
			}
		}
	}
	// over is when a value was current no more.
	over := make(map[string]time.Duration)
	for register, all := range changes {
		slices.SortFunc(all, func(a, b change) int { return cmp.Compare(a.at, b.at) })
		over[Initial(register)] = all[0].at
		for i := range all[:len(all)-1] {
			over[all[i].value] = all[i+1].at
		}
		delete(over, all[len(all)-1].value)
	}
	for _, o := range operations {
		if end, ok := over[o.Value]; ok && !o.Write && o.Call-end > age {
			oldest, age = o, o.Call-end
		}
	}
	return oldest, age
}
