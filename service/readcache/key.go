package readcache

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// lookup returns the digest of the key under which the answer to a request is stored, and
// the tags on which it depends. A hit in memory needs no more.
func (c *Cache) lookup(ctx context.Context, permit admission.Permit) (lookup, error) {
	org, err := c.orgOf(ctx, c.options.RecentOrg)
	if err != nil {
		return lookup{}, err
	}
	digest, err := c.digest(org, permit.Method(), permit.Request())
	return lookup{permit: permit, digest: digest, tags: readTags(org, permit.Method(), permit.Request())}, err
}

// whole is the lookup with its key.
func (c *Cache) whole(l lookup) (lookup, error) {
	var err error
	l.key, err = keyOf(l.tags.Org(), l.permit.Method(), l.permit.Request())
	return l, err
}

// keyOf is the key under which an answer is stored. It holds everything that the answer
// depends on.
func keyOf(org string, m *catalog.Method, request protoreflect.Message) (cache.Key, error) {
	b, err := appendCanonical(nil, m, request)
	return cache.Key{Org: org, Canonical: string(b)}, err
}

// digest is that of keyOf, without an allocation.
func (c *Cache) digest(org string, m *catalog.Method, request protoreflect.Message) (cache.Digest, error) {
	buffer, ok := c.keyBuffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	b, err := appendCanonical(cache.BeginKey((*buffer)[:0], org), m, request)
	digest := cache.DigestOf(b)
	if cap(b) <= maxKeyBuffer {
		*buffer = b
		c.keyBuffers.Put(buffer)
	}
	return digest, err
}

// appendCanonical appends the request in its canonical form, behind the method, which
// determines how the answer is decoded.
func appendCanonical(b []byte, m *catalog.Method, request protoreflect.Message) ([]byte, error) {
	return m.Endpoint.AppendCanonical(append(append(b, m.Procedure...), '\n'), request)
}

// maxKeyBuffer bounds the buffers that are reused for keys.
const maxKeyBuffer = 4 << 10

// An answer also depends on its method, on the projects that its request names, and
// on everything, so that each of these can be purged.
const (
	methodTag  = "method "
	projectTag = "project "
)

// readTags are [Tags] of a read, without a string for each.
func readTags(org string, m *catalog.Method, request protoreflect.Message) cache.Tags {
	var room [512]byte
	tags := cache.BuildTags(org, len(m.Tags())+4)
	tags.Add(append(append(room[:0], methodTag...), m.Procedure...))
	tags.Add([]byte(cache.Everything))
	for _, pattern := range m.Tags() {
		tags.Add(pattern.Append(room[:0], request))
	}
	var ids [4]string
	for _, project := range m.Access().AppendProjects(ids[:0], request) {
		tags.Add(append(append(room[:0], projectTag...), project...))
	}
	return tags.Tags()
}

// Tags names what the answer to a read depends on, or what a write makes stale: a
// write and a read that have a tag in common must not share a stored answer. A read
// also has tags by which it can be purged.
func Tags(m *catalog.Method, request protoreflect.Message) []string {
	tags := make([]string, 0, len(m.Tags())+3)
	for _, pattern := range m.Tags() {
		tags = append(tags, string(pattern.Append(nil, request)))
	}
	if !m.Read {
		return tags
	}
	for _, project := range m.Access().Projects(request) {
		tags = append(tags, projectTag+project)
	}
	return append(tags, methodTag+m.Procedure, cache.Everything)
}
