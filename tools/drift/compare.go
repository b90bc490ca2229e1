package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// side is the description that has a thing which the other lacks.
type side string

const (
	onlyOpenAPI side = "openapi"
	onlySDK     side = "sdk"
	onlyProto   side = "proto"
	differ      side = "both" // Both have it, and do not agree.
)

// difference is one thing about which the two descriptions do not agree.
type difference struct {
	operation string
	side      side
	path      string // "query.limit", "body.name", "response.data[].id"; "-" for the operation itself.
	what      string
}

// String returns the columns with tabs between them, as a line of allowed.tsv
// begins.
func (d difference) String() string {
	return strings.Join([]string{d.operation, string(d.side), d.path, d.what}, "\t")
}

// vendor is a description of the vendor's.
type vendor struct {
	side       side
	operations map[string]*operation
	// names: it describes names, types and values alone: no presence and no limits, and
	// an instant is an integer.
	names bool
}

// compare returns all that the two descriptions do not agree on, sorted.
func compare(v vendor, proto map[string]*operation) []difference {
	var all []difference
	for name, want := range v.operations {
		got := proto[name]
		if got == nil {
			all = append(all, difference{name, v.side, "-", "operation"})
			continue
		}
		c := comparison{operation: name, only: v.side, names: v.names, flats: make(map[*shape]*shape), active: make(map[[2]*shape]bool)}
		c.members("path", query, want.path, got.path)
		c.members("query", query, want.query, got.query)
		c.whole("body", body, want.body, got.body)
		c.whole("response", response, want.response, got.response)
		all = append(all, c.found...)
	}
	for name := range proto {
		if v.operations[name] == nil {
			all = append(all, difference{name, onlyProto, "-", "operation"})
		}
	}
	slices.SortFunc(all, func(a, b difference) int { return cmp.Compare(a.String(), b.String()) })
	return all
}

// place is the position of a value: it decides the meaning of its absence, and which side
// sets limits.
type place int

const (
	query place = iota
	body
	response
)

// comparison is of one operation.
type comparison struct {
	operation string
	only      side               // The vendor's.
	names     bool               // It describes no presence and no limits.
	flats     map[*shape]*shape  // Unions as one object, by the union.
	active    map[[2]*shape]bool // Objects being compared: a type may contain itself.
	found     []difference
}

func (c *comparison) report(s side, path, format string, args ...any) {
	c.found = append(c.found, difference{c.operation, s, path, fmt.Sprintf(format, args...)})
}

// whole compares bodies, which may be missing as such.
func (c *comparison) whole(path string, in place, want, got *shape) {
	switch {
	case want == nil && got == nil:
	case want == nil:
		c.report(onlyProto, path, "%s", got.kind)
	case got == nil:
		c.report(c.only, path, "%s", want.kind)
	default:
		c.shapes(path, in, want, got)
	}
}

func (c *comparison) members(path string, in place, want, got map[string]*member) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		at := path + "." + name
		if got[name] == nil {
			c.report(c.only, at, "%s", want[name].kind)
			continue
		}
		if !c.names {
			c.presence(at, in, want[name], got[name])
		}
		if in != response && !c.names {
			c.bounds(at, want[name], got[name])
		}
		c.shapes(at, in, want[name].shape, got[name].shape)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] == nil {
			c.report(onlyProto, path+"."+name, "%s", got[name].kind)
		}
	}
}

// presence compares how the two sides treat an absent value.
func (c *comparison) presence(at string, in place, want, got *member) {
	absent := !want.required || want.nullable
	if in == response {
		switch {
		case absent && got.presence == implicit:
			c.report(c.only, at, "may be absent or null; the field has no presence")
		case !absent && got.presence == explicit && got.kind != instant:
			c.report(onlyProto, at, "always present; the field is optional")
		}
		return
	}
	switch {
	case want.required && !got.required:
		c.report(c.only, at, "required; the proto does not require it")
	case !want.required && got.required:
		c.report(onlyProto, at, "optional; the proto requires it")
	case !want.required && got.presence == implicit && (in == body || got.kind != array):
		// An array in a query is absent when it is empty.
		c.report(c.only, at, "optional; the field has no presence")
	}
	if in == body && want.nullable && !got.nullable {
		c.report(c.only, at, "takes null; the field does not send it")
	}
	if in == body && !want.nullable && got.nullable {
		c.report(onlyProto, at, "takes no null; the field sends it")
	}
}

func (c *comparison) shapes(at string, in place, want, got *shape) {
	switch {
	case want.kind == union && got.kind != union:
		if want = c.variant(at, want); want == nil {
			return
		}
	case want.kind == object && got.kind == union:
		got = c.flat(got)
	default:
	}
	if !c.same(want, got) {
		c.report(differ, at, "%s; %s", described(want), described(got))
		return
	}
	switch want.kind {
	case array:
		if in != response && !c.names {
			c.bounds(at+"[]", &member{shape: want.element}, &member{shape: got.element})
		}
		c.shapes(at+"[]", in, want.element, got.element)
	case object:
		pair := [2]*shape{want, got}
		if c.active[pair] {
			return
		}
		c.active[pair] = true
		c.members(at, in, want.members, got.members)
		delete(c.active, pair)
	case mapping:
		c.shapes(at+".*", in, want.element, got.element)
	case union, choice:
		c.variants(at, in, want, got)
	case text, closed:
		c.values(at, in, want, got)
	default:
	}
}

// isSet reports whether s is a set of strings: an enum, or a string under a rule. A
// constant is a set of one.
func isSet(s *shape) bool { return s.kind == closed || s.kind == text && len(s.values) > 0 }

// same reports whether two shapes are of one kind, and can be compared further.
func (c *comparison) same(want, got *shape) bool {
	return want.kind == got.kind || isSet(want) && isSet(got) || c.names && want.kind == integer && got.kind == instant
}
