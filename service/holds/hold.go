package holds

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

const (
	// documentName is the name of the document of the holds in the ledger.
	documentName = "callers.holds"
	// MaxHolds bounds the callers that are held at a time.
	MaxHolds = 100
)

// Hold is a caller that may not call.
type Hold struct {
	// Caller is its name in the policy, By that of the caller that holds it.
	Caller string `json:"caller"`
	By     string `json:"by"`
	// At is when it was held. It is held until Until; zero: until it is released.
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"`
	// Reason is what By has said; "" for nothing.
	Reason string `json:"reason,omitempty"`
}

// at tells whether it holds at a time.
func (h *Hold) at(t time.Time) bool { return h.Until.IsZero() || t.Before(h.Until) }

// set are the holds of one version of the document, by caller. It is immutable.
type set map[string]Hold

// parse reads a document.
func parse(d lease.Document) (set, error) {
	var all []Hold
	if err := json.Unmarshal(d.Data, &all); err != nil {
		return nil, fmt.Errorf("holds: those in the ledger cannot be read: %w", err)
	}
	s := make(set, len(all))
	for _, h := range all {
		s[h.Caller] = h
	}
	return s, nil
}

// sorted are those that hold at a time, by caller.
func (s set) sorted(t time.Time) []Hold {
	all := make([]Hold, 0, len(s))
	for _, h := range s {
		if h.at(t) {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b Hold) int { return cmp.Compare(a.Caller, b.Caller) })
	return all
}

// with is the set with another hold, and without those that are over at a time.
func (s set) with(h Hold, t time.Time) (set, error) {
	next := s.without("", t)
	next[h.Caller] = h
	if data, err := next.data(); err != nil || len(next) > MaxHolds || len(data) > lease.MaxDocumentBytes {
		return nil, errTooMany
	}
	return next, nil
}

// without is the set without the hold of a caller, and those that are over at a time.
func (s set) without(caller string, t time.Time) set {
	next := maps.Clone(s)
	if next == nil {
		next = make(set)
	}
	maps.DeleteFunc(next, func(name string, h Hold) bool { return name == caller || !h.at(t) })
	return next
}

// data is the set as the document has it.
func (s set) data() ([]byte, error) {
	all := slices.SortedFunc(maps.Values(s), func(a, b Hold) int { return cmp.Compare(a.Caller, b.Caller) })
	return json.Marshal(all)
}

// same tells whether two sets have the same holds.
func (s set) same(other set) bool {
	return maps.EqualFunc(s, other, func(a, b Hold) bool {
		return a.Caller == b.Caller && a.By == b.By && a.Reason == b.Reason && a.At.Equal(b.At) && a.Until.Equal(b.Until)
	})
}
