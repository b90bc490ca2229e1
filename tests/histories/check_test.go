package histories

import (
	"errors"
	"testing"
	"time"
)

// seconds makes an operation of proj-0.
func seconds(replica string, write bool, value string, call, end float64) Operation {
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return Operation{Register: "proj-0", Replica: replica, Write: write, Value: value, Call: at(call), Return: at(end)}
}

// TestOldest measures the age of reads.
func TestOldest(t *testing.T) {
	t.Parallel()
	v0 := Operation{Register: "proj-0", Write: true, Value: Initial("proj-0"), Call: begin, Return: begin}
	operations := []Operation{
		v0, seconds("r1", true, "v1", 1, 2), seconds("r2", false, v0.Value, 3, 4), seconds("r2", false, "v1", 5, 6),
		seconds("r3", false, v0.Value, 2.5, 7),
	}
	effects := func(value string) []time.Duration {
		if value == "v1" {
			return []time.Duration{1500 * time.Millisecond}
		}
		return nil
	}
	if oldest, age := Oldest(operations, effects); age != 1500*time.Millisecond || oldest.Replica != "r2" {
		t.Errorf("%v, %s", oldest, age)
	}
	if _, age := Oldest(operations[3:4], effects); age != 0 {
		t.Errorf("a current read is %s old", age)
	}
}

// TestCheck checks the checker: what it has to find, and what it has to allow.
func TestCheck(t *testing.T) {
	t.Parallel()
	initially := Operation{Register: "proj-0", Write: true, Value: "v0", Call: begin, Return: begin}
	unknown := seconds("r1", true, "v1", 1, 2)
	unknown.Outcome = Unknown
	refused := seconds("r1", true, "v1", 1, 2)
	refused.Outcome = Refused
	write := seconds("r1", true, "v1", 1, 2)
	for name, c := range map[string]struct {
		bound      time.Duration
		effects    []float64 // of v1
		operations []Operation
		left       int // operations of the smallest history; 0: it is one of a register
	}{
		"fresh":                         {0, []float64{1.5}, []Operation{write, seconds("r2", false, "v1", 3, 4)}, 0},
		"during the write":              {0, []float64{1.5}, []Operation{write, seconds("r2", false, "v0", 1.5, 4)}, 0},
		"old":                           {0, []float64{1.5}, []Operation{write, seconds("r2", false, "v0", 3, 4)}, 3},
		"old within the bound":          {8 * time.Second, []float64{1.5}, []Operation{write, seconds("r2", false, "v0", 9.9, 11)}, 0},
		"older than the bound":          {8 * time.Second, []float64{1.5}, []Operation{write, seconds("r2", false, "v0", 10.1, 11)}, 3},
		"old on the writer":             {8 * time.Second, []float64{1.5}, []Operation{write, seconds("r1", false, "v0", 3, 4)}, 3},
		"back and forth":                {0, []float64{1.5}, []Operation{unknown, seconds("r2", false, "v1", 3, 4), seconds("r3", false, "v0", 5, 6)}, 3},
		"unknown, with a late effect":   {0, []float64{20}, []Operation{unknown, seconds("r2", false, "v0", 19, 19.5), seconds("r3", false, "v1", 21, 22)}, 0},
		"unknown, old after its effect": {0, []float64{20}, []Operation{unknown, seconds("r2", false, "v0", 21, 22)}, 3},
		"unknown, without effect":       {0, nil, []Operation{unknown, seconds("r2", false, "v0", 100, 101)}, 0},
		"never written":                 {0, nil, []Operation{seconds("r2", false, "v7", 3, 4)}, 1},
		"answered, never made":          {0, nil, []Operation{write}, 1},
		"refused, and made":             {0, []float64{1.5}, []Operation{refused}, 1},
		"made twice":                    {0, []float64{1.5, 1.7}, []Operation{unknown}, 1},
		"much around it": {0, []float64{1.5}, []Operation{
			seconds("r1", false, "v0", 0, 0.5), seconds("r2", false, "v0", 0.2, 0.7), write, seconds("r2", false, "v1", 2.5, 3),
			seconds("r3", false, "v0", 4, 5), seconds("r3", false, "v1", 6, 7), seconds("r1", false, "v1", 6, 7),
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := Check{Bound: func(time.Duration) time.Duration { return c.bound }, Effects: func(value string) []time.Duration {
				var at []time.Duration
				for _, e := range c.effects {
					if value == "v1" {
						at = append(at, time.Duration(e*float64(time.Second)))
					}
				}
				return at
			}}
			err := check.Run(append([]Operation{initially}, c.operations...))
			violation, found := errors.AsType[*ViolationError](err)
			if found != (c.left > 0) {
				t.Fatalf("got %v", err)
			}
			if found && len(violation.Spans) != c.left {
				t.Errorf("the smallest history has %d operations, not %d: %v", len(violation.Spans), c.left, err)
			}
		})
	}
}

// TestMadeTwice: a write that was made a second time, where it may be, can take the place
// of the one in between, and of nothing else.
func TestMadeTwice(t *testing.T) {
	t.Parallel()
	initially := Operation{Register: "proj-0", Write: true, Value: "v0", Call: begin, Return: begin}
	first, second := seconds("r1", true, "v1", 1, 11), seconds("r2", true, "v2", 3, 4)
	for name, test := range map[string]struct {
		reads []Operation
		found bool
	}{
		"as it was made":     {reads: []Operation{seconds("r3", false, "v1", 2, 2.5), seconds("r3", false, "v2", 5, 6), seconds("r3", false, "v1", 12, 13)}},
		"at the second time": {reads: []Operation{seconds("r3", false, "v2", 5, 6), seconds("r3", false, "v1", 9, 11), seconds("r3", false, "v1", 12, 13)}},
		"before it":          {reads: []Operation{seconds("r3", false, "v2", 5, 6), seconds("r3", false, "v1", 7, 8)}, found: true},
		"old after it":       {reads: []Operation{seconds("r3", false, "v1", 12, 13), seconds("r3", false, "v2", 14, 15)}, found: true},
	} {
		check := Check{
			Bound: func(time.Duration) time.Duration { return 0 },
			Twice: func(Operation) bool { return true },
			Effects: func(value string) []time.Duration {
				return map[string][]time.Duration{"v1": {1500 * time.Millisecond, 10 * time.Second}, "v2": {3500 * time.Millisecond}}[value]
			},
		}
		err := check.Run(append([]Operation{initially, first, second}, test.reads...))
		if (err != nil) != test.found {
			t.Errorf("%s: %v", name, err)
		}
	}
}
