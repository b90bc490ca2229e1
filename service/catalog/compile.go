package catalog

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/pathtemplate"
	"github.com/admin-gateway/admin-gateway/internal/permission"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// compile reads the declaration of one RPC.
func compile(pkg protoreflect.FullName, md protoreflect.MethodDescriptor, drift *adminjson.Drift) (*Method, error) {
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	if !proto.HasExtension(options, optionsv1.E_Policy) {
		return nil, errors.New("has no (admingateway.options.v1.policy)")
	}
	policy, _ := proto.GetExtension(options, optionsv1.E_Policy).(*optionsv1.Policy)
	request, err := protoregistry.GlobalTypes.FindMessageByName(md.Input().FullName())
	if err != nil {
		return nil, fmt.Errorf("request type %s is not linked in: %w", md.Input().FullName(), err)
	}
	response, err := protoregistry.GlobalTypes.FindMessageByName(md.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("response type %s is not linked in: %w", md.Output().FullName(), err)
	}
	m := &Method{
		Procedure:  "/" + string(md.Parent().FullName()) + "/" + string(md.Name()),
		Descriptor: md,
		Request:    request,
		Response:   response,
		Source:     Upstream,
		Permission: policy.GetPermission(),
		Secret:     policy.GetSecret(),
	}
	if field := credential(md.Output(), make(map[protoreflect.FullName]bool)); field != nil && !m.Secret {
		return nil, fmt.Errorf("%s is a credential (debug_redact), and the method is not secret: its answers would be stored and logged", field.FullName())
	}
	if slices.Contains([]protoreflect.FullName{ControlPackage, InventoryPackage, LeasePackage}, pkg) {
		m.Source = Local
		return m, m.compileLocal(policy, options)
	}
	return m, m.compileMirror(policy, options, drift)
}

// compileMirror compiles an RPC that mirrors one operation of the upstream.
func (m *Method) compileMirror(policy *optionsv1.Policy, options *descriptorpb.MethodOptions, drift *adminjson.Drift) (err error) {
	if m.Descriptor.IsStreamingClient() || m.Descriptor.IsStreamingServer() {
		return errors.New("streams; a mirror of one upstream call is unary")
	}
	if m.Endpoint, err = upstream.Compile(m.Descriptor, drift); err != nil {
		return err
	}
	if !m.Endpoint.TellsAnswers() {
		return fmt.Errorf("no member of %s is (admingateway.options.v1.field).essential: an error that came with 200 would pass for its answer", m.Descriptor.Output().Name())
	}
	if m.path, err = pathtemplate.Parse(m.Endpoint.Template()); err != nil {
		return err
	}
	if policy.GetLeases() != nil || len(policy.GetNeeds()) > 0 {
		return errors.New("is a mirror, and has the scope leases or needs of fields")
	}
	m.Read, m.variables = m.Endpoint.Verb() == "GET", m.Endpoint.Variables()
	if err := m.applyPolicy(policy, options); err != nil {
		return err
	}
	if err := m.applyBudget(policy); err != nil {
		return err
	}
	if err := m.compileTexts(); err != nil {
		return err
	}
	m.compileMask()
	if err := m.compileReaches(policy); err != nil {
		return err
	}
	if err := m.compileRecord(policy); err != nil {
		return err
	}
	if err := m.compileConsents(); err != nil {
		return err
	}
	if err := m.compileTouched(); err != nil {
		return err
	}
	if err := m.compileRestarts(policy); err != nil {
		return err
	}
	for _, variable := range m.Endpoint.Variables() {
		if !textkind.IsPathID(variable) {
			return fmt.Errorf("path variable {%s} lacks the rule (admingateway.options.v1.path_id)", variable.Name())
		}
	}
	return nil
}

// compileLocal compiles an RPC that the gateway answers. Its declaration has the
// same parts as that of a mirror, where they apply: such an answer is never stored,
// and such a write makes no stored answer stale.
func (m *Method) compileLocal(policy *optionsv1.Policy, options *descriptorpb.MethodOptions) (err error) {
	if m.Descriptor.IsStreamingClient() {
		return errors.New("takes a stream; a decision is about one request")
	}
	m.Read = options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
	if !permission.Valid(m.Permission) {
		return fmt.Errorf("permission %q is not a dotted resource and verb, such as cache.purge", m.Permission)
	}
	if m.Read && !policy.GetCacheNothing() || !m.Read && !policy.GetInvalidatesNothing() {
		return errors.New("is a local method: a read says cache_nothing, a write invalidates_nothing")
	}
	if err := m.compileTexts(); err != nil {
		return err
	}
	if policy.GetEachCall() != proto.HasExtension(options, optionsv1.E_FanOut) {
		return errors.New("has (admingateway.options.v1.fan_out) without the scope each_call, or the other way round")
	}
	if err := m.compileLeases(policy); err != nil {
		return err
	}
	if m.leases != nil {
		return m.compileRecord(policy)
	}
	if m.aboutCaller = policy.GetCaller(); m.aboutCaller {
		if !m.Read {
			return errors.New("is a write about its caller alone; say what of the organization it is about")
		}
		return nil
	}
	if !policy.GetEachCall() {
		if m.Project, err = scopeOf(policy, m.Descriptor.Input()); err != nil {
			return err
		}
		return m.compileRecord(policy)
	}
	m.Source = FanOut
	m.Reads, _ = proto.GetExtension(options, optionsv1.E_FanOut).(*optionsv1.FanOut)
	for _, name := range projectFields {
		if field := m.Descriptor.Input().Fields().ByName(name); field != nil && field.Kind() == protoreflect.StringKind && field.IsList() {
			m.projects = append(m.projects, field)
		}
	}
	return nil
}

// credential is a field of a message, or of one within it, that is marked as one; nil
// where there is none. It adds the messages that it looks at to seen.
func credential(message protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) protoreflect.FieldDescriptor {
	if seen[message.FullName()] {
		return nil
	}
	seen[message.FullName()] = true
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if options, _ := field.Options().(*descriptorpb.FieldOptions); options.GetDebugRedact() {
			return field
		}
		if field.Message() == nil {
			continue
		}
		if found := credential(field.Message(), seen); found != nil {
			return found
		}
	}
	return nil
}
