package catalog

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/pathtemplate"
)

// A write makes stale the answers of the reads that its templates match. To find
// them without a search, both sides have tags: a write's tags and those of a read
// have one in common exactly when the write makes the read's answer stale. A tag
// is a template with values in place of its variables, "*" where any value is
// meant, and "$" behind it where the paths below it are excluded.

// TagPattern makes one tag of a request. It is immutable.
type TagPattern struct {
	segments []tagSegment
	exact    bool
}

// tagSegment is a literal ("*" among them) or the value of a field.
type tagSegment struct {
	literal string
	field   protoreflect.FieldDescriptor
}

// Append appends the tag with the request's values. An unset or empty field stands
// for every value.
func (p TagPattern) Append(b []byte, request protoreflect.Message) []byte {
	for _, segment := range p.segments {
		text := segment.literal
		if segment.field != nil {
			text = request.Get(segment.field).String()
		}
		if text == "" {
			text = pathtemplate.Any
		}
		b = append(append(b, '/'), text...)
	}
	if p.exact {
		b = append(b, '$')
	}
	return b
}

// Tags are the patterns of the tags on which the answer to a read depends, or
// which a write makes stale: a write and a read that have a tag in common must not
// share a stored answer. The slice must not be changed.
func (m *Method) Tags() []TagPattern { return m.tags }

// connectReadsAndWrites compiles the tags of all methods, and finds
// invalidations that match no read.
func (c *Catalog) connectReadsAndWrites() {
	for _, write := range c.Mirrored() {
		for _, invalidation := range write.Invalidates {
			pattern := write.writePattern(invalidation)
			write.tags = append(write.tags, pattern)
			matched := false
			for _, read := range c.Mirrored() {
				if read.Read && read.dependsOn(pattern, write) {
					matched = true
				}
			}
			if !matched {
				c.unmatched = append(c.unmatched, fmt.Errorf("rpc %s: invalidates %q, which no read matches", write.Descriptor.FullName(), invalidation.Template))
			}
		}
	}
}

// CheckInvalidations wants every invalidation to match a read. One that matches
// none is more often a mistake than intended, and the read that was meant would
// stay stale. It is for a catalog that has all files: the reads of a write may be
// in another one.
func (c *Catalog) CheckInvalidations() error { return errors.Join(c.unmatched...) }

// writePattern is an invalidation over the fields of the write's request.
func (m *Method) writePattern(invalidation Invalidation) TagPattern {
	p := TagPattern{exact: invalidation.Exact}
	segments, _ := pathtemplate.Parse(invalidation.Template) // applyWritePolicy has checked it.
	for _, segment := range segments {
		p.segments = append(p.segments, m.tagSegment(segment))
	}
	return p
}

// tagSegment is a segment of a template over the method's request.
func (m *Method) tagSegment(segment pathtemplate.Segment) tagSegment {
	if segment.IsVariable {
		return tagSegment{field: m.Descriptor.Input().Fields().ByName(protoreflect.Name(segment.Variable))}
	}
	return tagSegment{literal: segment.Literal}
}

// dependsOn adds the tags by which a read notices the pattern of a write; false
// when the pattern never matches it.
func (m *Method) dependsOn(pattern TagPattern, write *Method) bool {
	if len(pattern.segments) > len(m.path) || pattern.exact && len(pattern.segments) != len(m.path) {
		return false
	}
	variants := []TagPattern{{exact: pattern.exact}}
	for i, segment := range pattern.segments {
		own := m.path[i]
		wild := tagSegment{literal: pathtemplate.Any}
		var choices []tagSegment
		switch {
		case segment.field == nil && segment.literal != pathtemplate.Any:
			if own.IsVariable || own.Literal != segment.literal {
				return false
			}
			choices = []tagSegment{segment}
		case !own.IsVariable:
			return false
		case segment.field == nil:
			choices = []tagSegment{wild}
		default:
			choices = []tagSegment{m.tagSegment(own)}
			if !slices.Contains(write.Endpoint.Variables(), segment.field) {
				// A field of the body may be empty, and then means every value.
				choices = append(choices, wild)
			}
		}
		variants = extended(variants, choices)
	}
	for _, variant := range variants {
		if !slices.ContainsFunc(m.tags, func(p TagPattern) bool { return p.exact == variant.exact && slices.Equal(p.segments, variant.segments) }) {
			m.tags = append(m.tags, variant)
		}
	}
	if !slices.Contains(m.staleBy, write) {
		m.staleBy = append(m.staleBy, write)
	}
	return true
}

// extended continues every pattern with every choice.
func extended(patterns []TagPattern, choices []tagSegment) []TagPattern {
	var longer []TagPattern
	for _, pattern := range patterns {
		for _, choice := range choices {
			longer = append(longer, TagPattern{append(slices.Clone(pattern.segments), choice), pattern.exact})
		}
	}
	return longer
}
