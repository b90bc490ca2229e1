package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// goneAnswer is the certain part of the answer to a delete whose answer was lost and
// whose resource is gone: that it is deleted, and its id. The upstream's name for its
// kind ("object") is in no schema, so it is left out rather than made up.
type goneAnswer struct {
	id      bool // "id" is the last segment of the path
	deleted bool // "deleted" is true
}

// compileGone returns the certain part of the answer to a delete: nothing, when the
// message has a field that only the upstream can fill. An answer that is the deleted
// object itself (responseBody) is known by its id: that it is gone is what counts.
func compileGone(segments []segment, output protoreflect.MessageDescriptor, responseBody string) goneAnswer {
	var g goneAnswer
	if responseBody != "" {
		object := output.Fields().ByName(protoreflect.Name(responseBody))
		if object == nil || object.Message() == nil {
			return g // [Endpoint.compileOutput] refuses it.
		}
		id := object.Message().Fields().ByName("id")
		g.id = id != nil && id.Kind() == protoreflect.StringKind && segments[len(segments)-1].variable != nil
		return g
	}
	for i := range output.Fields().Len() {
		field := output.Fields().Get(i)
		text := field.Kind() == protoreflect.StringKind && !field.IsList()
		switch {
		case field.Name() == "object" && text:
		case field.Name() == "id" && text && segments[len(segments)-1].variable != nil:
			g.id = true
		case field.Name() == "deleted" && field.Kind() == protoreflect.BoolKind && !field.IsList():
			g.deleted = true
		default:
			return goneAnswer{}
		}
	}
	return g
}

// body is the answer's JSON; false when nothing of it is certain.
func (g goneAnswer) body(r *Request) ([]byte, bool) {
	if !g.id && !g.deleted {
		return nil, false
	}
	members := make(map[string]any, 2)
	if g.deleted {
		members["deleted"] = true
	}
	if g.id {
		id, err := url.PathUnescape(r.Path[strings.LastIndexByte(r.Path, '/')+1:])
		if err != nil {
			return nil, false
		}
		members["id"] = id
	}
	body, err := json.Marshal(members)
	return body, err == nil
}

// saysGone reports whether the API itself answered that the resource does not exist. A
// 404 of something in between, and one for a URL that the API does not have, say
// nothing about the resource.
func (e *Error) saysGone() bool {
	return e.Kind == NotFound && (e.Status == http.StatusNotFound || e.Status == http.StatusGone) &&
		e.byAPI && e.Code != "unknown_url" && !strings.HasPrefix(e.Message, "Invalid URL")
}

// goneReply answers a delete that may have been done before, and whose resource no
// longer exists according to the upstream.
func (e *Endpoint) goneReply(r *Request, said *Error) (*Reply, error) {
	body, ok := e.gone.body(r)
	if !ok {
		return nil, fmt.Errorf("%s: the resource is gone, but its answer is not known", e)
	}
	return &Reply{Status: http.StatusOK, Body: body, RequestID: said.RequestID}, nil
}
