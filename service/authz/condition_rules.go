package authz

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// functionRule allows the functions that are known to be linear in their input
// and to need nothing else. CEL counts the cost of a call when it is over, which
// is too late for one that searches a megabyte for a megabyte, and "+" of two
// lists counts as one however long they have grown. A time zone other than UTC
// would be read from a file.
type functionRule struct{}

// accessorPrefix begins the names of the accessors of timestamps and
// durations.
const accessorPrefix = "get"

// allowedFunctions are what a condition may use, beside the accessors.
var allowedFunctions = []string{
	operators.LogicalNot, operators.NotEquals, operators.Modulo, operators.LogicalAnd, operators.Multiply,
	operators.Add, operators.Subtract, operators.Negate, operators.Divide, operators.LessEquals, operators.Less,
	operators.Equals, operators.GreaterEquals, operators.Greater, operators.Conditional, operators.Index,
	operators.LogicalOr, operators.In, operators.NotStrictlyFalse,
	"bool", "bytes", "contains", "double", "duration", "endsWith", "int", "lowerAscii", "matches", "size",
	"startsWith", "string", "timestamp", "trim", "uint", "upperAscii",
}

// Name names the rule to CEL.
func (functionRule) Name() string { return "authz.functions" }

// Validate reports every call of a function that is not allowed.
func (functionRule) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	for _, expr := range ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.CallKind)) {
		call := expr.AsCall()
		name := call.FunctionName()
		accessor := strings.HasPrefix(name, accessorPrefix) && call.IsMemberFunction()
		switch {
		case accessor && len(call.Args()) > 0:
			issues.ReportErrorAtID(expr.ID(), "%s() takes no time zone here: it is UTC", name)
		case !accessor && !slices.Contains(allowedFunctions, name):
			issues.ReportErrorAtID(expr.ID(), "%s() is not available", name)
		case name == operators.Add && !isScalar(checked.GetType(expr.ID())) && !isAccumulation(call):
			issues.ReportErrorAtID(expr.ID(), "+ adds numbers, strings, bytes, timestamps and durations, and nothing else here")
		case name == "matches" && !isLiteral(call):
			issues.ReportErrorAtID(expr.ID(), "matches() takes a literal pattern here")
		}
	}
}

// typedRule refuses to look into a value whose type is known only when there is a
// request, such as an element of a list of several types. CEL finds its fields by
// itself there and not through [frozenTypes], and reads one that is not set as its zero.
type typedRule struct{}

// Name names the rule to CEL.
func (typedRule) Name() string { return "authz.typed" }

// Validate reports every field and every element of a value without a type.
func (typedRule) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	for _, expr := range ast.MatchDescendants(ast.NavigateAST(checked), ast.AllMatcher()) {
		if operand := lookedInto(expr); operand != nil && checked.GetType(operand.ID()).Kind() == types.DynKind {
			issues.ReportErrorAtID(expr.ID(), "looks into a value whose type is not known here")
		}
	}
}

// lookedInto is the value of which an expression takes a field or an element; nil for
// any other expression.
func lookedInto(expr ast.Expr) ast.Expr {
	if expr.Kind() == ast.SelectKind {
		return expr.AsSelect().Operand()
	}
	if expr.Kind() == ast.CallKind && expr.AsCall().FunctionName() == operators.Index {
		return expr.AsCall().Args()[0]
	}
	return nil
}

func isScalar(t *types.Type) bool {
	switch t.Kind() {
	case types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.BytesKind, types.TimestampKind, types.DurationKind:
		return true
	default:
		return false
	}
}

// isAccumulation says whether a macro, such as map, gathers its result here. A
// condition cannot be written that does so by hand.
func isAccumulation(call ast.CallExpr) bool {
	left := call.Args()[0]
	return left.Kind() == ast.IdentKind && left.AsIdent() == parser.HiddenAccumulatorName
}

// isLiteral says whether the last argument is a literal.
func isLiteral(call ast.CallExpr) bool {
	args := call.Args()
	return len(args) > 0 && args[len(args)-1].Kind() == ast.LiteralKind
}

// enumRule refuses to compare an enum's field with another enum's constant. To
// CEL both are numbers, and a policy that meant to say "no owners" would mean
// something else.
type enumRule struct{ messages messageTypes }

// comparisons are the operators that enumRule looks at.
var comparisons = []string{
	operators.Equals, operators.NotEquals, operators.In,
	operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
}

func newEnumRule(request protoreflect.MessageDescriptor) enumRule {
	rule := enumRule{make(messageTypes)}
	rule.messages.add(request)
	return rule
}

// Name names the rule to CEL.
func (enumRule) Name() string { return "authz.enums" }

// Validate reports every comparison of two different enums.
func (r enumRule) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	for _, expr := range ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.CallKind)) {
		call := expr.AsCall()
		if !slices.Contains(comparisons, call.FunctionName()) || len(call.Args()) != 2 {
			continue
		}
		enums := slices.Concat(r.enums(checked, call.Args()[0]), r.enums(checked, call.Args()[1]))
		if i := slices.IndexFunc(enums, func(enum string) bool { return enum != enums[0] }); i >= 0 {
			issues.ReportErrorAtID(expr.ID(), "compares the enum %s with the enum %s", enums[0], enums[i])
		}
	}
}

// enums are the enums whose values expr is, or holds as a list; none where that
// is not known.
func (r enumRule) enums(checked *ast.AST, expr ast.Expr) []string {
	if reference := checked.ReferenceMap()[expr.ID()]; reference != nil && reference.Value != nil {
		// "admingateway.admin.v1.InviteRole.INVITE_ROLE_OWNER"
		return []string{reference.Name[:max(strings.LastIndexByte(reference.Name, '.'), 0)]}
	}
	switch expr.Kind() {
	case ast.SelectKind:
		selection := expr.AsSelect()
		message := r.messages[checked.GetType(selection.Operand().ID()).TypeName()]
		if message == nil || selection.IsTestOnly() {
			return nil
		}
		field := message.Fields().ByName(protoreflect.Name(selection.FieldName()))
		if field == nil || field.Enum() == nil {
			return nil
		}
		return []string{string(field.Enum().FullName())}
	case ast.ListKind:
		var enums []string
		for _, element := range expr.AsList().Elements() {
			enums = append(enums, r.enums(checked, element)...)
		}
		return enums
	default:
		return nil
	}
}
