package overrides

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/admin-gateway/admin-gateway/lease"
)

// MaxEntries bounds the callers that one kind of overrides is about at a time.
const MaxEntries = 100

// Override is what every kind of them has. Kinds embed it.
type Override struct {
	// Caller is its name in the policy, By that of the caller that decided.
	Caller string `json:"caller"`
	By     string `json:"by"`
	// At is when it was decided. It is in force until Until; zero: until it is taken back.
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"`
	// Reason is what By has said; "" for nothing.
	Reason string `json:"reason,omitempty"`
}

// Common is the override itself, of a kind that embeds it.
func (o Override) Common() Override { return o }

// InForce tells whether it is in force at a time.
func (o Override) InForce(t time.Time) bool { return o.Until.IsZero() || t.Before(o.Until) }

// CreatedAt is At in a message, and EndsAt Until; nil where there is none.
func (o Override) CreatedAt() *timestamppb.Timestamp { return Instant(o.At) }

// EndsAt is Until in a message; nil for none.
func (o Override) EndsAt() *timestamppb.Timestamp { return Instant(o.Until) }

// Instant is a time in a message; nil for the zero time.
func Instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Kind is a kind of overrides. Its JSON form is what the ledger keeps.
type Kind interface {
	// Common is what it has in common with others.
	Common() Override
}

// The refusals of a change.
var (
	// ErrTooMany is an override beyond those that are kept.
	ErrTooMany = errors.New("overrides: as many are kept as may be")
	// ErrNone is the end of an override that is not there.
	ErrNone = errors.New("overrides: there is none for the caller")
)

// Reasons are those of a kind's errors, as callers see them.
type Reasons struct {
	// TooMany is that of [ErrTooMany], None that of [ErrNone], and Unavailable that of a
	// ledger that does not answer.
	TooMany, None, Unavailable string
}

// ToCaller is the error of a call whose change has failed, as made by of.
func ToCaller[E error](err error, reasons Reasons, of func(reason string, cause error) E) error {
	switch {
	case errors.Is(err, ErrTooMany):
		return of(reasons.TooMany, err)
	case errors.Is(err, ErrNone):
		return of(reasons.None, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, lease.ErrUnavailable), errors.Is(err, lease.ErrLost), errors.Is(err, lease.ErrConflict):
		return of(reasons.Unavailable, err)
	default:
		return err
	}
}

// set is the overrides of one version of the document. It is immutable.
type set[K Kind] struct {
	of map[string]K // by caller
	// data is the document's: sets with the same one are the same.
	data []byte
}

// parse reads a document.
func parse[K Kind](d lease.Document) (*set[K], error) {
	var all []K
	if err := json.Unmarshal(d.Data, &all); err != nil {
		return nil, fmt.Errorf("overrides: %s in the ledger cannot be read: %w", d.Name, err)
	}
	s := &set[K]{of: make(map[string]K, len(all)), data: d.Data}
	for _, o := range all {
		s.of[o.Common().Caller] = o
	}
	return s, nil
}

// inForce are those in force at a time, by caller.
func (s *set[K]) inForce(t time.Time) []K {
	all := make([]K, 0, len(s.of))
	for _, o := range s.of {
		if o.Common().InForce(t) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, byCaller)
	return all
}

func byCaller[K Kind](a, b K) int { return cmp.Compare(a.Common().Caller, b.Common().Caller) }

// with is the set with another override, and without those that are over at a time.
func (s *set[K]) with(o K, t time.Time) (*set[K], error) {
	next := s.left(o.Common().Caller, t)
	next[o.Common().Caller] = o
	made, err := setOf(next)
	if err != nil {
		return nil, err
	}
	if len(next) > MaxEntries || len(made.data) > lease.MaxDocumentBytes {
		return nil, ErrTooMany
	}
	return made, nil
}

// without is the set without the override of a caller, and those that are over at a time.
func (s *set[K]) without(caller string, t time.Time) (*set[K], error) {
	return setOf(s.left(caller, t))
}

func (s *set[K]) left(caller string, t time.Time) map[string]K {
	next := maps.Clone(s.of)
	if next == nil {
		next = make(map[string]K)
	}
	maps.DeleteFunc(next, func(name string, o K) bool { return name == caller || !o.Common().InForce(t) })
	return next
}

func setOf[K Kind](of map[string]K) (*set[K], error) {
	data, err := json.Marshal(slices.SortedFunc(maps.Values(of), byCaller[K]))
	if err != nil {
		return nil, err
	}
	return &set[K]{of: of, data: data}, nil
}

// same tells whether two sets have the same overrides.
func (s *set[K]) same(other *set[K]) bool {
	return len(s.of) == 0 && len(other.of) == 0 || bytes.Equal(s.data, other.data)
}
