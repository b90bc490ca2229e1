package strictyaml

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

// dictionary reads a mapping whose keys are the author's own. Its type is a map from
// texts.
func (d *decoding) dictionary(node *yaml.Node, into reflect.Value, depth int) {
	if node.Kind != yaml.MappingNode {
		d.fail(node, "must be keys with values")
		return
	}
	entries := reflect.MakeMap(into.Type())
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := reflect.ValueOf(node.Content[i].Value)
		if node.Content[i].Kind != yaml.ScalarNode || entries.MapIndex(key).IsValid() {
			d.fail(node.Content[i], "the key %q occurs twice, or is no text", clipped(node.Content[i].Value))
			continue
		}
		value := reflect.New(into.Type().Elem()).Elem()
		d.value(node.Content[i+1], value, depth+1)
		entries.SetMapIndex(key, value)
	}
	into.Set(entries)
}
