package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// FaultKind names a kind of failure.
type FaultKind string

// The kinds of fault. Each one names the members of [Fault] that it reads, and
// ignores the others.
const (
	// Refuse answers Status (default 500) with the API's error body, made of
	// Message and Code. The operation does not run.
	Refuse FaultKind = "refuse"
	// RefuseFlat is Refuse with the body {"code","message"}.
	RefuseFlat FaultKind = "refuse_flat"
	// RateLimit answers 429. RetryAfter, if positive, is sent as the header;
	// Message replaces the default "… Please try again in 6.937s.".
	RateLimit FaultKind = "rate_limit"
	// Delay waits DelayMS and then answers as usual. It ends with the request.
	// It adds to other faults rather than replacing them.
	Delay FaultKind = "delay"
	// Cut announces the whole body, sends half of it and closes.
	Cut FaultKind = "cut"
	// HTML answers Status (default 200) with a page. The operation does not run.
	HTML FaultKind = "html"
	// WrongType runs the operation and answers JSON of another type. Variant is
	// "array" (default), "string", "null" or "members": the right object, with
	// strings for numbers and numbers for strings.
	WrongType FaultKind = "wrong_type"
	// Deep answers arrays nested Size levels (default 100000) deep.
	Deep FaultKind = "deep"
	// Huge answers an object with a string of Size bytes (default 64 MiB).
	Huge FaultKind = "huge"
	// GzipBomb is Huge, compressed.
	GzipBomb FaultKind = "gzip_bomb"
	// Endless makes a list that never ends: has_more is true on every page.
	// Variant is "same_cursor" (default), "cycle" (two cursors in turn),
	// "empty_page", "null_cursor" or "new_cursor" (another one every time).
	Endless FaultKind = "endless"
	// Lost runs the operation and closes the connection without an answer.
	Lost FaultKind = "lost"
	// Drop closes the connection before the operation runs.
	Drop FaultKind = "drop"
	// Redirect answers Status (default 307) with Location.
	Redirect FaultKind = "redirect"
	// Created answers 201 where 200 is documented.
	Created FaultKind = "created"
	// StaleRead, on a GET, answers 404 to the first Times (default 1) reads of
	// each thing created after the fault was set.
	StaleRead FaultKind = "stale_read"
	// Drift adds undocumented fields and enum values to the answer. Variant is
	// "fields", "enums" or "both" (default).
	Drift FaultKind = "drift"
)

// Fault is a failure on demand.
type Fault struct {
	// Op is the operation, as in [Sandbox.Operations], or "*" for all of these; or one
	// of the data plane, "GET /models" or "POST /chat/completions".
	Op string `json:"op"`
	// After is the number of calls that pass before the fault happens.
	After int `json:"after,omitempty"`
	// Times is the number of calls that the fault happens to; 0 means that it
	// happens until it is removed.
	Times int       `json:"times,omitempty"`
	Kind  FaultKind `json:"kind"`

	Status     int    `json:"status,omitempty"`
	Message    string `json:"message,omitempty"`
	Code       string `json:"code,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty"` // seconds
	DelayMS    int    `json:"delay_ms,omitempty"`    // milliseconds
	Location   string `json:"location,omitempty"`
	Variant    string `json:"variant,omitempty"`
	// Size is at most 1 GiB; Deep takes at most 16 Mi levels.
	Size int64 `json:"size,omitempty"`
}

const (
	maxFaults   = 1000
	maxSize     = 1 << 30
	maxDepth    = 16 << 20
	maxCreated  = 10_000
	allOps      = "*"
	noSuchFault = "sandbox: unknown kind of fault %q"
)

// validate refuses a fault that cannot happen, so that a test with a misspelt
// fault fails.
func (f Fault) validate(operations []string) error {
	known := f.Op == allOps
	for _, op := range operations {
		known = known || op == f.Op
	}
	if !known {
		return fmt.Errorf("sandbox: unknown operation %q", f.Op)
	}
	variants := []string{""}
	switch f.Kind {
	case WrongType:
		variants = append(variants, "array", "string", "null", "members")
	case Endless:
		variants = append(variants, "same_cursor", "cycle", "empty_page", "null_cursor", "new_cursor")
	case Drift:
		variants = append(variants, "fields", "enums", "both")
	case Refuse, RefuseFlat, RateLimit, Delay, Cut, HTML, Deep, Huge, GzipBomb, Lost, Drop, Redirect, Created, StaleRead:
	default:
		return fmt.Errorf(noSuchFault, f.Kind)
	}
	for _, v := range variants {
		if v == f.Variant {
			variants = nil
		}
	}
	switch {
	case variants != nil:
		return fmt.Errorf("sandbox: fault %q has no variant %q", f.Kind, f.Variant)
	case f.Size < 0 || f.Size > maxSize || f.Kind == Deep && f.Size > maxDepth:
		return fmt.Errorf("sandbox: size %d is out of range", f.Size)
	case f.After < 0 || f.Times < 0 || f.DelayMS < 0 || f.RetryAfter < 0:
		return fmt.Errorf("sandbox: negative number in fault %q", f.Kind)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("sandbox: status %d is out of range", f.Status)
	case f.Kind == Redirect && f.Location == "":
		return fmt.Errorf("sandbox: a redirect needs a location")
	case f.Kind == StaleRead && !strings.HasPrefix(f.Op, "GET ") && f.Op != allOps:
		return fmt.Errorf("sandbox: a stale read needs a GET, not %q", f.Op)
	}
	return nil
}

