package service

import (
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
)

// Validator checks a request against the rules of its schema.
type Validator interface {
	// Validate reports a broken rule as a *protovalidate.ValidationError.
	Validate(msg proto.Message) error
}

// NewValidator makes one that applies buf.validate rules. It compiles those of a
// message when it first meets it, and is safe for concurrent use. A rule that
// cannot be evaluated is an internal error of the call, never a pass.
func NewValidator() (Validator, error) {
	rules, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("service: rules of requests: %w", err)
	}
	return requestValidator{rules}, nil
}

type requestValidator struct{ rules protovalidate.Validator }

// Validate implements [Validator].
func (v requestValidator) Validate(msg proto.Message) error { return v.rules.Validate(msg) }
