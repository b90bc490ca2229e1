package admissiontest

import (
	"context"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// NewController makes a Controller over the gateway's catalog and a policy.
func NewController(tb testing.TB, policy *Policy) *admission.Controller {
	tb.Helper()
	authenticator, err := authn.New(authn.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(authenticator.Close)
	validator, err := admission.NewValidator()
	if err != nil {
		tb.Fatal(err)
	}
	c, err := admission.New(admission.Options{Catalog: catalogtest.Gateway(tb), Callers: policy, Authenticator: authenticator, Validator: validator})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Serve serves a call of a caller with the context of the call. Header has names and
// values in turn. It returns the error of admission or of serve.
func Serve(ctx context.Context, c *admission.Controller, caller string, serve func(ctx context.Context) error, header ...string) error {
	_, err := rpctest.Call{
		Header:       append(header, "Authorization", "Bearer "+TokenOf(caller)),
		Interceptors: []connect.ServerInterceptor{accounting.WithCall, admission.WithFreshness, c.WithAuthentication, c.WithLimits},
		Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			if err := serve(ctx); err != nil {
				return err
			}
			return rpctest.Answer(ctx, spec, stream)
		},
	}.Do(ctx)
	return err
}

// Permit is a permit of root for a request.
func Permit(tb testing.TB, m *catalog.Method, request proto.Message) admission.Permit {
	tb.Helper()
	c := NewController(tb, NewPolicy(tb, catalogtest.Gateway(tb), RootPolicy))
	var permit admission.Permit
	if err := Serve(tb.Context(), c, "root", func(ctx context.Context) (err error) {
		permit, err = c.Authorize(ctx, m, request.ProtoReflect())
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return permit
}
