package upstream

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Router finds the endpoint of a verb and a path. It reads the paths that
// [Endpoint.Request] writes. It is immutable and safe for concurrent use.
type Router struct{ root routeNode }

// Match is a result of a Router.
type Match struct {
	// Endpoint is nil when the path takes other verbs only.
	Endpoint *Endpoint
	// Values are those of the path's variables, decoded, in its order.
	Values []string
	// Allowed are the verbs that the path takes, sorted.
	Allowed []string
}

// routeNode is the place after some segments of a path.
type routeNode struct {
	literals map[string]*routeNode
	variable *routeNode
	here     map[string]*Endpoint // by verb; nil where no path ends
	allowed  []string
}

// NewRouter compiles the paths of endpoints. It fails when two of them have the
// same verb and path, whatever their variables are called.
//
// It also changes the endpoints: from then on [Endpoint.Request] refuses a value that
// equals the literal of another path at the same place. The certificate "activate"
// cannot be updated, because to the upstream that means to activate others. So
// NewRouter has to be called before any of them is used.
func NewRouter(endpoints []*Endpoint) (*Router, error) {
	r := new(Router)
	for _, e := range endpoints {
		n := &r.root
		for _, s := range e.segments {
			n = n.under(s)
		}
		if other := n.here[e.verb]; other != nil {
			return nil, fmt.Errorf("%s and %s are the same path", e, other)
		}
		if n.here == nil {
			n.here = make(map[string]*Endpoint)
		}
		n.here[e.verb] = e
		n.allowed = append(n.allowed, e.verb)
		slices.Sort(n.allowed)
	}
	for _, e := range endpoints {
		n := &r.root
		for i := range e.segments {
			e.segments[i].taken = n.literals
			n = n.under(e.segments[i])
		}
	}
	return r, nil
}

func (n *routeNode) under(s segment) *routeNode {
	if s.variable != nil {
		if n.variable == nil {
			n.variable = new(routeNode)
		}
		return n.variable
	}
	if n.literals == nil {
		n.literals = make(map[string]*routeNode)
	}
	if n.literals[s.literal] == nil {
		n.literals[s.literal] = new(routeNode)
	}
	return n.literals[s.literal]
}

// Match reads a path as it was sent, still escaped. It is exact: a literal is spelled
// as it is declared, a variable is one segment that, decoded once, no server could read
// as more than a name, and nothing is cleaned, folded or redirected. Where both fit,
// the literal is meant, whatever verbs it takes. False: the API has no such path.
func (r *Router) Match(verb, path string) (Match, bool) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return Match{}, false
	}
	var m Match
	n := r.root.find(rest, &m.Values)
	if n == nil {
		return Match{}, false
	}
	m.Endpoint, m.Allowed = n.here[verb], n.allowed
	return m, true
}

// find follows a path, which goes no deeper than the declared ones do, and adds
// the values of its variables.
func (n *routeNode) find(path string, values *[]string) *routeNode {
	segment, rest, more := strings.Cut(path, "/")
	if next := n.literals[segment]; next != nil {
		before := len(*values)
		if found := next.end(rest, more, values); found != nil {
			return found
		}
		*values = (*values)[:before]
	}
	if n.variable == nil {
		return nil
	}
	value, err := url.PathUnescape(segment)
	if err != nil || checkSegment(value) != nil {
		return nil
	}
	*values = append(*values, value)
	return n.variable.end(rest, more, values)
}

func (n *routeNode) end(rest string, more bool, values *[]string) *routeNode {
	if more {
		return n.find(rest, values)
	}
	if n.here == nil {
		return nil
	}
	return n
}
