package sandbox

import (
	"encoding/json"
	"slices"
)

// union declares an object with a "type", which is the name of a variant.
func union(name string, variants ...field) field {
	return field{name: name, kind: object, variants: variants}
}

// variant declares the members that an object of the type has besides "type".
func variant(typeName string, fields ...field) field {
	return obj(typeName, append(fields, str("type").must())...)
}

func (f field) checkMap(at string, m map[string]any) (any, *apiError) {
	switch f.kind {
	case free:
		return m, nil
	case scalars:
		for name, v := range m {
			switch v.(type) {
			case string, bool, json.Number:
			default:
				return nil, badRequest(join(at, name), "invalid_type",
					"Invalid type for '%s': expected a string, a boolean or a number.", join(at, name))
			}
		}
		return m, nil
	default:
		checked, err := f.checkMembers(at, m)
		if err != nil {
			return nil, err
		}
		return checked, nil
	}
}

// checkMembers checks the members of an object, which its type may select.
func (f field) checkMembers(at string, m map[string]any) (values, *apiError) {
	if f.variants == nil {
		return checkObject(at, f.fields, m)
	}
	names := make([]string, len(f.variants))
	for i, v := range f.variants {
		names[i] = v.name
	}
	only := map[string]any{}
	if v, present := m["type"]; present {
		only["type"] = v
	}
	chosen, err := checkObject(at, []field{str("type").oneOf(names...).must()}, only)
	if err != nil {
		return nil, err
	}
	return checkObject(at, f.variants[slices.Index(names, chosen.str("type"))].fields, m)
}
