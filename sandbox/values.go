package sandbox

// values are the checked members of a request: string, int64, bool, []any,
// values, and map[string]any where any member is allowed, by name. An absent name is absent; an explicit null is present and
// nil.
type values map[string]any

func (v values) has(name string) bool      { _, ok := v[name]; return ok }
func (v values) isNull(name string) bool   { x, ok := v[name]; return ok && x == nil }
func (v values) str(name string) string    { s, _ := v[name].(string); return s }
func (v values) num(name string) int64     { n, _ := v[name].(int64); return n }
func (v values) flag(name string) bool     { b, _ := v[name].(bool); return b }
func (v values) object(name string) values { o, _ := v[name].(values); return o }

// optStr returns nil for an absent or null member.
func (v values) optStr(name string) *string {
	if s, ok := v[name].(string); ok {
		return &s
	}
	return nil
}

func (v values) strs(name string) []string {
	items, _ := v[name].([]any)
	out := make([]string, 0, len(items))
	for _, item := range items {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (v values) objects(name string) []values {
	items, _ := v[name].([]any)
	out := make([]values, 0, len(items))
	for _, item := range items {
		if o, ok := item.(values); ok {
			out = append(out, o)
		}
	}
	return out
}

// free returns a member that is an object of any members.
func (v values) free(name string) map[string]any { m, _ := v[name].(map[string]any); return m }

// assign updates a nullable attribute as the upstream does: null clears it, an
// absent member leaves it.
func (v values) assign(name string, target **string) {
	if v.has(name) {
		*target = v.optStr(name)
	}
}
