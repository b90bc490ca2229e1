package config

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// TestReferenceIsWhole: every key has a description and, unless it is inside of a
// list, a variable; and every description and variable belongs to a key.
func TestReferenceIsWhole(t *testing.T) {
	t.Parallel()
	for _, fault := range referenceFaults(Reference(defaults()), keyTexts(), new(Config).settings()) {
		t.Error(fault)
	}
	c := New(defaults())
	for _, s := range c.settings() {
		v := reflect.ValueOf(s.value).Elem()
		if _, described := v.Interface().(strictyaml.Described); !described {
			continue
		}
		if _, ok := v.Interface().(fmt.Stringer); !ok {
			t.Errorf("%s has a form of its own and no String, so that nobody can be told its default", s.key)
		}
	}
}

func referenceFaults(keys []Key, texts map[string]string, settings []setting) []string {
	var faults []string
	texts = maps.Clone(texts)
	variables := make(map[string]bool)
	for _, s := range settings {
		variables[s.key] = true
	}
	for _, k := range keys {
		if texts[k.Key] == "" {
			faults = append(faults, k.Key+" has no description: write one in referencetexts.go")
		}
		if strings.ContainsAny(texts[k.Key], "|\n") {
			faults = append(faults, k.Key+" has a description that breaks the table")
		}
		if inList := strings.Contains(k.Key, "[]"); inList == variables[k.Key] {
			faults = append(faults, k.Key+" has no variable: add it to settings")
		}
		delete(texts, k.Key)
		delete(variables, k.Key)
	}
	for key := range texts {
		faults = append(faults, key+" is described and is not a key")
	}
	for key := range variables {
		faults = append(faults, key+" is a setting and is not a key")
	}
	return faults
}

// TestReferenceFaults: the test above can fail.
func TestReferenceFaults(t *testing.T) {
	t.Parallel()
	keys := []Key{{Key: "a"}, {Key: "b"}, {Key: "l"}, {Key: "l[].x"}}
	settings := []setting{{key: "a"}, {key: "l"}, {key: "gone"}}
	texts := map[string]string{"a": "one | two", "l": "list", "l[].x": "an element's", "old": "no more"}
	got := referenceFaults(keys, texts, settings)
	want := []string{
		"a has a description that breaks the table",
		"b has no description: write one in referencetexts.go",
		"b has no variable: add it to settings",
		"old is described and is not a key",
		"gone is a setting and is not a key",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestByteSizeString(t *testing.T) {
	t.Parallel()
	for size, want := range map[ByteSize]string{0: "0", 1000: "1000", 1024: "1KiB", 64 << 20: "64MiB", 1536 << 20: "1536MiB", 2 << 30: "2GiB"} {
		var back ByteSize
		if got := size.String(); got != want || back.UnmarshalText([]byte(got)) != nil || back != size {
			t.Errorf("%d is written %q, want %q, and read as %d", size, got, want, back)
		}
	}
}
