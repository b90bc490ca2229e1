package authz_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// moment is the time of a decision, where it does not matter.
var moment = time.Date(2026, time.March, 18, 15, 30, 0, 0, time.UTC)

// declarations are all RPCs of the mirror, as their policies declare them,
// sorted by procedure.
var declarations = sync.OnceValue(func() []authz.Method {
	var methods []authz.Method
	protoregistry.GlobalFiles.RangeFilesByPackage("admingateway.admin.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				methods = append(methods, declaration(service.Methods().Get(j)))
			}
		}
		return true
	})
	slices.SortFunc(methods, func(a, b authz.Method) int {
		if a.Procedure < b.Procedure {
			return -1
		}
		return 1
	})
	return methods
})

func declaration(md protoreflect.MethodDescriptor) authz.Method {
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	policy, _ := proto.GetExtension(options, optionsv1.E_Policy).(*optionsv1.Policy)
	method := authz.Method{
		Procedure:  "/" + string(md.Parent().FullName()) + "/" + string(md.Name()),
		Permission: policy.GetPermission(),
		Request:    md.Input(),
	}
	if project := policy.GetProject(); project != "" {
		method.Projects = []string{project}
	}
	return method
}

func compileDeclarations(tb testing.TB) *authz.Methods {
	tb.Helper()
	methods, err := authz.NewMethods(declarations())
	if err != nil {
		tb.Fatal(err)
	}
	return methods
}

func compilePolicy(tb testing.TB, methods *authz.Methods, callers ...authz.Caller) *authz.Policy {
	tb.Helper()
	policy, err := authz.Compile(callers, methods)
	if err != nil {
		tb.Fatal(err)
	}
	return policy
}

// handle looks up an RPC by its name without the package.
func handle(tb testing.TB, methods *authz.Methods, name string) *authz.Handle {
	tb.Helper()
	h, ok := methods.Lookup("/admingateway.admin.v1." + name)
	if !ok {
		tb.Fatalf("no RPC %s", name)
	}
	return h
}
