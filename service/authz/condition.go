package authz

import (
	"errors"
	"fmt"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The variables of a condition: the request, the moment of the decision, and the caller
// as the policy has it.
const (
	requestVariable = "request"
	nowVariable     = "now"
	nameVariable    = "caller.name"
	labelsVariable  = "caller.labels"
)

// facts are what a decision knows beside the request.
type facts struct {
	caller *caller
	now    time.Time
	role   *Role // nil where the RPC does not concern leases
}

// What a condition may cost: to compile, and to evaluate. The cost of an
// evaluation is in CEL's own unit, about an operation on a number or ten
// characters read. CEL counts an operation after it is done, and some
// operations not at all, so the request's size on the wire is bounded too.
const (
	maxConditionRunes = 4096
	maxConditionDepth = 64
	maxConditionNodes = 2048
	maxRegexpSize     = 250
	maxConditionCost  = 20_000
	maxRequestBytes   = 32 << 10
)

// condition is a CEL expression, compiled against one request type.
type condition struct {
	program cel.Program
}

var (
	errNoBool   = errors.New("the condition is not compiled, or did not give a bool")
	errTooLarge = errors.New("the request is too large for a condition")
)

// holds evaluates the condition. An error may quote the request.
func (c *condition) holds(request protoreflect.Message, known facts) (bool, error) {
	if c == nil {
		return false, errNoBool
	}
	message := request.Interface()
	if proto.Size(message) > maxRequestBytes {
		return false, errTooLarge
	}
	value, _, err := c.program.Eval(&activation{message, known})
	if err != nil {
		return false, err
	}
	holds, ok := value.(types.Bool)
	if !ok {
		return false, errNoBool
	}
	return bool(holds), nil
}

// activation holds the variables of an evaluation.
type activation struct {
	request proto.Message
	facts
}

// ResolveName finds a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case requestVariable:
		return a.request, true
	case nowVariable:
		return a.now, true
	case nameVariable:
		return a.caller.name, true
	case labelsVariable:
		return a.caller.labels, true
	default:
		return a.role.variable(name)
	}
}

// Parent is nil: there are no other variables.
func (*activation) Parent() cel.Activation { return nil }

// conditionCompiler compiles the conditions of one policy. Equal conditions
// are compiled once; without a condition nothing is compiled.
type conditionCompiler struct {
	methods  *Methods
	base     *cel.Env // nil until it is needed
	envs     map[environmentKey]*cel.Env
	compiled map[conditionKey]compiledCondition
}

type conditionKey struct {
	source string
	environmentKey
}

// environmentKey names an environment: it has the request and, where the RPC concerns
// leases, the role.
type environmentKey struct {
	request protoreflect.FullName
	role    bool
}

type compiledCondition struct {
	condition *condition
	unguarded []unguarded
	err       error
}

func newConditionCompiler(methods *Methods) *conditionCompiler {
	return &conditionCompiler{
		methods:  methods,
		envs:     make(map[environmentKey]*cel.Env),
		compiled: make(map[conditionKey]compiledCondition),
	}
}

// compile compiles source for one RPC. The error says at which line and column of
// source, both from 1.
func (c *conditionCompiler) compile(source string, method *Handle) compiledCondition {
	key := conditionKey{source, method.environment()}
	done, ok := c.compiled[key]
	if !ok {
		done.condition, done.unguarded, done.err = c.compileNew(source, method)
		c.compiled[key] = done
	}
	return done
}

func (h *Handle) environment() environmentKey {
	return environmentKey{h.request.FullName(), h.leases != nil}
}

func (c *conditionCompiler) compileNew(source string, method *Handle) (*condition, []unguarded, error) {
	env, err := c.env(method)
	if err != nil {
		return nil, nil, err
	}
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, nil, firstIssue(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, nil, fmt.Errorf("is a %s, not a bool", checked.OutputType())
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxConditionCost))
	if err != nil {
		return nil, nil, err
	}
	return &condition{program}, findUnguarded(checked.NativeRep(), method.request), nil
}

// env is the environment for one RPC.
func (c *conditionCompiler) env(method *Handle) (*cel.Env, error) {
	request := method.request
	if env := c.envs[method.environment()]; env != nil {
		return env, nil
	}
	if c.base == nil {
		base, err := newConditionEnv(c.methods)
		if err != nil {
			return nil, err
		}
		c.base = base
	}
	options := []cel.EnvOption{
		cel.Container(string(request.ParentFile().Package())),
		cel.Variable(requestVariable, cel.ObjectType(string(request.FullName()))),
		cel.ASTValidators(newEnumRule(request)),
	}
	if method.leases != nil {
		options = append(options, roleVariables()...)
	}
	env, err := c.base.Extend(options...)
	if err != nil {
		return nil, err
	}
	c.envs[method.environment()] = env
	return env, nil
}

// newConditionEnv is the part of the environment that all request types
// share.
func newConditionEnv(methods *Methods) (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	frozen := frozenTypes{registry, make(messageTypes)}
	for _, handle := range methods.handles {
		frozen.messages.add(handle.request)
		if err := registry.RegisterDescriptor(handle.request.ParentFile()); err != nil {
			return nil, err
		}
	}
	return cel.NewEnv(
		cel.CustomTypeAdapter(frozen),
		cel.CustomTypeProvider(frozen),
		cel.Variable(nowVariable, cel.TimestampType),
		cel.Variable(nameVariable, cel.StringType),
		cel.Variable(labelsVariable, cel.MapType(cel.StringType, cel.StringType)),
		ext.Strings(),
		cel.ParserExpressionSizeLimit(maxConditionRunes),
		cel.ParserRecursionLimit(maxConditionDepth),
		cel.ExpressionNodeLimit(maxConditionNodes),
		cel.RegexProgramSizeLimit(maxRegexpSize),
		cel.DefaultUTCTimeZone(true),
		cel.EagerlyValidateDeclarations(true),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(),
			functionRule{},
			typedRule{},
		),
	)
}

func firstIssue(issues *cel.Issues) error {
	first := issues.Errors()[0]
	if first.Location.Line() < 1 {
		return errors.New(first.Message)
	}
	return fmt.Errorf("line %d, column %d: %s", first.Location.Line(), first.Location.Column()+1, first.Message)
}
