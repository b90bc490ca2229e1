package main

import (
	"errors"
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

// readSDK reads the operations of the SDK's admin services from its source in the
// folder. A method or a type that it does not understand is an error: skipped, it would be
// a difference that is never reported.
func readSDK(folder string) (map[string]*operation, error) {
	s, err := readSource(folder)
	if err != nil {
		return nil, err
	}
	if len(s.methods) == 0 {
		return nil, fmt.Errorf("sdk: %s has no admin services", folder)
	}
	operations := make(map[string]*operation)
	for _, method := range s.methods {
		op, err := s.operation(method)
		if err != nil {
			return nil, fmt.Errorf("sdk: %s.%s: %w", receiverOf(method), method.Name.Name, err)
		}
		if operations[op.name] != nil {
			return nil, fmt.Errorf("sdk: %s.%s: %s is there twice", receiverOf(method), method.Name.Name, op.name)
		}
		operations[op.name] = op
	}
	return operations, nil
}

// request is what a method's body says of the request that it makes.
type request struct {
	verb, path string
	variables  []string // Of the path, in its order.
	params     string   // The name of the method's parameter that goes into query and body.
}

func (s *goSource) operation(method *ast.FuncDecl) (*operation, error) {
	r := requestOf(method)
	if r.verb == "" || r.path == "" {
		return nil, errors.New("no verb, or no path")
	}
	if n := strings.Count(r.path, "%s"); n != len(r.variables) || strings.Count(r.path, "%") != n {
		return nil, fmt.Errorf("path %q has other variables than %v", r.path, r.variables)
	}
	op := &operation{path: make(map[string]*member), query: make(map[string]*member)}
	for _, name := range r.variables {
		r.path = strings.Replace(r.path, "%s", "{"+name+"}", 1)
		op.path[name] = &member{shape: &shape{kind: text}, required: true}
	}
	op.name = r.verb + " /" + r.path
	if params := typeOfParameter(method.Type.Params, r.params); params != nil {
		query, err := s.shape(params, scope{pkg: "openai", tag: "query"})
		if err != nil {
			return nil, fmt.Errorf("query: %w", err)
		}
		op.query = query.members
		body, err := s.shape(params, scope{pkg: "openai", tag: "json"})
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		if len(body.members)+len(body.variants) > 0 {
			op.body = body
		}
	}
	if results := method.Type.Results; results.NumFields() == 2 {
		var err error
		if op.response, err = s.shape(results.List[0].Type, scope{pkg: "openai", tag: "json"}); err != nil {
			return nil, fmt.Errorf("response: %w", err)
		}
	}
	return op, nil
}

// missing is how a method says that it needs a variable of its path, in the path's
// order and under the name that it has there.
var missing = regexp.MustCompile(`^missing required (\w+) parameter$`)

func requestOf(method *ast.FuncDecl) request {
	var r request
	ast.Inspect(method.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if name, ok := n.Lhs[0].(*ast.Ident); ok && name.Name == "path" {
				r.path = pathOf(n.Rhs[0])
			}
		case *ast.SelectorExpr:
			if verb, ok := strings.CutPrefix(n.Sel.Name, "Method"); ok {
				r.verb = strings.ToUpper(verb)
			}
		case *ast.BasicLit:
			if text, ok := literal(n); ok {
				if match := missing.FindStringSubmatch(text); match != nil {
					r.variables = append(r.variables, match[1])
				}
			}
		case *ast.CallExpr:
			f, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || f.Sel.Name != "ExecuteNewRequest" && f.Sel.Name != "NewRequestConfig" || len(n.Args) < 4 {
				break
			}
			if name, ok := n.Args[3].(*ast.Ident); ok && name.Name != "nil" {
				r.params = name.Name
			}
		}
		return true
	})
	return r
}

// pathOf returns the path's template: a literal, or the first argument of a format.
func pathOf(e ast.Expr) string {
	if call, ok := e.(*ast.CallExpr); ok && len(call.Args) > 0 {
		e = call.Args[0]
	}
	path, _ := literal(e)
	return path
}

// typeOfParameter returns the type of the parameter of that name, nil for none.
func typeOfParameter(all *ast.FieldList, name string) ast.Expr {
	for _, field := range all.List {
		for _, n := range field.Names {
			if n.Name == name {
				return field.Type
			}
		}
	}
	return nil
}
