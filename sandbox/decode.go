package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
)

// maxBody bounds a request body. The largest legitimate one carries a
// certificate chain of a few kilobytes.
const maxBody = 1 << 20

// decodeBody reads one strict JSON object. An operation without fields takes no
// body or an empty object, which generic clients send. An operation whose body is
// optional takes an empty one as an empty object.
func decodeBody(body []byte, op *operation) (values, *apiError) {
	if len(bytes.TrimSpace(body)) == 0 {
		if len(op.body) == 0 && op.variants == nil || op.bodyOptional {
			return values{}, nil
		}
		body = []byte("{}")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var raw any
	if err := decoder.Decode(&raw); err != nil {
		return nil, notJSON()
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, notJSON()
	}
	members, ok := raw.(map[string]any)
	if !ok {
		return nil, badRequest("", "invalid_type", "The request body must be a JSON object.")
	}
	return field{fields: op.body, variants: op.variants}.checkMembers("", members)
}

func notJSON() *apiError {
	return badRequest("", "invalid_json", "We could not parse the JSON body of your request.")
}

// decodeQuery checks a query string. A list is name[]=a&name[]=b or repeated
// name=a; an object is name[member]=a. An empty text without an enum counts as
// absent, because clients send after= for the first page.
func decodeQuery(raw string, fields []field) (values, *apiError) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("", "invalid_query", "We could not parse the query string of your request.")
	}
	members := make(map[string]any, len(query))
	for key, texts := range query {
		name, member, nested := strings.Cut(strings.TrimSuffix(key, "]"), "[")
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if at < 0 {
			return nil, unknownParameter(key)
		}
		f := fields[at]
		switch {
		case f.kind == list && member == "":
			items, _ := members[name].([]any)
			for _, t := range texts {
				items = append(items, queryValue(f.elem.kind, t))
			}
			members[name] = items
		case f.kind == object && nested && len(texts) == 1:
			sub, _ := members[name].(map[string]any)
			if sub == nil {
				sub = make(map[string]any)
			}
			sub[member] = queryValue(f.memberKind(member), texts[0])
			members[name] = sub
		case f.kind == list || f.kind == object || nested:
			return nil, unknownParameter(key)
		case len(texts) > 1:
			return nil, badRequest(name, "duplicate_parameter", "Parameter '%s' was given %d times.", name, len(texts))
		case texts[0] == "" && f.kind == text && f.enum == nil:
		default:
			members[name] = queryValue(f.kind, texts[0])
		}
	}
	return checkObject("", fields, members)
}

func (f field) memberKind(name string) kind {
	for _, sub := range f.fields {
		if sub.name == name {
			return sub.kind
		}
	}
	return text
}

// queryValue returns the JSON value that a text of a query stands for. A text that
// does not fit the kind stays a string, and check refuses it.
func queryValue(k kind, s string) any {
	switch k {
	default: // a string is itself; lists and objects come in pieces
	case integer:
		var n json.Number
		if json.Unmarshal([]byte(s), &n) == nil && !strings.HasPrefix(s, `"`) {
			return n
		}
	case boolean:
		switch s {
		case "true":
			return true
		case "false":
			return false
		}
	}
	return s
}
