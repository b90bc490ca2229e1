package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// operation declares one endpoint: its request and the function that serves it.
type operation struct {
	method string
	path   string // as in the upstream's description, under the base path
	query  []field
	body   []field
	// variants are the bodies of an operation whose body is a union by type.
	variants []field
	// bodyOptional lets a POST that declares fields come without a body.
	bodyOptional bool
	serve        func(*call) (any, error)
}

// name identifies the operation in faults, counts and budgets.
func (o *operation) name() string { return o.method + " " + o.path }

func get(path string, serve func(*call) (any, error), query ...field) operation {
	return operation{method: http.MethodGet, path: path, serve: serve, query: query}
}

func post(path string, serve func(*call) (any, error), body ...field) operation {
	return operation{method: http.MethodPost, path: path, serve: serve, body: body}
}

// postUnion declares an operation whose body is one of the variants, by its type.
func postUnion(path string, serve func(*call) (any, error), variants ...field) operation {
	return operation{method: http.MethodPost, path: path, serve: serve, variants: variants}
}

func del(path string, serve func(*call) (any, error)) operation {
	return operation{method: http.MethodDelete, path: path, serve: serve}
}

// catalog returns every operation of the Admin API.
func catalog() []operation {
	return slices.Concat(
		adminKeyOperations(), auditOperations(), certificateOperations(),
		groupOperations(), groupUserOperations(), inviteOperations(),
		projectOperations(), projectUserOperations(), projectGroupOperations(),
		serviceAccountOperations(), projectKeyOperations(), rateLimitOperations(),
		roleOperations(), assignmentOperations(),
		retentionOperations(), permissionOperations(), spendOperations(),
		usageOperations(), costOperations(), userOperations(),
		tierOperations(), externalKeyOperations(), externalStorageOperations(),
		identityProviderOperations(), federationRuleOperations(),
	)
}

// router is a tree over path segments.
type router struct {
	root *routeNode
}

type routeNode struct {
	literal  map[string]*routeNode
	variable *routeNode
	name     string // of the path variable that leads here
	methods  map[string]*operation
}

func newRouter(operations []operation) *router {
	r := &router{root: new(routeNode)}
	for i := range operations {
		op := &operations[i]
		node := r.root
		for segment := range strings.SplitSeq(strings.Trim(op.path, "/"), "/") {
			node = node.child(segment)
		}
		if node.methods == nil {
			node.methods = make(map[string]*operation)
		}
		node.methods[op.method] = op
	}
	return r
}

func (n *routeNode) child(segment string) *routeNode {
	if name, ok := strings.CutPrefix(segment, "{"); ok {
		if n.variable == nil {
			n.variable = &routeNode{name: strings.TrimSuffix(name, "}")}
		}
		return n.variable
	}
	if n.literal == nil {
		n.literal = make(map[string]*routeNode)
	}
	if n.literal[segment] == nil {
		n.literal[segment] = new(routeNode)
	}
	return n.literal[segment]
}

// find resolves an escaped path below the base path. A path variable is one
// non-empty segment. It is unescaped after the split, so that an escaped slash
// stays inside it.
func (r *router) find(method, escapedPath string) (*operation, map[string]string, *apiError) {
	invalid := &apiError{
		status: http.StatusNotFound, kind: invalidRequest, code: "unknown_url",
		message: "Invalid URL (" + method + " " + basePath + escapedPath + ")",
	}
	node := r.root
	variables := make(map[string]string, 3)
	for segment := range strings.SplitSeq(strings.TrimPrefix(escapedPath, "/"), "/") {
		if next := node.literal[segment]; next != nil {
			node = next
			continue
		}
		value, err := url.PathUnescape(segment)
		if node.variable == nil || value == "" || err != nil {
			return nil, nil, invalid
		}
		node = node.variable
		variables[node.name] = value
	}
	if node.methods == nil {
		return nil, nil, invalid
	}
	op := node.methods[method]
	if op == nil {
		allowed := make([]string, 0, len(node.methods))
		for m := range node.methods {
			allowed = append(allowed, m)
		}
		slices.Sort(allowed)
		return nil, nil, &apiError{
			status: http.StatusMethodNotAllowed, kind: invalidRequest, code: "method_not_supported",
			message: "Not allowed to " + method + " on " + basePath + escapedPath + ".",
			header:  http.Header{"Allow": {strings.Join(allowed, ", ")}},
		}
	}
	return op, variables, nil
}
