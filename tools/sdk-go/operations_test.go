package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// operation is a line of operations.txt.
type operation struct {
	line   int
	method string   // as in Python
	ids    []string // of the path, in its order
	params string   // a JSON object, or ""
	keep   map[string]string
}

var operationLine = regexp.MustCompile(`^([\w.]+)((?: \w+=\S+)*)(?: (\{.*?\}))?(?: => (.+))?$`)

// readOperations returns the calls of operations.txt.
func readOperations(t *testing.T) (all []operation) {
	t.Helper()
	text, err := os.ReadFile("operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := 0
	for text := range strings.Lines(string(text)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		parts := operationLine.FindStringSubmatch(text)
		if parts == nil {
			t.Fatalf("operations.txt:%d: %s", line, text)
		}
		o := operation{line: line, method: parts[1], params: parts[3], keep: map[string]string{}}
		for pair := range strings.FieldsSeq(parts[2]) {
			_, id, _ := strings.Cut(pair, "=")
			o.ids = append(o.ids, id)
		}
		for pair := range strings.FieldsSeq(parts[4]) {
			name, path, _ := strings.Cut(pair, "=")
			o.keep[name] = path
		}
		all = append(all, o)
	}
	return all
}

// world has the values of the names in "$name".
type world map[string]string

var placeholder = regexp.MustCompile(`\$(\w+)`)

func (w world) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		quoted, _ := json.Marshal(w[name[1:]])
		return strings.Trim(string(quoted), `"`)
	})
}

// learn stores the values that the operation's line names.
func (w world) learn(o operation, answer []byte) error {
	var decoded any
	if err := json.Unmarshal(answer, &decoded); err != nil {
		return err
	}
	for name, path := range o.keep {
		value := decoded
		for step := range strings.SplitSeq(path, ".") {
			switch v := value.(type) {
			case map[string]any:
				value = v[step]
			case []any:
				if i, err := strconv.Atoi(step); err == nil && i < len(v) {
					value = v[i]
				}
			}
		}
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("%s of %s is %v", path, answer, value)
		}
		w[name] = text
	}
	return nil
}

// goNames spells a method as the SDK for Go does: projects.api_keys.create is
// Projects.APIKeys.New.
func goNames(method string) []string {
	names := strings.Split(method, ".")
	for i, name := range names {
		switch {
		case name == "create" && i == len(names)-1:
			names[i] = "New"
		case name == "retrieve" && i == len(names)-1:
			names[i] = "Get"
		default:
			names[i] = ""
			for word := range strings.SplitSeq(name, "_") {
				if word == "api" {
					names[i] += "API"
				} else {
					names[i] += strings.ToUpper(word[:1]) + word[1:]
				}
			}
		}
	}
	return names
}

// setParams fills the SDK's parameters: those of a body are JSON to it, those of
// a query have a name in a tag.
func setParams(v reflect.Value, params string) error {
	if params == "" {
		return nil
	}
	if _, isBody := v.Addr().Interface().(json.Unmarshaler); isBody {
		return json.Unmarshal([]byte(params), v.Addr().Interface())
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(params), &members); err != nil {
		return err
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("query"), ",")
		member, ok := members[name]
		if !ok {
			continue
		}
		delete(members, name)
		field := v.Field(i)
		if _, leaf := field.Addr().Interface().(json.Unmarshaler); field.Kind() == reflect.Struct && !leaf {
			if err := setParams(field, string(member)); err != nil {
				return err
			}
		} else if err := json.Unmarshal(member, field.Addr().Interface()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(members) > 0 {
		return fmt.Errorf("%s has no %v", v.Type(), members)
	}
	return nil
}
