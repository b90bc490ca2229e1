package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// schema is the part of a JSON Schema that is read.
type schema struct {
	Ref           string             `json:"$ref"`
	Type          typeNames          `json:"type"`
	Nullable      bool               `json:"nullable"`
	Format        string             `json:"format"`
	Description   string             `json:"description"`
	Enum          []string           `json:"enum"`
	Properties    map[string]*schema `json:"properties"`
	Required      []string           `json:"required"`
	Items         *schema            `json:"items"`
	Others        additional         `json:"additionalProperties"`
	AllOf         []*schema          `json:"allOf"`
	AnyOf         []*schema          `json:"anyOf"`
	OneOf         []*schema          `json:"oneOf"`
	Discriminator struct {
		PropertyName string `json:"propertyName"`
	} `json:"discriminator"`

	Minimum   *float64 `json:"minimum"`
	Maximum   *float64 `json:"maximum"`
	MinLength *float64 `json:"minLength"`
	MaxLength *float64 `json:"maxLength"`
	MinItems  *float64 `json:"minItems"`
	MaxItems  *float64 `json:"maxItems"`
}

// UnmarshalJSON refuses keywords that this tool would pass over.
func (s *schema) UnmarshalJSON(data []byte) error {
	var keywords map[string]json.RawMessage
	if err := json.Unmarshal(data, &keywords); err != nil {
		return err
	}
	for keyword := range keywords {
		switch keyword {
		case "$ref", "type", "format", "description", "enum", "properties", "required", "items",
			"allOf", "anyOf", "oneOf", "discriminator", "additionalProperties",
			"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems":
		case "title", "default", "example", "examples", "deprecated": // Nothing that a value must satisfy.
		case "nullable": // How OpenAPI 3.0 said it; the vendor's 3.1 still does in places.
		default:
			if !strings.HasPrefix(keyword, "x-") {
				return fmt.Errorf("keyword %q is not understood", keyword)
			}
		}
	}
	type plain schema
	return json.Unmarshal(data, (*plain)(s))
}

// bounds returns the limits that the schema sets, nil for none.
func (s *schema) bounds() bounds {
	b := make(bounds)
	for name, limit := range map[string]*float64{
		"minimum": s.Minimum, "maximum": s.Maximum,
		"minLength": s.MinLength, "maxLength": s.MaxLength,
		"minItems": s.MinItems, "maxItems": s.MaxItems,
	} {
		if limit != nil {
			b[name] = *limit
		}
	}
	return b
}

// additional is the keyword "additionalProperties": the schema of a map's values, nil
// for a boolean or an empty schema, which say nothing that a message could.
type additional struct{ *schema }

// UnmarshalJSON reads either form.
func (a *additional) UnmarshalJSON(data []byte) error {
	if v := string(data); v == "true" || v == "false" || v == "{}" {
		return nil
	}
	a.schema = &schema{}
	return json.Unmarshal(data, a.schema)
}

// typeNames is the keyword "type": a name, or a list of them.
type typeNames []string

// UnmarshalJSON reads either form.
func (t *typeNames) UnmarshalJSON(data []byte) error {
	var name string
	if err := json.Unmarshal(data, &name); err == nil {
		*t = typeNames{name}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}
