package service

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/cache"
)

// lookup says under which key the answer to a request is kept, and what it
// depends on.
func (s *cacheStep) lookup(ctx context.Context, m *Method, request protoreflect.Message) (lookup, error) {
	org, err := s.organization(ctx)
	if err != nil {
		return lookup{}, err
	}
	key, err := s.key(org, m, request)
	return lookup{method: m, request: request, key: key, tags: readTags(org, m, request)}, err
}

// key holds everything that an answer depends on: the request in its canonical
// form, and the method, which says how the answer is read.
func (c *Cache) key(org string, m *Method, request protoreflect.Message) (cache.Key, error) {
	room, ok := c.rooms.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	b := append(append((*room)[:0], m.Procedure...), '\n')
	b, err := m.Endpoint.AppendCanonical(b, request)
	key := cache.Key{Org: org, Canonical: string(b)}
	if cap(b) <= maxKeyRoom {
		*room = b
		c.rooms.Put(room)
	}
	return key, err
}

// maxKeyRoom bounds the buffers that are kept for keys.
const maxKeyRoom = 4 << 10

// What an answer depends on beside what writes name: its method, the projects
// that its request names, and everything, so that each of them can be purged.
const (
	methodTag  = "method "
	projectTag = "project "
)

// readTags are [Method.Tags] of a read, without a string for each.
func readTags(org string, m *Method, request protoreflect.Message) cache.Tags {
	var room [512]byte
	tags := cache.BuildTags(org, len(m.tags)+4)
	tags.Add(append(append(room[:0], methodTag...), m.Procedure...))
	tags.Add([]byte(cache.Everything))
	for _, pattern := range m.tags {
		tags.Add(pattern.append(room[:0], request))
	}
	var ids [4]string
	for _, project := range m.access.AppendProjects(ids[:0], request) {
		tags.Add(append(append(room[:0], projectTag...), project...))
	}
	return tags.Tags()
}
