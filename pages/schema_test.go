package pages

import (
	"context"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The three styles, and messages that are of none. They are compiled here so
// that this package's tests say something about pages and nothing about the
// schema of the day.
const schema = `
syntax = "proto3";
package test;

message Item { string id = 1; }
message Other { string id = 1; }

message AfterRequest { optional string after = 1; optional string before = 2; int64 limit = 3; }
message PlainRequest { string after = 1; }
message PageRequest { optional string page = 1; int64 limit = 3; }
message NoCursorRequest { int64 limit = 1; }
message TwoCursorRequest { string after = 1; string page = 2; }

message LastID { repeated Item data = 1; bool has_more = 2; optional string last_id = 3; }
message Next { repeated Item data = 1; bool has_more = 2; optional string next = 3; }
message NextPage { repeated Item data = 1; bool has_more = 2; optional string next_page = 3; }

message NoData { bool has_more = 2; optional string next = 3; }
message StringData { repeated string data = 1; bool has_more = 2; optional string next = 3; }
message NoMore { repeated Item data = 1; optional string next = 3; }
message Nameless { string name = 1; }
message NoNext { repeated Nameless data = 1; bool has_more = 2; }
message LastItem { repeated Item data = 1; bool has_more = 2; }
message TwoNext { repeated Item data = 1; bool has_more = 2; string next = 3; string last_id = 4; }
`

type message = *dynamicpb.Message

// types makes messages of the schema by name.
type types struct{ file protoreflect.FileDescriptor }

func compile(tb testing.TB) types {
	tb.Helper()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{"test.proto": schema}),
	}}
	files, err := compiler.Compile(tb.Context(), "test.proto")
	if err != nil {
		tb.Fatal(err)
	}
	return types{files[0]}
}

func (ts types) new(name protoreflect.Name) message {
	return dynamicpb.NewMessage(ts.file.Messages().ByName(name))
}

// with sets a string field.
func with(m message, field protoreflect.Name, value string) message {
	m.Set(m.Descriptor().Fields().ByName(field), protoreflect.ValueOfString(value))
	return m
}

// style is one way to page.
type style struct {
	request, cursor protoreflect.Name
	response, next  protoreflect.Name
}

func styles() []style {
	return []style{
		{"AfterRequest", "after", "LastID", "last_id"},
		{"PlainRequest", "after", "LastID", "last_id"},
		{"AfterRequest", "after", "Next", "next"},
		{"PageRequest", "page", "NextPage", "next_page"},
	}
}

// reply is the answer of a scripted server to one request.
type reply struct {
	ids  []string
	more bool
	next string // Unset when empty.
}

// server answers by the cursor that it is asked for.
type server struct {
	types
	style

	answer func(cursor string) (reply, error)
	asked  []string
}

func (s *server) list(_ context.Context, req message) (message, error) {
	cursor := req.Get(req.Descriptor().Fields().ByName(s.cursor)).String()
	s.asked = append(s.asked, cursor)
	r, err := s.answer(cursor)
	if err != nil {
		return nil, err
	}
	return s.page(r), nil
}

func (s *server) page(r reply) message {
	m := s.new(s.response)
	fields := m.Descriptor().Fields()
	data := m.Mutable(fields.ByName("data")).List()
	for _, id := range r.ids {
		data.Append(protoreflect.ValueOfMessage(with(s.new("Item"), "id", id)))
	}
	if r.more {
		m.Set(fields.ByName("has_more"), protoreflect.ValueOfBool(true))
	}
	if r.next != "" {
		with(m, s.next, r.next)
	}
	return m
}

// id is an item's id.
func id(item proto.Message) string {
	m := item.ProtoReflect()
	return m.Get(m.Descriptor().Fields().ByName("id")).String()
}
