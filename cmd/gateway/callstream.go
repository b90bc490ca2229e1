package main

import (
	"fmt"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/client/inventories"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// messages are the messages of a stream of any type.
type messages struct {
	connect.ClientStream
	of protoreflect.MessageType
}

func (m messages) receive() (proto.Message, error) {
	message := m.of.New().Interface()
	return message, m.ClientStream.Receive(message)
}

// inventory is the stream of an inventory, as its walk wants it.
type inventory struct{ messages }

// Receive implements inventories.Stream.
func (i inventory) Receive() (inventories.Message, error) {
	message, err := i.receive()
	if err != nil {
		return nil, err
	}
	return message.(inventories.Message), nil //nolint:forcetypeassert // Whoever opened it has looked.
}

// event prints what an event of an inventory has: the items of its page, each with what
// the page says of all of them, or, in JSON and YAML, the page as it is.
func (a *answers) event(message protoreflect.Message) error {
	if a.format != output.Text {
		return output.One(a.std.out, a.format, message.Interface())
	}
	var err error
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() != nil && !field.IsList() {
			err = a.page(value.Message())
		}
		return err == nil
	})
	return err
}

// page prints the items of a page, or, where it has no list, what it has itself.
func (a *answers) page(page protoreflect.Message) error {
	fields := page.Descriptor().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); field.IsList() && field.Message() != nil {
			items := page.Get(field).List()
			for i := range items.Len() {
				if err := a.rows.Add(page, items.Get(i).Message()); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return a.rows.Add(page)
}

// progress tells how far an inventory is.
func (a *answers) progress(p *inventoryv1.Progress) {
	text := fmt.Sprintf("%d of %d reads, %d items", p.GetCallsDone(), p.GetCallsKnown(), p.GetItems())
	if p.GetFailures() > 0 {
		text += fmt.Sprintf(", %d failures", p.GetFailures())
	}
	if p.GetTimeLeft() != nil {
		text += ", " + p.GetTimeLeft().AsDuration().Round(time.Second).String() + " left"
	}
	a.note(text)
}

// note writes a line to the terminal that the next one replaces. Where there is none, it
// writes nothing.
func (a *answers) note(text string) {
	if !output.Terminal(a.std.err) || text == "" && !a.noted {
		return
	}
	a.noted = text != ""
	// There is nowhere else to tell it.
	_, _ = fmt.Fprint(a.std.err, "\r\x1b[K", output.Printable(text))
}
