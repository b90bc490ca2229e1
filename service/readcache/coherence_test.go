package readcache_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/readcache"
)

// TestTagsMatchTemplates compares the tags, for any write and any read, with
// the meaning of the declaration when it is read segment by segment.
func TestTagsMatchTemplates(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	var reads, writes []*catalog.Method
	for _, m := range methods.Mirrored() {
		if m.Read {
			reads = append(reads, m)
		} else {
			writes = append(writes, m)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		write, read := rapid.SampledFrom(writes).Draw(t, "write"), rapid.SampledFrom(reads).Draw(t, "read")
		written, asked := randomIDs(t, write, true), randomIDs(t, read, false)
		want := slices.ContainsFunc(write.Invalidates, func(i catalog.Invalidation) bool {
			return makesStale(i, written, pathOf(read, asked))
		})
		readTags := readcache.Tags(read, asked)
		got := slices.ContainsFunc(readcache.Tags(write, written), func(tag string) bool { return slices.Contains(readTags, tag) })
		if got != want {
			t.Fatalf("%s %v makes %s stale: %t by its tags %q and %q, %t by its templates %v",
				write.ShortName(), written, pathOf(read, asked), got, readcache.Tags(write, written), readTags, want, write.Invalidates)
		}
		if want && !slices.Contains(read.StaleBy(), write) {
			t.Fatalf("%s is not among those that make %s stale", write.ShortName(), read.ShortName())
		}
	})
}

// randomIDs fills the string fields from a few values, so that they often meet;
// those of a write's body may be empty.
func randomIDs(t *rapid.T, m *catalog.Method, mayBeEmpty bool) protoreflect.Message {
	request := m.Request.New()
	fields := request.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Kind() != protoreflect.StringKind || fd.IsList() {
			continue
		}
		values := []string{"a", "b", "c"}
		if mayBeEmpty && !slices.Contains(m.Endpoint.Variables(), fd) {
			values = append(values, "")
		}
		if value := rapid.SampledFrom(values).Draw(t, string(fd.Name())); value != "" {
			request.Set(fd, protoreflect.ValueOfString(value))
		}
	}
	return request
}

// pathOf is the path of a read.
func pathOf(m *catalog.Method, request protoreflect.Message) string {
	path := m.Endpoint.Template()
	for _, variable := range m.Endpoint.Variables() {
		path = strings.Replace(path, "{"+string(variable.Name())+"}", request.Get(variable).String(), 1)
	}
	return path
}

// makesStale reads an invalidation as docs/architecture.md explains it.
func makesStale(i catalog.Invalidation, written protoreflect.Message, path string) bool {
	template, segments := strings.Split(i.Template, "/"), strings.Split(path, "/")
	if len(segments) < len(template) || i.Exact && len(segments) != len(template) {
		return false
	}
	for n, want := range template {
		if strings.HasPrefix(want, "{") {
			want = written.Get(written.Descriptor().Fields().ByName(protoreflect.Name(strings.Trim(want, "{}")))).String()
			if want == "" {
				want = "*"
			}
		}
		if want != "*" && want != segments[n] {
			return false
		}
	}
	return true
}
