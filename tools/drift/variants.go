package main

import (
	"fmt"
	"maps"
	"slices"
)

// alternatives returns the shape of a value that has one of several: an open or closed
// set of strings, a union of objects that a constant distinguishes, or a choice of
// types. The discriminator is the name of the constant, "" where the description does not
// say it.
func alternatives(shapes []*shape, discriminator string) (*shape, error) {
	switch {
	case len(shapes) == 1:
		return shapes[0], nil
	case all(shapes, isString):
		return merged(shapes), nil
	case all(shapes, func(s *shape) bool { return s.kind == object }):
		return discriminated(shapes, discriminator)
	}
	s := &shape{kind: choice, variants: make(map[string]*shape)}
	for _, alternative := range shapes {
		parts := map[string]*shape{typeName(alternative): alternative}
		if alternative.kind == choice {
			parts = alternative.variants
		}
		for name, part := range parts {
			if s.variants[name] != nil {
				return nil, fmt.Errorf("alternatives that neither a constant nor their type distinguishes: two of %s", name)
			}
			s.variants[name] = part
		}
	}
	return s, nil
}

func all(shapes []*shape, is func(*shape) bool) bool {
	return len(shapes) > 0 && !slices.ContainsFunc(shapes, func(s *shape) bool { return !is(s) })
}

func isString(s *shape) bool { return s.kind == text || s.kind == closed }

// merged joins sets of strings. One that takes all makes the others examples.
func merged(shapes []*shape) *shape {
	set := &shape{kind: closed}
	for _, s := range shapes {
		if len(s.values) == 0 {
			return &shape{kind: text}
		}
		for _, value := range s.values {
			if !slices.Contains(set.values, value) {
				set.values = append(set.values, value)
			}
		}
	}
	if len(set.values) == 1 { // A constant.
		set.kind = text
	}
	return set
}

// discriminated makes a union of objects: each has the member of that name, with
// a constant of its own.
func discriminated(shapes []*shape, name string) (*shape, error) {
	names := []string{name}
	if name == "" {
		names = slices.Sorted(maps.Keys(shapes[0].members))
	}
	for _, name := range names {
		s := &shape{kind: union, variants: make(map[string]*shape)}
		for _, alternative := range shapes {
			if m := alternative.members[name]; m != nil && m.kind == text && len(m.values) == 1 {
				s.variants[m.values[0]] = alternative
			}
		}
		if len(s.variants) == len(shapes) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("alternatives that no constant distinguishes, in %v", names)
}

// flattened returns a union as one object with the members of all variants, and its
// discriminator as an enum: the form in which the other side may describe it.
func flattened(s *shape) *shape {
	flat := &shape{kind: object, members: make(map[string]*member)}
	for _, constant := range slices.Sorted(maps.Keys(s.variants)) {
		for name, m := range s.variants[constant].members {
			before := flat.members[name]
			if before == nil {
				copied := *m
				flat.members[name] = &copied
				continue
			}
			before.required = before.required && m.required
			if isSet(before.shape) && isSet(m.shape) {
				before.shape = merged([]*shape{before.shape, m.shape})
			}
		}
	}
	for name, m := range flat.members {
		for _, variant := range s.variants {
			if variant.members[name] == nil { // Absent in the others.
				m.required, m.presence = false, inherent
			}
		}
	}
	return flat
}

// typeName is the name of a value's type in JSON, as far as a choice tells types
// apart.
func typeName(s *shape) string {
	switch s.kind {
	case text, closed:
		return string(text)
	case instant:
		return string(integer)
	case free, mapping, union:
		return string(object)
	default:
		return string(s.kind)
	}
}
