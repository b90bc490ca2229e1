package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// prefix is what the paths of the REST door begin with.
const prefix = "/v1"

// exampleServer is where the demo serves. A client replaces it.
const exampleServer = "http://127.0.0.1:8080" + prefix

const description = `The Admin API's own paths and JSON, served by the gateway to callers with a token of its policy. ` +
	`Answers are the upstream's, byte for byte: a member or an enum value that this description lacks may appear. ` +
	`Requests are read strictly: an unknown member or parameter is refused.`

// OpenAPI returns a description of the REST door in OpenAPI 3.1, as indented
// JSON. Version is that of the gateway. Equal schemas give equal bytes.
func (s *Schema) OpenAPI(version string) ([]byte, error) {
	all, err := operations(s.files)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	c := &components{comments: s.comments, owners: map[string]protoreflect.FullName{errorSchema: ""}}
	paths, tags := object{}, []object{}
	for _, op := range all {
		item, _ := paths.get(op.template).(object)
		item.set(strings.ToLower(op.verb), c.operation(op))
		paths.set(op.template, item)
		if !slices.ContainsFunc(tags, func(tag object) bool { return tag.get("name") == op.service() }) {
			tags = append(tags, object{{"name", op.service()}, {"description", s.comments[op.method.Parent().FullName()]}})
		}
	}
	if err := errors.Join(c.faults...); err != nil {
		return nil, err
	}
	slices.SortFunc(c.schemas, func(a, b property) int { return strings.Compare(a.name, b.name) })
	document := object{
		{"openapi", "3.1.0"},
		{"info", object{{"title", "Admin Gateway: the REST door"}, {"version", version}, {"description", description}}},
		{"servers", []object{{{"url", exampleServer}, {"description", "The demo. A client sets the gateway's address in its place."}}}},
		{"security", []object{{{"token", []string{}}}}},
		{"tags", tags},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{{"token", object{
				{"type", "http"}, {"scheme", "bearer"},
				{"description", "A caller's token of the gateway, or a JWT of an issuer that it trusts. Never the upstream's admin key."},
			}}}},
			{"parameters", sharedParameters()},
			{"headers", sharedHeaders()},
			{"responses", sharedResponses()},
			{"schemas", append(object{{errorSchema, errorBody()}}, c.schemas...)},
		}},
	}
	text, err := json.MarshalIndent(document, "", "  ")
	return append(text, '\n'), err
}

func (c *components) operation(op operation) object {
	described := object{
		{"operationId", op.service() + "_" + string(op.method.Name())},
		{"tags", []string{op.service()}},
	}
	if text := c.comments[op.method.FullName()]; text != "" {
		described.set("summary", firstSentence(text))
		described.set("description", text)
	}
	described.set("x-rpc", op.rpc())
	described.set("x-permission", op.policy.GetPermission())
	if parameters := c.parameters(op); len(parameters) > 0 {
		described.set("parameters", parameters)
	}
	if op.hasBody {
		described.set("requestBody", object{
			{"required", slices.ContainsFunc(op.rest, isRequired)},
			{"content", jsonContent(c.body(op.method.Input(), op.rest))},
		})
	}
	described.set("responses", c.responses(op))
	return described
}

func firstSentence(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	first, _, _ = strings.Cut(first, ". ")
	return strings.TrimSuffix(first, ".")
}

// parameters lists those of the path, of the query, and the headers that mean
// something for this operation.
func (c *components) parameters(op operation) []object {
	var all []object
	for _, field := range op.path {
		all = append(all, c.parameter(field, jsonName(field), "path"))
	}
	if !op.hasBody {
		for _, field := range op.rest {
			all = append(all, c.query(field))
		}
	}
	switch {
	case !op.reads():
		all = append(all, reference("parameters", idempotencyKey))
	case op.policy.GetCache() != nil:
		all = append(all, reference("parameters", cacheControl))
	}
	return all
}

func (c *components) parameter(field protoreflect.FieldDescriptor, name, in string) object {
	p := object{{"name", name}, {"in", in}}
	if text := c.comments[field.FullName()]; text != "" {
		p.set("description", text)
	}
	if in == "path" || isRequired(field) {
		p.set("required", true)
	}
	return p.and("schema", c.value(field, taken))
}

// query describes a parameter as upstream writes it: "name[]=a&name[]=b" for a
// list, "name[member]=a" for a message.
func (c *components) query(field protoreflect.FieldDescriptor) object {
	message := field.Message()
	switch {
	case field.IsList():
		return c.parameter(field, jsonName(field)+"[]", "query").and("style", "form").and("explode", true)
	case message == nil || message.FullName() == "google.protobuf.Timestamp":
		return c.parameter(field, jsonName(field), "query")
	}
	for i := range message.Fields().Len() {
		member := message.Fields().Get(i)
		if member.IsList() || member.Message() != nil && member.Message().FullName() != "google.protobuf.Timestamp" {
			c.faults = append(c.faults, place(member, "deepObject, the query style of OpenAPI, has one level of scalars"))
		}
	}
	return c.parameter(field, jsonName(field), "query").and("style", "deepObject").and("explode", true)
}

// and returns the object with one member more.
func (o object) and(name string, value any) object {
	o.set(name, value)
	return o
}

func (c *components) responses(op operation) object {
	headers := object{{requestID, reference("headers", requestID)}, {cacheControl, reference("headers", cacheControl)}}
	if op.reads() {
		headers.set(age, reference("headers", age))
		headers.set(cacheStatus, reference("headers", cacheStatus))
	} else {
		headers.set(idempotencyReplayed, reference("headers", idempotencyReplayed))
	}
	headers.set(answerOmitted, reference("headers", answerOmitted))
	text := c.comments[op.answer.FullName()]
	if text == "" {
		text = "The answer of the upstream."
	}
	answer := c.message(op.answer, answered)
	if op.answer == op.method.Output() {
		c.page(op.answer)
	}
	responses := object{{"200", object{
		{"description", text},
		{"headers", headers},
		{"content", jsonContent(answer)},
	}}}
	if !op.reads() {
		responses.set("424", reference("responses", outcomeUnknown))
	}
	return responses.and("default", reference("responses", refused))
}

func jsonContent(schema object) object {
	return object{{"application/json", object{{"schema", schema}}}}
}

func reference(kind, name string) object {
	return object{{"$ref", "#/components/" + kind + "/" + name}}
}
