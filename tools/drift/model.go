package main

import "strconv"

// kind is the kind of a JSON value, in terms that both sides share.
type kind string

const (
	text    kind = "string"
	integer kind = "integer"
	number  kind = "number"
	boolean kind = "boolean"
	instant kind = "instant"
	closed  kind = "enum"
	object  kind = "object"
	free    kind = "free-form object"
	array   kind = "array"
	mapping kind = "map"
	union   kind = "union"
	choice  kind = "choice of types"
)

// shape is a type as one side describes it. Both sides are read into shapes, so
// that they are compared without either's notation.
type shape struct {
	kind     kind
	values   []string           // Of a closed set; of a string, the only ones allowed.
	members  map[string]*member // Of an object, by JSON name.
	element  *shape             // Of an array, and of a map's values.
	variants map[string]*shape  // Of a union, by the constant that distinguishes them; of a choice, by type.
	bounds   bounds
	prose    string // The description's text.
}

// member is a named value: a property or a parameter, a field.
type member struct {
	*shape

	// required: the OpenAPI description lists it; no request goes out without it.
	required bool
	// nullable: an explicit null is allowed; the field is declared to send one.
	nullable bool
	// presence is how the field represents an absent value. The OpenAPI side leaves it
	// unset.
	presence presence
}

// presence is how a field represents an absent value.
type presence int

const (
	implicit presence = iota // Absent and zero are the same.
	explicit                 // Declared so: optional, or a message that stands for an array.
	inherent                 // A message or a member of a oneof, which has no choice.
)

// bounds holds limits by the name of the JSON Schema keyword: minimum,
// maximum, minLength, maxLength, minItems, maxItems.
type bounds map[string]float64

// operation is an endpoint as one side describes it.
type operation struct {
	name     string // Verb and path: "GET /organization/users/{user_id}".
	path     map[string]*member
	query    map[string]*member
	body     *shape // nil: none.
	response *shape // nil: none.
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
