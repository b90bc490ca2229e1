package authz

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// unguarded is a read of a field that need not be there, or of an entry of a map, where
// nothing before it has asked whether it is.
type unguarded struct {
	path         string // "request.provider.aws", "caller.labels.team"
	line, column int
}

// guards finds the reads of a condition that nothing guards. It follows CEL: a part of
// && or || is evaluated whatever the other one is, but its failure does not count where
// the other one decides, so each guards the other, whichever comes first.
type guards struct {
	checked  *ast.AST
	messages map[string]protoreflect.MessageDescriptor
	found    []unguarded
}

// findUnguarded returns one read for each path, in the order of the text.
func findUnguarded(checked *ast.AST, request protoreflect.MessageDescriptor) []unguarded {
	g := guards{checked: checked, messages: newEnumRule(request).messages}
	g.visit(checked.Expr(), known{})
	slices.SortStableFunc(g.found, func(a, b unguarded) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	seen := make(map[string]bool)
	return slices.DeleteFunc(g.found, func(u unguarded) bool {
		again := seen[u.path]
		seen[u.path] = true
		return again
	})
}

// visit goes through an expression that is evaluated where k is known.
func (g *guards) visit(expr ast.Expr, k known) {
	switch expr.Kind() {
	case ast.SelectKind:
		selection := expr.AsSelect()
		if !selection.IsTestOnly() && g.mayBeAbsent(selection.Operand(), selection.FieldName()) {
			g.read(expr, k)
		}
		g.visit(selection.Operand(), k)
	case ast.CallKind:
		g.visitCall(expr, k)
	case ast.ComprehensionKind:
		loop := expr.AsComprehension()
		g.visit(loop.IterRange(), k)
		g.visit(loop.AccuInit(), k)
		inside := k.without(loop.IterVar(), loop.IterVar2(), loop.AccuVar())
		g.visit(loop.LoopCondition(), inside)
		g.visit(loop.LoopStep(), inside)
		g.visit(loop.Result(), inside)
	case ast.ListKind:
		for _, element := range expr.AsList().Elements() {
			g.visit(element, k)
		}
	case ast.MapKind:
		for _, entry := range expr.AsMap().Entries() {
			g.visit(entry.AsMapEntry().Key(), k)
			g.visit(entry.AsMapEntry().Value(), k)
		}
	case ast.StructKind:
		for _, field := range expr.AsStruct().Fields() {
			g.visit(field.AsStructField().Value(), k)
		}
	case ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

func (g *guards) visitCall(expr ast.Expr, k known) {
	call := expr.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		g.visit(args[0], k.and(after(args[1], true)))
		g.visit(args[1], k.and(after(args[0], true)))
		return
	case operators.LogicalOr:
		g.visit(args[0], k.and(after(args[1], false)))
		g.visit(args[1], k.and(after(args[0], false)))
		return
	case operators.Conditional:
		g.visit(args[0], k)
		g.visit(args[1], k.and(after(args[0], true)))
		g.visit(args[2], k.and(after(args[0], false)))
		return
	case operators.Index:
		if g.isMap(args[0]) {
			g.read(expr, k)
		}
	}
	if call.IsMemberFunction() {
		g.visit(call.Target(), k)
	}
	for _, arg := range args {
		g.visit(arg, k)
	}
}

func (g *guards) read(expr ast.Expr, k known) {
	path := pathOf(expr)
	if path != "" && k.has(path) {
		return
	}
	if path == "" {
		path = "a value"
	}
	at := g.checked.SourceInfo().GetStartLocation(expr.ID())
	g.found = append(g.found, unguarded{path, at.Line(), at.Column() + 1})
}

// mayBeAbsent says whether a read of a field, or of an entry, can fail.
func (g *guards) mayBeAbsent(operand ast.Expr, name string) bool {
	if g.isMap(operand) {
		return true
	}
	message := g.messages[g.checked.GetType(operand.ID()).TypeName()]
	if message == nil {
		return false
	}
	field := message.Fields().ByName(protoreflect.Name(name))
	return field != nil && field.HasPresence()
}

func (g *guards) isMap(expr ast.Expr) bool {
	return g.checked.GetType(expr.ID()).Kind() == types.MapKind
}

// pathOf spells what an expression reads: "request.projects.values[0].id". It is "" for
// what has no path, such as the field of a result.
func pathOf(expr ast.Expr) string {
	switch expr.Kind() {
	case ast.IdentKind:
		return expr.AsIdent()
	case ast.SelectKind:
		return below(pathOf(expr.AsSelect().Operand()), "."+expr.AsSelect().FieldName())
	case ast.CallKind:
		call := expr.AsCall()
		if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
			return ""
		}
		return below(pathOf(call.Args()[0]), step(call.Args()[1]))
	default:
		return ""
	}
}

// step is a literal as a step of a path: an entry of a map is spelled like a field.
func step(literal ast.Expr) string {
	switch value := literal.AsLiteral().Value().(type) {
	case string:
		return "." + value
	case int64:
		return "[" + strconv.FormatInt(value, 10) + "]"
	default:
		return fmt.Sprintf("[%v]", value)
	}
}

func below(path, step string) string {
	if path == "" {
		return ""
	}
	return path + step
}

// known are the paths that are there. With never it is a place that no evaluation
// reaches, where everything may be said.
type known struct {
	paths []string
	never bool
}

func (k known) has(path string) bool { return k.never || slices.Contains(k.paths, path) }

// and is what is known where both are.
func (k known) and(other known) known {
	return known{slices.Concat(k.paths, other.paths), k.never || other.never}
}

// or is what is known where one of them is.
func (k known) or(other known) known {
	switch {
	case k.never:
		return other
	case other.never:
		return k
	}
	return known{slices.DeleteFunc(slices.Clone(k.paths), func(path string) bool { return !other.has(path) }), false}
}

// without forgets what is known of variables, of which a macro makes others.
func (k known) without(variables ...string) known {
	return known{slices.DeleteFunc(slices.Clone(k.paths), func(path string) bool {
		root := path
		if i := strings.IndexAny(path, ".["); i >= 0 {
			root = path[:i]
		}
		return slices.Contains(variables, root)
	}), k.never}
}

// after is what is known once an expression was evaluated to a truth.
func after(expr ast.Expr, truth bool) known {
	switch expr.Kind() {
	case ast.LiteralKind:
		value, ok := expr.AsLiteral().(types.Bool)
		return known{never: ok && bool(value) != truth}
	case ast.SelectKind:
		if !expr.AsSelect().IsTestOnly() {
			return known{}
		}
		// To ask for a field takes the message that has it.
		paths := prefixes(expr.AsSelect().Operand())
		if path := pathOf(expr); truth && path != "" {
			paths = append(paths, path)
		}
		return known{paths: paths}
	case ast.CallKind:
		return afterCall(expr.AsCall(), truth)
	default:
		return known{}
	}
}

func afterCall(call ast.CallExpr, truth bool) known {
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalNot:
		return after(args[0], !truth)
	case operators.LogicalAnd, operators.LogicalOr:
		left, right := after(args[0], truth), after(args[1], truth)
		if truth == (call.FunctionName() == operators.LogicalAnd) {
			return left.and(right)
		}
		return left.or(right)
	case operators.Conditional:
		yes, no := after(args[0], true).and(after(args[1], truth)), after(args[0], false).and(after(args[2], truth))
		return yes.or(no)
	case operators.In:
		if truth && args[0].Kind() == ast.LiteralKind {
			if path := below(pathOf(args[1]), step(args[0])); path != "" {
				return known{paths: append(prefixes(args[1]), path)}
			}
		}
	}
	return known{}
}

// prefixes are the paths of an expression and of all that it reads on the way.
func prefixes(expr ast.Expr) []string {
	var paths []string
	for {
		path := pathOf(expr)
		if path == "" {
			return paths
		}
		paths = append(paths, path)
		switch expr.Kind() {
		case ast.SelectKind:
			expr = expr.AsSelect().Operand()
		case ast.CallKind:
			expr = expr.AsCall().Args()[0]
		default:
			return paths
		}
	}
}
