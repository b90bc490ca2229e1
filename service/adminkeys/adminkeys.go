package adminkeys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/adminkey"
	"github.com/admin-gateway/admin-gateway/lease/marker"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Options configure [New]. Ledger, Marker and Key are required.
type Options struct {
	// Ledger keeps the rotation. The caller closes it after Run has ended.
	Ledger lease.Ledger
	// Marker names new keys.
	Marker *marker.Marker
	// Key is the admin key of this process.
	Key Key
	// Replica names this process among those over the same ledger; drawn by default.
	Replica string
	// Tick, MemberLife and Drain are those of [adminkey.Options].
	Tick, MemberLife, Drain time.Duration
	// Logger gets what operators have to know, without any key; discarded by default.
	Logger *slog.Logger
}

// Dependencies are what the server gives, once it is made.
type Dependencies struct {
	// Calls makes the gateway's own calls, of the methods that [Methods] names.
	Calls Caller
	// Catalog has these methods.
	Catalog *catalog.Catalog
}

// Caller makes calls of the gateway's own.
type Caller interface {
	Call(ctx context.Context, m *catalog.Method, request proto.Message, errand admission.Errand) (*pipeline.Response, error)
}

// AdminKeys rotates the admin key. A nil AdminKeys refuses, and says why.
type AdminKeys struct {
	rotator *adminkey.Rotator
	up      *calls
}

// New makes AdminKeys. They serve once [AdminKeys.Handlers] was called.
func New(o Options) (*AdminKeys, error) {
	if o.Ledger == nil || o.Marker == nil || o.Key == nil {
		return nil, errors.New("adminkeys: Options.Ledger, Marker and Key are required")
	}
	a := &AdminKeys{up: new(calls)}
	var err error
	a.rotator, err = adminkey.New(adminkey.Options{
		Ledger: o.Ledger, Upstream: a.up, Own: own{o.Key}, Marker: o.Marker, Replica: o.Replica,
		Tick: o.Tick, MemberLife: o.MemberLife, Drain: o.Drain, Logger: o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("adminkeys: %w", err)
	}
	return a, nil
}

// Run takes part in rotations until ctx ends. It is called after Handlers.
func (a *AdminKeys) Run(ctx context.Context) error { return a.rotator.Run(ctx) }

// Running is how long the rotation has been under way that is; zero for none, and where the
// ledger does not answer.
func (a *AdminKeys) Running(ctx context.Context) time.Duration {
	latest, _, err := a.rotator.Status(ctx)
	if err != nil || latest.Phase.Final() {
		return 0
	}
	return time.Since(latest.Started)
}

// Handlers answer the RPCs of AdminKeyService.
func (a *AdminKeys) Handlers(d Dependencies) (pipeline.Handlers, error) {
	if a == nil {
		refuse := func(context.Context, admission.Permit, pipeline.Sender) error {
			return rpcerror.OfAdminKey(rpcerror.ReasonRotationDisabled, "", nil)
		}
		return pipeline.Handlers{
			controlv1connect.AdminKeyServiceRotateAdminKeyProcedure:      refuse,
			controlv1connect.AdminKeyServiceGetAdminKeyRotationProcedure: refuse,
		}, nil
	}
	if err := a.up.bind(d); err != nil {
		return nil, fmt.Errorf("adminkeys: %w", err)
	}
	return pipeline.Handlers{
		controlv1connect.AdminKeyServiceRotateAdminKeyProcedure:      pipeline.Unary(a.rotate),
		controlv1connect.AdminKeyServiceGetAdminKeyRotationProcedure: pipeline.Unary(a.get),
	}, nil
}
