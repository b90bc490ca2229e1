package admission_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// silentPolicy is a policy that is replaced without a signal.
type silentPolicy struct{ atomic.Pointer[callers.Set] }

func (p *silentPolicy) Current() *callers.Set { return p.Load() }

// TestPartsAskForTheCredential: every part of a call, and every question about one, is
// refused once the credential of the call is gone, also before the call has ended. The
// call itself goes by the policy that it came under.
func TestPartsAskForTheCredential(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	policy := new(silentPolicy)
	policy.Store(admissiontest.ParsePolicy(t, methods, admissiontest.RootPolicy))
	authenticator, err := authn.New(authn.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authenticator.Close)
	validator, err := admission.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	c, err := admission.New(admission.Options{Catalog: methods, Callers: policy, Authenticator: authenticator, Validator: validator})
	if err != nil {
		t.Fatal(err)
	}
	m := catalogtest.Method(t, "ProjectService/GetProject")
	request := (&adminv1.GetProjectRequest{ProjectId: "proj_1"}).ProtoReflect()
	questions := map[string]func(context.Context) error{
		"Authorize": func(ctx context.Context) error { _, err := c.Authorize(ctx, m, request); return err },
		"MayCall":   func(ctx context.Context) error { return c.MayCall(ctx, m) },
		"Check":     func(ctx context.Context) error { return c.Check(ctx, m, request) },
		"Projects":  func(ctx context.Context) error { _, _, err := c.Projects(ctx, m); return err },
	}
	for name, ask := range questions {
		policy.Store(admissiontest.ParsePolicy(t, methods, admissiontest.RootPolicy))
		_, err := rpctest.Call{
			Header:       []string{"Authorization", "Bearer " + admissiontest.TokenOf("root")},
			Interceptors: []connect.ServerInterceptor{accounting.WithCall, c.WithAuthentication},
			Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
				parts, err := c.Part(ctx)
				if err != nil {
					return err
				}
				if err := ask(parts); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				policy.Store(admissiontest.ParsePolicy(t, methods, strings.Replace(admissiontest.RootPolicy, "$root", "$another", 1)))
				if err := ask(ctx); err != nil {
					t.Errorf("%s of the call itself: %v", name, err)
				}
				if err := ask(parts); connect.CodeOf(err) != connect.CodeUnauthenticated {
					t.Errorf("%s of a part: %v", name, err)
				}
				if ctx.Err() == nil {
					t.Errorf("%s: the call goes on", name)
				}
				return rpctest.Answer(ctx, spec, stream)
			},
		}.Do(t.Context())
		if connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s: the call ended with %v", name, err)
		}
	}
}
