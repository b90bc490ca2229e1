package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// Reference lists every key of gateway.yaml, in the order of the file. It walks the
// types that the file is decoded into, so no key can be missing.
func Reference(d Defaults) []Key {
	r := referencing{texts: keyTexts(), variables: make(map[string]string)}
	c := New(d)
	for _, s := range c.settings() {
		r.variables[s.key] = s.variable()
	}
	r.object("", reflect.ValueOf(c))
	return r.keys
}

// Key is a key of gateway.yaml.
type Key struct {
	// Key is the path of the key. "[]" follows the name of a list whose elements have
	// keys.
	Key string `json:"key"`
	// Variable is the environment variable. It is empty for keys of a list's
	// elements, because a list is set as a whole.
	Variable string `json:"variable,omitempty"`
	// Form describes the notation of the value.
	Form string `json:"form"`
	// Default is the default value. It is empty where there is none.
	Default string `json:"default,omitempty"`
	Text    string `json:"text"`
}

// section returns the first name of a key with several names; "" for a key with one.
func (k Key) section() string {
	name, _, nested := strings.Cut(k.Key, ".")
	if !nested {
		return ""
	}
	return name
}

// referencing is one walk through the types of the config.
type referencing struct {
	texts, variables map[string]string
	keys             []Key
}

func (r *referencing) object(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		r.value(prefix+v.Type().Field(i).Tag.Get("yaml"), v.Field(i))
	}
}

func (r *referencing) value(key string, v reflect.Value) {
	_, described := v.Interface().(strictyaml.Described)
	switch {
	case described:
		r.leaf(key, strictyaml.Form(v.Interface()), v)
	case v.Kind() == reflect.Struct:
		r.object(key+".", v)
	case v.Kind() == reflect.Pointer:
		r.leaf(key, strictyaml.Form(reflect.Zero(v.Type().Elem()).Interface()), v)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		r.leaf(key, "a list", v)
		r.object(key+"[].", reflect.Zero(v.Type().Elem()))
	case v.Kind() == reflect.Slice:
		r.leaf(key, "a list, each "+strictyaml.Form(reflect.Zero(v.Type().Elem()).Interface()), v)
	default:
		r.leaf(key, strictyaml.Form(v.Interface()), v)
	}
}

func (r *referencing) leaf(key, form string, v reflect.Value) {
	k := Key{Key: key, Variable: r.variables[key], Form: form, Text: r.texts[key]}
	if !strings.Contains(key, "[]") {
		k.Default = written(v)
	}
	r.keys = append(r.keys, k)
}

// written returns a value in the notation of the file; "" for none.
func written(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		text := strings.TrimSuffix(value.String(), "m0s")
		if text != value.String() {
			text += "m"
		}
		return text
	case fmt.Stringer:
		return value.String()
	case float64:
		return strconv.FormatFloat(value, 'g', 3, 64)
	}
	switch v.Kind() {
	case reflect.Slice:
		elements := make([]string, v.Len())
		for i := range elements {
			elements[i] = written(v.Index(i))
		}
		return strings.Join(elements, ", ")
	default:
		return fmt.Sprint(v.Interface())
	}
}

const referenceHead = `# Configuration

<!-- Printed by gateway config; make reference writes it anew. -->

` + "`gateway serve --config gateway.yaml`" + ` reads this file. An unknown key, a key that occurs twice and a value of the wrong form are errors at the start, with file, line and column; ` + "`gateway check --config gateway.yaml`" + ` finds them without serving. Relative paths are from the working directory.

Each key is an environment variable too, and the variable wins. Its value for a list is YAML: ` + "`GATEWAY_TLS_TRUST_DOMAINS='[example.org]'`" + `. Keys with ` + "`[]`" + ` are those of a list's elements, and are set with the list. Unknown variables that begin with ` + "`GATEWAY_`" + ` have no effect; a warning names them, at the start and in ` + "`gateway check`" + `. Not unknown are variables that the config names in an ` + "`env`" + `, and those that Kubernetes sets for Services whose name begins with ` + "`gateway`" + `.

The config is read once, at the start. Of the files that it names, those with the policy, the admin key, certificates and the password of Redis are read again when they change; encryption keys, the key of the audit log and headers of telemetry are not.
`

// WriteMarkdown writes a table for each top-level key.
func WriteMarkdown(w io.Writer, keys []Key) error {
	var b strings.Builder
	b.WriteString(referenceHead)
	keys = slices.Clone(keys)
	slices.SortStableFunc(keys, func(a, b Key) int { return strings.Compare(a.section(), b.section()) })
	section := "none yet"
	for _, k := range keys {
		if name := k.section(); name != section {
			section = name
			if name == "" {
				name = "Without a section"
			}
			_, _ = fmt.Fprintf(&b, "\n## %s\n\n| key | variable | form | default | meaning |\n|---|---|---|---|---|\n", name)
		}
		_, _ = fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Key, quoted(k.Variable), k.Form, quoted(k.Default), k.Text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func quoted(code string) string {
	if code == "" {
		return ""
	}
	return "`" + code + "`"
}
