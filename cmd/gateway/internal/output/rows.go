package output

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxColumns is how many fields a table of messages shows; JSON has all.
const maxColumns = 8

// Rows shows messages as a table: a row has one message, or several that belong together,
// as a page and an item on it. Its columns are the fields that the first rows have. Rows of
// other types begin another table.
type Rows struct {
	w     io.Writer
	width int
	held  [][]protoreflect.Message
	paths []path // by column
	table *Table
	types []protoreflect.FullName
}

// path leads to a field of one of the messages of a row.
type path struct {
	message int
	fields  []protoreflect.FieldDescriptor
}

// NewRows begins such a table on a writer of a width in characters; 0 is unlimited.
func NewRows(w io.Writer, width int) *Rows { return &Rows{w: w, width: width} }

// Add adds a row. Lists of messages in the first of several are left out: the others are
// of them.
func (r *Rows) Add(row ...protoreflect.Message) error {
	types := make([]protoreflect.FullName, len(row))
	for i, message := range row {
		types[i] = message.Descriptor().FullName()
	}
	if r.types != nil && !slices.Equal(types, r.types) {
		if err := r.Close(); err != nil {
			return err
		}
		*r = Rows{w: r.w, width: r.width}
		if _, err := io.WriteString(r.w, "\n"); err != nil {
			return err
		}
	}
	r.types = types
	if r.table != nil {
		return r.table.Row(r.cells(row)...)
	}
	if r.held = append(r.held, row); len(r.held) < buffered {
		return nil
	}
	return r.begin()
}

// Close writes what is kept.
func (r *Rows) Close() error {
	if r.table == nil {
		if err := r.begin(); err != nil {
			return err
		}
	}
	return r.table.Close()
}

func (r *Rows) begin() error {
	var names []string
	if len(r.held) > 0 {
		for i, message := range r.held[0] {
			r.columns(message.Descriptor(), path{message: i}, i < len(r.held[0])-1)
		}
		for _, p := range r.paths {
			parts := make([]string, len(p.fields))
			for i, field := range p.fields {
				parts[i] = string(field.Name())
			}
			names = append(names, strings.ToUpper(strings.Join(parts, ".")))
		}
	}
	r.table = NewTable(r.w, r.width, names...)
	for _, row := range r.held {
		if err := r.table.Row(r.cells(row)...); err != nil {
			return err
		}
	}
	r.held = nil
	return nil
}

// columns chooses the fields of a message that some row has, those of a message in it
// included.
func (r *Rows) columns(of protoreflect.MessageDescriptor, above path, around bool) {
	for i := range of.Fields().Len() {
		field := of.Fields().Get(i)
		at := path{above.message, append(slices.Clone(above.fields), field)}
		switch {
		case len(r.paths) == maxColumns,
			len(above.fields) == 0 && field.Name() == "object", // The upstream's word for the type of a thing.
			around && field.IsList() && field.Message() != nil,
			!slices.ContainsFunc(r.held, func(row []protoreflect.Message) bool { return at.has(row) }):
		case len(above.fields) < 2 && field.Message() != nil && !field.IsList() && !field.IsMap() && !wellKnown(field.Message()):
			r.columns(field.Message(), at, false)
		default:
			r.paths = append(r.paths, at)
		}
	}
}

// in is the message that has the field.
func (p path) in(row []protoreflect.Message) (protoreflect.Message, protoreflect.FieldDescriptor) {
	m := row[p.message]
	for _, field := range p.fields[:len(p.fields)-1] {
		m = m.Get(field).Message()
	}
	return m, p.fields[len(p.fields)-1]
}

func (p path) has(row []protoreflect.Message) bool {
	m, field := p.in(row)
	return m.Has(field)
}

func (r *Rows) cells(row []protoreflect.Message) []string {
	cells := make([]string, len(r.paths))
	for i, p := range r.paths {
		if m, field := p.in(row); m.Has(field) {
			cells[i] = Cell(field, m.Get(field))
		}
	}
	return cells
}

func wellKnown(d protoreflect.MessageDescriptor) bool {
	return strings.HasPrefix(string(d.FullName()), "google.protobuf.")
}

// Cell is the value of a field in one line.
func Cell(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	switch {
	case field.IsMap():
		var all []string
		value.Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
			all = append(all, key.String()+"="+single(field.MapValue(), v))
			return true
		})
		slices.Sort(all)
		return strings.Join(all, ",")
	case field.IsList():
		all := make([]string, value.List().Len())
		for i := range all {
			all[i] = single(field, value.List().Get(i))
		}
		return strings.Join(all, ",")
	default:
		return single(field, value)
	}
}

func single(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	switch {
	case field.Enum() != nil:
		known := field.Enum().Values().ByNumber(value.Enum())
		if known == nil {
			return strconv.Itoa(int(value.Enum())) // It is of a newer schema.
		}
		name := string(known.Name())
		return strings.ToLower(strings.TrimPrefix(name, enumPrefix(field.Enum())))
	case field.Message() == nil:
		return value.String()
	}
	switch m := value.Message().Interface().(type) {
	case *timestamppb.Timestamp:
		return m.AsTime().UTC().Format(time.RFC3339)
	case *durationpb.Duration:
		return m.AsDuration().String()
	case proto.Message:
		text, err := compact(m)
		if err != nil {
			return err.Error()
		}
		var name string
		if json.Unmarshal(text, &name) == nil {
			return name
		}
		return string(text)
	}
	return ""
}

// enumPrefix is how the values of an enum begin, as buf's lint wants it.
func enumPrefix(e protoreflect.EnumDescriptor) string {
	if e.Values().Len() == 0 {
		return ""
	}
	return strings.TrimSuffix(string(e.Values().Get(0).Name()), "UNSPECIFIED")
}
