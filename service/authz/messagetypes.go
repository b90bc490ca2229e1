package authz

import "google.golang.org/protobuf/reflect/protoreflect"

// messageTypes are types of messages by their full names, by which CEL knows them.
type messageTypes map[string]protoreflect.MessageDescriptor

// add adds a type, and those of the messages that it can hold at any depth.
func (t messageTypes) add(message protoreflect.MessageDescriptor) {
	name := string(message.FullName())
	if _, ok := t[name]; ok {
		return
	}
	t[name] = message
	for i := range message.Fields().Len() {
		if m := message.Fields().Get(i).Message(); m != nil {
			t.add(m)
		}
	}
}
