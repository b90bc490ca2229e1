package upstream

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// parser returns the function that reads one value of the field. It accepts the
// spelling that formatter writes, and no other.
func parser(field protoreflect.FieldDescriptor) (func(string) (protoreflect.Value, error), error) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return parseText, nil
	case protoreflect.BoolKind:
		return parseBool, nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return func(s string) (protoreflect.Value, error) {
			n, err := parseInt(s, 32)
			return protoreflect.ValueOfInt32(int32(n)), err
		}, nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return func(s string) (protoreflect.Value, error) {
			n, err := parseInt(s, 64)
			return protoreflect.ValueOfInt64(n), err
		}, nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return func(s string) (protoreflect.Value, error) {
			n, err := parseUint(s, 32)
			return protoreflect.ValueOfUint32(uint32(n)), err
		}, nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return func(s string) (protoreflect.Value, error) {
			n, err := parseUint(s, 64)
			return protoreflect.ValueOfUint64(n), err
		}, nil
	case protoreflect.EnumKind:
		return enumParser(field.Enum()), nil
	case protoreflect.MessageKind:
		return parseTimestamp, nil
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.BytesKind, protoreflect.GroupKind:
	}
	return nil, fmt.Errorf("a %s cannot be a query parameter", field.Kind())
}

func parseText(s string) (protoreflect.Value, error) {
	if !utf8.ValidString(s) {
		return protoreflect.Value{}, errors.New("must be valid UTF-8")
	}
	return protoreflect.ValueOfString(s), nil
}

func parseBool(s string) (protoreflect.Value, error) {
	if s != "true" && s != "false" {
		return protoreflect.Value{}, errors.New("must be true or false")
	}
	return protoreflect.ValueOfBool(s == "true"), nil
}

func parseInt(s string, bits int) (int64, error) {
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return 0, errors.New("must be a whole number")
	}
	return n, nil
}

func parseUint(s string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("must be a whole number that is not negative")
	}
	return n, nil
}

func enumParser(enum protoreflect.EnumDescriptor) func(string) (protoreflect.Value, error) {
	numbers := make(map[string]protoreflect.EnumNumber, enum.Values().Len())
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		if spelling, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string); spelling != "" && value.Number() != 0 {
			numbers[spelling] = value.Number()
		}
	}
	return func(s string) (protoreflect.Value, error) {
		number, ok := numbers[s]
		if !ok {
			return protoreflect.Value{}, errors.New("has an unknown value")
		}
		return protoreflect.ValueOfEnum(number), nil
	}
}

func parseTimestamp(s string) (protoreflect.Value, error) {
	seconds, err := parseInt(s, 64)
	if err != nil || seconds < minTimestamp || seconds > maxTimestamp {
		return protoreflect.Value{}, errors.New("must be a time in whole Unix seconds")
	}
	return protoreflect.ValueOfMessage((&timestamppb.Timestamp{Seconds: seconds}).ProtoReflect()), nil
}
