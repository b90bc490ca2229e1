package authz

import "google.golang.org/protobuf/reflect/protoreflect"

// Projects are the ids of the projects that a request of the RPC names, in the
// order of its fields; none when it is of another type.
func (h *Handle) Projects(request protoreflect.Message) []string {
	return h.AppendProjects(nil, request)
}

// AppendProjects appends what Projects returns.
func (h *Handle) AppendProjects(ids []string, request protoreflect.Message) []string {
	if request == nil || request.Descriptor() != h.request {
		return ids
	}
	for _, path := range h.projects {
		ids = path.appendTo(ids, request)
	}
	return ids
}
