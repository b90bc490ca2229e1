package vaultdoor

import (
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
)

// route is a path of Vault's API, and the call that it becomes.
type route struct {
	// verbs are those of the path.
	verbs []string
	// pattern is the path without "/v1/", in segments. One in braces binds a segment, and
	// with "..." behind its name all the rest, of which there is some.
	pattern []string
	// procedure is the method; "": the answer is the same for everybody, and there is no
	// call.
	procedure string
	// jwt says that the credential of the call is the member "jwt" of the body.
	jwt bool
	// request makes the message of the call. It runs behind the interceptors.
	request func(x *exchange) (proto.Message, error)
	// answer makes the reply from a message of the answer. Of a stream it is called for
	// each, and nil leaves the reply to a later one.
	answer func(x *exchange, message proto.Message) *reply

	spec connect.Spec
}

// The verbs of Vault's API.
var (
	reads  = []string{http.MethodGet}                    //nolint:gochecknoglobals // Never changes.
	writes = []string{http.MethodPut, http.MethodPost}   //nolint:gochecknoglobals // As above.
	either = append([]string{http.MethodGet}, writes...) //nolint:gochecknoglobals // As above.
)

// newRoute makes a route whose messages have types.
func newRoute[Q, A proto.Message](verbs []string, path, procedure string, request func(*exchange) (Q, error), answer func(*exchange, A) *reply) *route {
	return &route{
		verbs: verbs, pattern: strings.Split(path, "/"), procedure: procedure,
		request: func(x *exchange) (proto.Message, error) { return request(x) },
		answer: func(x *exchange, message proto.Message) *reply {
			typed, ok := message.(A)
			if !ok {
				return nil
			}
			return answer(x, typed)
		},
	}
}

// match finds the route of a request, and what its path binds. Without one, allowed are
// the verbs that the path has.
func (d *Door) match(r *http.Request) (found *route, bound map[string]string, allowed []string) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix)
	// All names are of letters, digits, '_', '-' and '.': a path that has to be unescaped
	// names nothing, and neither does one that a proxy may read as another.
	if !ok || len(path) > maxPath || strings.ContainsAny(path, "%\\;") {
		return nil, nil, nil
	}
	segments := strings.Split(path, "/")
	if slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		return nil, nil, nil
	}
	for _, each := range d.routes {
		values, ok := each.binds(segments)
		if !ok {
			continue
		}
		if slices.Contains(each.verbs, r.Method) {
			return each, values, nil
		}
		allowed = append(allowed, each.verbs...)
	}
	slices.Sort(allowed)
	return nil, nil, slices.Compact(allowed)
}

// binds compares a path with the pattern.
func (r *route) binds(segments []string) (map[string]string, bool) {
	values := map[string]string{}
	for i, part := range r.pattern {
		switch variable, isVariable := strings.CutPrefix(part, "{"); {
		case i >= len(segments):
			return nil, false
		case isVariable && strings.HasSuffix(variable, "...}"):
			values[strings.TrimSuffix(variable, "...}")] = strings.Join(segments[i:], "/")
			return values, true
		case isVariable:
			values[strings.TrimSuffix(variable, "}")] = segments[i]
		case part != segments[i]:
			return nil, false
		}
	}
	return values, len(segments) == len(r.pattern)
}
