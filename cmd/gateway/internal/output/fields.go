package output

import (
	"io"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Fields shows a message: a line for each field that it has, those of messages in it
// included, and a table for each list of messages.
func Fields(w io.Writer, width int, message protoreflect.Message) error {
	table := NewTable(w, width)
	var lists []protoreflect.FieldDescriptor
	if err := lines(table, "", message, &lists); err != nil {
		return err
	}
	if err := table.Close(); err != nil {
		return err
	}
	for _, field := range lists {
		if _, err := io.WriteString(w, "\n"+string(field.Name())+":\n"); err != nil {
			return err
		}
		rows, items := NewRows(w, width), message.Get(field).List()
		for i := range items.Len() {
			if err := rows.Add(items.Get(i).Message()); err != nil {
				return err
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return nil
}

// lines adds a row for each field of a message. Lists of messages of the outermost are
// left for later.
func lines(table *Table, prefix string, message protoreflect.Message, lists *[]protoreflect.FieldDescriptor) error {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		var err error
		switch {
		case !message.Has(field):
		case prefix == "" && field.IsList() && field.Message() != nil && !wellKnown(field.Message()):
			*lists = append(*lists, field)
		case field.Message() != nil && !field.IsList() && !field.IsMap() && !wellKnown(field.Message()):
			err = lines(table, prefix+string(field.Name())+".", message.Get(field).Message(), lists)
		default:
			err = table.Row(prefix+string(field.Name()), Cell(field, message.Get(field)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
