package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

const timestampName protoreflect.FullName = "google.protobuf.Timestamp"

// The range of a Timestamp, in Unix seconds: years 1 to 9999.
const (
	minTimestamp = -62135596800
	maxTimestamp = 253402300799
)

// maxQueryDepth bounds nested messages; the API has one level.
const maxQueryDepth = 4

// parameter is a field of a request that is sent in the query.
type parameter struct {
	field  protoreflect.FieldDescriptor
	path   string // the field's path in the message, for errors
	key    string // escaped
	text   appender
	nested []parameter // of a message: its members; text is nil
}

// appender writes one value, escaped.
type appender func(query []byte, value protoreflect.Value) ([]byte, error)

// compileQuery makes parameters of the fields that are not in skip, sorted by the name
// that is sent: a query is canonical, in whatever order the proto declares its fields.
func compileQuery(md protoreflect.MessageDescriptor, skip map[protoreflect.Name]bool) ([]parameter, error) {
	return compileParameters(md, skip, "", "", 0)
}

func compileParameters(md protoreflect.MessageDescriptor, skip map[protoreflect.Name]bool, path, prefix string, depth int) ([]parameter, error) {
	if depth == maxQueryDepth {
		return nil, fmt.Errorf("query parameter %s is nested deeper than %d messages", strings.TrimSuffix(path, "."), maxQueryDepth)
	}
	fields := md.Fields()
	parameters := make([]parameter, 0, fields.Len())
	for i := range fields.Len() {
		field := fields.Get(i)
		if skip[field.Name()] {
			continue
		}
		p := parameter{field: field, path: path + string(field.Name())}
		name := jsonName(field)
		if prefix != "" {
			name = prefix + "[" + name + "]"
		}
		var err error
		switch {
		case field.IsMap():
			err = errors.New("a map cannot be a query parameter")
		case isMessage(field) && field.Message().FullName() != timestampName:
			if field.IsList() {
				err = errors.New("a repeated message cannot be a query parameter")
				break
			}
			p.nested, err = compileParameters(field.Message(), nil, p.path+".", name, depth+1)
		default:
			p.text, err = formatter(field)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field.FullName(), err)
		}
		if field.IsList() {
			name += "[]"
		}
		p.key = escapeQuery(name)
		parameters = append(parameters, p)
	}
	slices.SortFunc(parameters, func(a, b parameter) int { return cmp.Compare(a.key, b.key) })
	for i := 1; i < len(parameters); i++ {
		if parameters[i].key == parameters[i-1].key {
			return nil, fmt.Errorf("%s and %s are the same query parameter", parameters[i-1].field.FullName(), parameters[i].field.FullName())
		}
	}
	return parameters, nil
}

func isMessage(field protoreflect.FieldDescriptor) bool {
	return field.Kind() == protoreflect.MessageKind || field.Kind() == protoreflect.GroupKind
}

// jsonName is the upstream's name of the field.
func jsonName(field protoreflect.FieldDescriptor) string {
	if mapping, ok := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping); ok && mapping.GetName() != "" {
		return mapping.GetName()
	}
	return string(field.Name())
}

// escapeQuery escapes a space as %20: "+" means a space to forms alone.
func escapeQuery(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// formatter returns the function that writes one value of the field.
func formatter(field protoreflect.FieldDescriptor) (appender, error) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return func(q []byte, v protoreflect.Value) ([]byte, error) {
			return append(q, escapeQuery(v.String())...), nil
		}, nil
	case protoreflect.BoolKind:
		return func(q []byte, v protoreflect.Value) ([]byte, error) { return strconv.AppendBool(q, v.Bool()), nil }, nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return func(q []byte, v protoreflect.Value) ([]byte, error) { return strconv.AppendInt(q, v.Int(), 10), nil }, nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return func(q []byte, v protoreflect.Value) ([]byte, error) { return strconv.AppendUint(q, v.Uint(), 10), nil }, nil
	case protoreflect.EnumKind:
		return enumFormatter(field.Enum())
	case protoreflect.MessageKind:
		return appendTimestamp, nil
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.BytesKind, protoreflect.GroupKind:
	}
	return nil, fmt.Errorf("a %s cannot be a query parameter", field.Kind())
}

func enumFormatter(enum protoreflect.EnumDescriptor) (appender, error) {
	spellings := make(map[protoreflect.EnumNumber]string, enum.Values().Len())
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		if value.Number() == 0 {
			continue
		}
		spelling, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string)
		if spelling == "" {
			return nil, fmt.Errorf("%s has no (admingateway.options.v1.json_value)", value.FullName())
		}
		spellings[value.Number()] = escapeQuery(spelling)
	}
	return func(q []byte, v protoreflect.Value) ([]byte, error) {
		spelling, ok := spellings[v.Enum()]
		if !ok {
			return nil, errors.New("must be a value that the upstream knows")
		}
		return append(q, spelling...), nil
	}, nil
}

func appendTimestamp(query []byte, v protoreflect.Value) ([]byte, error) {
	var seconds, nanos int64
	if t, ok := v.Message().Interface().(*timestamppb.Timestamp); ok {
		seconds, nanos = t.GetSeconds(), int64(t.GetNanos())
	} else { // a dynamic message
		m := v.Message()
		fields := m.Descriptor().Fields()
		seconds, nanos = m.Get(fields.ByName("seconds")).Int(), m.Get(fields.ByName("nanos")).Int()
	}
	switch {
	case nanos != 0:
		return nil, errors.New("must be a whole second")
	case seconds < minTimestamp || seconds > maxTimestamp:
		return nil, errors.New("must be between the years 1 and 9999")
	}
	return strconv.AppendInt(query, seconds, 10), nil
}

func encodeQuery(parameters []parameter, m protoreflect.Message) (string, error) {
	query, err := appendQuery(nil, 0, parameters, m)
	return string(query), err
}

// appendQuery writes a plain scalar always, and the rest when set. The query
// begins at start.
func appendQuery(query []byte, start int, parameters []parameter, m protoreflect.Message) ([]byte, error) {
	var err error
	for i := range parameters {
		p := &parameters[i]
		if (p.field.HasPresence() || p.field.IsList()) && !m.Has(p.field) {
			continue
		}
		value := m.Get(p.field)
		switch {
		case p.text == nil:
			query, err = appendQuery(query, start, p.nested, value.Message())
		case p.field.IsList():
			list := value.List()
			for j := 0; j < list.Len() && err == nil; j++ {
				query, err = appendPair(query, start, p, list.Get(j))
				if refused, ok := errors.AsType[*RequestError](err); ok {
					refused.Field += "[" + strconv.Itoa(j) + "]"
				}
			}
		default:
			query, err = appendPair(query, start, p, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return query, nil
}

func appendPair(query []byte, start int, p *parameter, value protoreflect.Value) ([]byte, error) {
	if len(query) > start {
		query = append(query, '&')
	}
	query = append(query, p.key...)
	query = append(query, '=')
	query, err := p.text(query, value)
	if err != nil {
		return nil, &RequestError{Field: p.path, Reason: err.Error()}
	}
	return query, nil
}
