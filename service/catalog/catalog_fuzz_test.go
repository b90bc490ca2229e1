package catalog_test

import (
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// FuzzCatalog mutates the declarations of a real file, step by step as the input
// says. Whatever is left, the catalog refuses it or every method is complete.
func FuzzCatalog(f *testing.F) {
	var files []protoreflect.FileDescriptor
	for _, file := range catalog.Files() {
		if file.Services().Len() > 0 {
			files = append(files, file)
		}
	}
	f.Add([]byte{0}, "")
	for op := range byte(mutations) {
		f.Add([]byte{op, op, 0, 1}, "/organization/{project_id}/*")
	}
	f.Add([]byte{22, 6, 0, 1, 9, 3, 0}, "projects.users.read")
	f.Fuzz(func(t *testing.T, steps []byte, text string) {
		if len(steps) == 0 || len(steps) > 64 {
			return
		}
		d := catalogtest.CopyOf(files[int(steps[0])%len(files)])
		for steps = steps[1:]; len(steps) >= 3; steps = steps[3:] {
			methods := d.File.GetService()[0].GetMethod()
			mutate(int(steps[0])%mutations, methods[int(steps[1])%len(methods)], methods[int(steps[2])%len(methods)], int8(steps[2]), text)
		}
		file := d.Build(t)
		methods, err := catalog.New([]protoreflect.FileDescriptor{file}, nil)
		if err != nil {
			return
		}
		if declared := file.Services().Get(0).Methods().Len(); len(methods.Mirrored()) != declared {
			t.Errorf("%d methods were declared and %d are in the catalog, without an error", declared, len(methods.Mirrored()))
		}
		routes := map[string]bool{}
		for _, m := range methods.Mirrored() {
			checkComplete(t, m)
			route := m.Endpoint.Verb() + " " + withoutNames(m.Endpoint.Template())
			if routes[route] {
				t.Errorf("%s is there twice", route)
			}
			routes[route] = true
		}
	})
}

// checkComplete wants nothing of the method to be a default by absence.
func checkComplete(t *testing.T, m *catalog.Method) {
	t.Helper()
	options, _ := m.Descriptor.Options().(*descriptorpb.MethodOptions)
	policy, _ := proto.GetExtension(options, optionsv1.E_Policy).(*optionsv1.Policy)
	if policy == nil || m.Permission == "" || m.Permission != policy.GetPermission() {
		t.Errorf("%s has permission %q and policy %v", m.ShortName(), m.Permission, policy)
	}
	sideEffectFree := options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
	if m.Read != (m.Endpoint.Verb() == "GET") || m.Read != sideEffectFree {
		t.Errorf("%s: %s, read %t, idempotency level %s", m.ShortName(), m.Endpoint, m.Read, options.GetIdempotencyLevel())
	}
	if m.Life.Fresh < 0 || m.Life.Fresh > 0 && (m.Secret || !m.Read) {
		t.Errorf("%s: cache life %s, secret %t, read %t", m.ShortName(), m.Life.Fresh, m.Secret, m.Read)
	}
	if m.Read && (m.Life.Fresh > 0) == policy.GetCacheNothing() {
		t.Errorf("%s: cache life %s, but the policy says %v", m.ShortName(), m.Life.Fresh, policy)
	}
	if m.Read && len(m.Invalidates) > 0 {
		t.Errorf("%s is a read and invalidates %v", m.ShortName(), m.Invalidates)
	}
	if !m.Read && (len(m.Invalidates) == 0) != policy.GetInvalidatesNothing() {
		t.Errorf("%s invalidates %v, but the policy says %v", m.ShortName(), m.Invalidates, policy)
	}
}

// withoutNames leaves a template's braces empty. It shares no code with the
// catalog, whose mistakes it would then share as well.
func withoutNames(template string) string {
	var out []byte
	inside := false
	for _, c := range []byte(template) {
		switch {
		case c == '{':
			inside = true
		case c == '}':
			inside = false
		case inside:
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// mutations is the number of ways in which mutate changes a method.
const mutations = 22

// mutate changes what one method declares, some of it to what another does.
func mutate(way int, m, other *descriptorpb.MethodDescriptorProto, n int8, text string) {
	for _, method := range []*descriptorpb.MethodDescriptorProto{m, other} {
		if method.Options == nil {
			method.Options = &descriptorpb.MethodOptions{}
		}
	}
	policy, _ := proto.GetExtension(m.GetOptions(), optionsv1.E_Policy).(*optionsv1.Policy)
	rule, _ := proto.GetExtension(m.GetOptions(), annotations.E_Http).(*annotations.HttpRule)
	policy, rule = proto.CloneOf(policy), proto.CloneOf(rule)
	if policy == nil {
		policy = &optionsv1.Policy{}
	}
	if rule == nil {
		rule = &annotations.HttpRule{}
	}
	switch way {
	case 0:
		m.Options = nil
		return
	case 1:
		proto.ClearExtension(m.GetOptions(), optionsv1.E_Policy)
		return
	case 2:
		proto.ClearExtension(m.GetOptions(), annotations.E_Http)
		return
	case 3:
		m.Options, other.Options = other.GetOptions(), m.GetOptions()
		return
	case 4:
		m.InputType, other.InputType = other.InputType, m.InputType
		return
	case 5:
		m.ClientStreaming = proto.Bool(!m.GetClientStreaming())
		return
	case 6:
		m.Options.IdempotencyLevel = descriptorpb.MethodOptions_IdempotencyLevel(uint8(n) % 3).Enum()
		return
	case 7:
		policy.Permission = text
	case 8:
		policy.CacheLife = nil
	case 9:
		policy.CacheLife = &optionsv1.Policy_Cache{Cache: durationpb.New(time.Duration(n) * time.Second)}
	case 10:
		policy.CacheLife = &optionsv1.Policy_CacheNothing{CacheNothing: n > 0}
	case 11:
		policy.Invalidates, policy.InvalidatesExactly = nil, nil
	case 12:
		policy.Invalidates = append(policy.Invalidates, text)
	case 13:
		policy.InvalidatesExactly = []string{text}
	case 14:
		policy.InvalidatesNothing = !policy.GetInvalidatesNothing()
	case 15:
		policy.Secret = !policy.GetSecret()
	case 16:
		rule.Pattern = &annotations.HttpRule_Get{Get: text}
	case 17:
		rule.Pattern = &annotations.HttpRule_Delete{Delete: rule.GetGet() + rule.GetPost() + rule.GetDelete()}
	case 18:
		policy.Staleness = nil
	case 19:
		policy.Staleness = &optionsv1.Policy_Sensitive{Sensitive: n > 0}
	case 20:
		policy.Settled = &optionsv1.Settled{End: text, After: durationpb.New(time.Duration(n)), Cache: durationpb.New(time.Duration(n))}
	case 21:
		taken, _ := proto.GetExtension(other.GetOptions(), annotations.E_Http).(*annotations.HttpRule)
		if taken == nil {
			return
		}
		rule = proto.CloneOf(taken)
	}
	proto.SetExtension(m.GetOptions(), optionsv1.E_Policy, policy)
	proto.SetExtension(m.GetOptions(), annotations.E_Http, rule)
}
