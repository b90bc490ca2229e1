package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// prepare writes the description as the mock needs it, without its examples: they are
// texts of JSON, which the mock would answer with as strings. Without them it answers
// with what the schemas say.
func prepare(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	withoutExamples(root, false)
	// 61 operations refer to a response that the description does not define.
	components, ok := root["components"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no components", from)
	}
	components["responses"] = map[string]any{"TooManyRequests": map[string]any{"description": "Too many requests."}}
	if raw, err = json.Marshal(root); err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// withoutExamples removes them everywhere below v. The keys of properties are names of
// members, and not keywords.
func withoutExamples(v any, properties bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if !properties && (key == "example" || key == "examples" || key == "x-example") {
				delete(v, key)
				continue
			}
			withoutExamples(inner, !properties && key == "properties")
		}
	case []any:
		for _, inner := range v {
			withoutExamples(inner, false)
		}
	}
}
