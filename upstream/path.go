package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/pathtemplate"
)

// maxSegment bounds a value in a path, in bytes before escaping.
const maxSegment = 256

// segment is a piece of a path: a literal, or a field's value.
type segment struct {
	literal  string
	variable protoreflect.FieldDescriptor
	// taken are the literals that other paths have at this place.
	taken map[string]*routeNode
}

// compilePath compiles a template such as "/organization/users/{user_id}", each
// variable of which is a field of input.
func compilePath(template string, input protoreflect.MessageDescriptor) ([]segment, error) {
	parsed, err := pathtemplate.Parse(template)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", template, err)
	}
	segments := make([]segment, len(parsed))
	seen := map[protoreflect.Name]bool{}
	for i, part := range parsed {
		if part.Literal == pathtemplate.Any {
			return nil, fmt.Errorf("path %q: segment %q is neither a plain literal nor {field}", template, part.Literal)
		}
		if !part.IsVariable {
			segments[i].literal = part.Literal
			continue
		}
		name := part.Variable
		field := input.Fields().ByName(protoreflect.Name(name))
		switch {
		case field == nil:
			return nil, fmt.Errorf("path variable %q has no field in %s", name, input.FullName())
		case seen[field.Name()]:
			return nil, fmt.Errorf("path variable %q occurs twice", name)
		case field.Kind() != protoreflect.StringKind:
			return nil, fmt.Errorf("path variable %q is not a string", name)
		case field.IsList():
			return nil, fmt.Errorf("path variable %q is repeated", name)
		case field.HasPresence():
			return nil, fmt.Errorf("path variable %q is optional", name)
		}
		seen[field.Name()] = true
		segments[i].variable = field
	}
	return segments, nil
}

// expandPath fills in the variables, each escaped and confined to its segment.
func expandPath(segments []segment, m protoreflect.Message) (string, error) {
	path, err := appendPath(nil, segments, m)
	return string(path), err
}

func appendPath(path []byte, segments []segment, m protoreflect.Message) ([]byte, error) {
	for _, s := range segments {
		path = append(path, '/')
		if s.variable == nil {
			path = append(path, s.literal...)
			continue
		}
		value := m.Get(s.variable).String()
		if err := checkSegment(value); err != nil {
			return nil, &RequestError{Field: string(s.variable.Name()), Reason: err.Error()}
		}
		if s.taken[value] != nil {
			return nil, &RequestError{Field: string(s.variable.Name()), Reason: "must not be a literal that another path of the API has here"}
		}
		path = append(path, url.PathEscape(value)...)
	}
	return path, nil
}

// checkSegment refuses a value that a server or proxy on the way could read as more
// than a name, escaped or not. The errors do not repeat the value.
func checkSegment(value string) error {
	switch {
	case value == "":
		return errors.New("must not be empty")
	case len(value) > maxSegment:
		return fmt.Errorf("must not be longer than %d bytes", maxSegment)
	case value == "." || value == "..":
		return errors.New("must not be a relative path")
	case !utf8.ValidString(value):
		return errors.New("must be valid UTF-8")
	case strings.ContainsAny(value, `/\?#%`):
		return errors.New(`must not contain any of / \ ? # %`)
	case strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("must not contain control characters")
	}
	return nil
}
