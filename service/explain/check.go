package explain

import (
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// mostViolations bounds the rules of a request that are named; the rest is a number.
const mostViolations = 5

// violations lists the rules that a request does not meet, each with its field.
func violations(request protoreflect.Message) ([]string, error) {
	err := protovalidate.Validate(request.Interface())
	if err == nil {
		return nil, nil
	}
	invalid, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return nil, err
	}
	var list []string
	for i, violation := range invalid.Violations {
		if i == mostViolations {
			return append(list, fmt.Sprintf("%d more", len(invalid.Violations)-i)), nil
		}
		text := violation.Proto.GetMessage()
		if path := protovalidate.FieldPathString(violation.Proto.GetField()); path != "" {
			text = path + ": " + text
		}
		list = append(list, text)
	}
	return list, nil
}
