package histories

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Register names a register: the project whose name it is.
func Register(number int) string { return fmt.Sprintf("proj-%d", number) }

// Initial is the value that a register begins with.
func Initial(register string) string { return register + " v0" }

// Outcome is what the answer to a write says about its effect.
type Outcome int

// The outcomes of a write.
const (
	Done    Outcome = iota // It was made.
	Refused                // It was certainly not made.
	Unknown                // It may have been made, or may still be.
)

// String implements [fmt.Stringer].
func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case Refused:
		return "refused"
	default:
		return "unknown"
	}
}

// Operation is one read or one write of one register, as its caller saw it.
type Operation struct {
	Register string
	Write    bool
	// Value is what was read or written. Each write has a value of its own.
	Value string
	// Replica is the name of the replica that was asked; "" if several were.
	Replica string
	Method  string
	// Call and Return are when the call began and ended.
	Call, Return time.Duration
	Outcome      Outcome // of a write; a read without an answer is not recorded
	// Note is what the answer says about itself: Cache-Status, or an error.
	Note string
}

// begin is the time of the writes of initial values: before all else.
const begin = -24 * time.Hour

// History records operations. It may be used from any goroutine.
type History struct {
	mu         sync.Mutex
	operations []Operation
}

// NewHistory returns an empty History.
func NewHistory() *History { return new(History) }

// begin records the initial value of a register.
func (h *History) begin(register string) {
	h.Add(Operation{Register: register, Write: true, Value: Initial(register), Method: "initially", Call: begin, Return: begin})
}

// Add records an operation.
func (h *History) Add(o Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, o)
}

// Operations returns what was recorded, in the order of the calls.
func (h *History) Operations() []Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	operations := slices.Clone(h.operations)
	slices.SortStableFunc(operations, func(a, b Operation) int { return int(a.Call - b.Call) })
	return operations
}
