package service

import (
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
)

// requestValidator applies buf.validate rules. A rule that cannot be evaluated
// is an internal error, never a pass.
type requestValidator struct{ rules protovalidate.Validator }

// Validate implements [Validator].
func (v requestValidator) Validate(msg proto.Message) error { return v.rules.Validate(msg) }
