package histories

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Check is a check of a history.
type Check struct {
	// Effects returns when the upstream made the write of a value.
	Effects func(value string) []time.Duration
	// Bound returns how old a read may be that began at a time. 0: the history has
	// to be linearizable.
	Bound func(at time.Duration) time.Duration
	// Twice returns whether a keyed write may have been made twice, because Redis
	// lost its state meanwhile; nil: never.
	Twice func(Operation) bool
}

// span is an operation with the time in which it has to have happened.
type span struct {
	Operation
	from, to time.Duration
	bound    time.Duration
}

// Run checks a history. The error is a [*ViolationError].
func (c Check) Run(operations []Operation) error {
	if err := c.effects(operations); err != nil {
		return err
	}
	byRegister := make(map[string][]span)
	for _, s := range c.spans(operations) {
		byRegister[s.Register] = append(byRegister[s.Register], s)
	}
	for _, register := range slices.Sorted(maps.Keys(byRegister)) {
		if all := byRegister[register]; !linearizable(all) {
			return &ViolationError{Rule: "no register has this history", Spans: shrink(all)}
		}
	}
	return nil
}

// effects compares the outcomes of writes with what the upstream did.
func (c Check) effects(operations []Operation) error {
	for _, o := range operations {
		if !o.Write || o.Call < 0 {
			continue
		}
		made := len(c.Effects(o.Value))
		var rule string
		switch {
		case made == 0 && o.Outcome == Done:
			rule = "a write that was answered was never made"
		case made > 0 && o.Outcome == Refused:
			rule = "a write that was refused was made"
		case made > 1 && (c.Twice == nil || !c.Twice(o)):
			rule = "a write was made more than once"
		}
		if rule != "" {
			return &ViolationError{Rule: rule, Spans: []span{{Operation: o, from: o.Call, to: o.Return}}}
		}
	}
	return nil
}

// spans turns a history with bounds into one without. A read that may be as old as a
// bound began that much earlier, but not before the answer of the last write that the
// same replica made: a replica sees its own writes. A write whose outcome is unknown
// ended with its effect, which the upstream knows, and without effect it never was.
func (c Check) spans(operations []Operation) []span {
	written := make(map[[2]string][]time.Duration) // by register and replica, in order
	for _, o := range slices.SortedFunc(slices.Values(operations), func(a, b Operation) int { return cmp.Compare(a.Return, b.Return) }) {
		if o.Write && o.Outcome == Done && o.Replica != "" {
			at := [2]string{o.Register, o.Replica}
			written[at] = append(written[at], o.Return)
		}
	}
	var spans []span
	for _, o := range operations {
		s := span{Operation: o, from: o.Call, to: o.Return}
		if o.Write {
			made := c.Effects(o.Value)
			if o.Call >= 0 && len(made) == 0 {
				continue
			}
			if o.Outcome == Unknown {
				s.to = max(slices.Max(made), o.Call)
			}
			spans = append(spans, each(s, made)...)
			continue
		}
		s.bound = c.Bound(o.Call)
		if !s.tell(c.Effects(o.Value)) {
			continue
		}
		s.from -= s.bound
		own := written[[2]string{o.Register, o.Replica}]
		if n, _ := slices.BinarySearch(own, o.Call); n > 0 {
			s.from = max(s.from, own[n-1]+1) // Behind it, not at the same time.
		}
		spans = append(spans, s)
	}
	return spans
}

// each returns a write for each time that it was made, as writes of values that differ:
// in between another one may have been made.
func each(s span, made []time.Duration) []span {
	if len(made) < 2 {
		return []span{s}
	}
	made = slices.Sorted(slices.Values(made))
	all := make([]span, len(made))
	for i, at := range made {
		all[i] = s
		all[i].Value, all[i].to = again(s.Value, i), at
		if i > 0 {
			all[i].from = made[i-1]
		}
	}
	return all
}

// tell gives the read of a value that was written more than once the name of the write
// that it is of. It returns false where that cannot be told.
func (s *span) tell(made []time.Duration) bool {
	if len(made) < 2 {
		return true
	}
	switch {
	case s.Return < slices.Sorted(slices.Values(made))[1]:
		return true
	case s.Call-s.bound > slices.Max(made):
		s.Value = again(s.Value, len(made)-1)
		return true
	default:
		return false
	}
}

// again is the value of a write that is made for the nth time more.
func again(value string, n int) string { return value + strings.Repeat("'", n) }

// telling returns the spans that decide: of the reads of one value those two that
// began last and that ended first. Each other one began before the former and ended
// after the latter. Since each value is written once, all reads of it happened
// between its write and the next one, without a gap, so that there is room for each
// other read between these two. With all reads porcupine could take for ever.
func telling(spans []span) []span {
	type ends struct{ last, first int }
	reads := make(map[string]ends)
	for i, s := range spans {
		if s.Write {
			continue
		}
		known, ok := reads[s.Value]
		if !ok {
			reads[s.Value] = ends{i, i}
			continue
		}
		if s.from > spans[known.last].from {
			known.last = i
		}
		if s.to < spans[known.first].to {
			known.first = i
		}
		reads[s.Value] = known
	}
	var few []span
	for i, s := range spans {
		if at := reads[s.Value]; s.Write || i == at.last || i == at.first {
			few = append(few, s)
		}
	}
	return few
}

// linearizable returns whether one register can have had this history.
func linearizable(spans []span) bool {
	return porcupine.CheckOperations(register(), porcupineOf(telling(spans)))
}

// register is the model: a read returns what was written last.
func register() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, _ any) (bool, any) {
			s, ok := input.(span)
			if !ok {
				return false, state
			}
			if s.Write {
				return true, s.Value
			}
			return state == s.Value, state
		},
		DescribeOperation: func(input, _ any) string {
			if s, ok := input.(span); ok {
				return s.describe()
			}
			return ""
		},
		DescribeState: func(state any) string { return fmt.Sprint(state) },
	}
}

// porcupineOf gives overlapping operations different clients, for the picture.
func porcupineOf(spans []span) []porcupine.Operation {
	spans = slices.SortedFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var free []time.Duration // by client
	operations := make([]porcupine.Operation, 0, len(spans))
	for _, s := range spans {
		client := slices.IndexFunc(free, func(end time.Duration) bool { return end < s.from })
		if client < 0 {
			client = len(free)
			free = append(free, 0)
		}
		free[client] = s.to
		operations = append(operations, porcupine.Operation{ClientId: client, Input: s, Call: int64(s.from), Return: int64(s.to)})
	}
	return operations
}