// armed is a fault with its counts.
type armed struct {
	Fault
	id    int
	calls int // of the operation
	fired int
	stale map[string]int // reads still to fail, by id of the created thing
}

// faultList decides which faults meet which call.
type faultList struct {
	mu     sync.Mutex
	armed  []*armed
	nextID int
	pages  int // of endless lists, for cursors never seen
}

// Inject adds a fault to the end of the list. Of the faults that match a call, the
// first one happens, and delays add up. Inject panics if the fault cannot happen,
// for example because its operation does not exist: the test has a mistake. Remove
// may be called more than once.
func (s *Sandbox) Inject(f Fault) (remove func()) {
	id, err := s.inject(f)
	if err != nil {
		panic(err)
	}
	return func() { s.faults.remove(id) }
}

func (s *Sandbox) inject(f Fault) (int, error) {
	operations := slices.Clone(s.names)
	for i := range s.dataPlane {
		operations = append(operations, s.dataPlane[i].name())
	}
	if err := f.validate(operations); err != nil {
		return 0, err
	}
	return s.faults.add(f)
}

// ClearFaults removes all faults.
func (s *Sandbox) ClearFaults() { s.faults.clear() }

func (l *faultList) add(f Fault) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.armed) >= maxFaults {
		return 0, fmt.Errorf("sandbox: more than %d faults", maxFaults)
	}
	l.nextID++
	l.armed = append(l.armed, &armed{Fault: f, id: l.nextID, stale: make(map[string]int)})
	return l.nextID, nil
}

func (l *faultList) remove(id int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range l.armed {
		if a.id == id {
			l.armed = append(l.armed[:i:i], l.armed[i+1:]...)
			return true
		}
	}
	return false
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = nil
}

// take returns the trouble of one call. Faults behind the one that happens do not
// count the call.
func (l *faultList) take(op, path string) trouble {
	return l.takeOf(func(name string) bool { return name == op || name == allOps }, op, path)
}

// takeNamed is take for an operation that faults for all do not meet.
func (l *faultList) takeNamed(op string) trouble {
	return l.takeOf(func(name string) bool { return name == op }, op, "")
}

func (l *faultList) takeOf(meets func(op string) bool, op, path string) trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t trouble
	for _, a := range l.armed {
		if !meets(a.Op) {
			continue
		}
		if a.Kind == StaleRead {
			if a.staleRead(op, path) {
				t.fault = &Fault{Kind: Refuse, Status: 404, Code: "not_found", Message: "No such thing, yet."}
				return t
			}
			continue
		}
		a.calls++
		if a.calls <= a.After || a.Times > 0 && a.fired >= a.Times {
			continue
		}
		a.fired++
		if a.Kind == Delay {
			t.delayMS += a.DelayMS
			continue
		}
		l.pages++
		t.fault, t.page = &a.Fault, l.pages
		return t
	}
	return t
}

// staleRead uses up one of the failing reads if the last segment of the path is
// the id of a new thing.
func (a *armed) staleRead(op, path string) bool {
	id := path[strings.LastIndex(path, "/")+1:]
	if !strings.HasPrefix(op, "GET ") || a.stale[id] == 0 {
		return false
	}
	a.stale[id]--
	if a.stale[id] == 0 {
		delete(a.stale, id)
	}
	return true
}

// created lets the stale reads know the thing that a create has answered.
func (l *faultList) created(body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.armed {
		if a.Kind != StaleRead || len(a.stale) >= maxCreated {
			continue
		}
		var thing struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(body, &thing) == nil && thing.ID != "" {
			a.stale[thing.ID] = max(1, a.Times)
		}
	}
}
