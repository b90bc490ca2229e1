package leases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/lease/marker"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Options configure [New]. Ledger, Marker and Callers are required.
type Options struct {
	// Ledger keeps the leases. The caller closes it, after [Leases.Close].
	Ledger lease.Ledger
	// Marker names the credentials.
	Marker *marker.Marker
	// Callers holds the policy in force, with the roles and the limits of callers.
	Callers admission.Callers
	// Replica names this process; drawn by default.
	Replica string
	// KeepEnded is how long a lease that has ended stays; [broker.DefaultKeepEnded] by
	// default.
	KeepEnded time.Duration
	// Keeper configures the work behind the leases.
	Keeper broker.KeeperOptions
	// Observer hears of mints and revocations; the default does not.
	Observer broker.Observer
	// Stopping is closed when the gateway begins to stop: streams then end. Nil never is.
	Stopping <-chan struct{}
	// Logger gets what operators have to know; discarded by default.
	Logger *slog.Logger
}

// Dependencies are what the server gives, once it is made.
type Dependencies struct {
	// Admission decides on leases.
	Admission *admission.Controller
	// Calls makes the gateway's own calls, of the methods that [Methods] names.
	Calls Caller
	// Catalog has these methods.
	Catalog *catalog.Catalog
	// Budget is that of the upstream; nil does not pace.
	Budget Budget
}

// Leases gives leases and keeps them. A nil Leases refuses, and says why.
type Leases struct {
	o      Options
	broker *broker.Broker
	keeper *broker.Keeper
	up     *credentials
}

// New makes Leases. They serve once [Leases.Handlers] was called. Close ends them.
func New(o Options) (*Leases, error) {
	if o.Ledger == nil || o.Marker == nil || o.Callers == nil {
		return nil, errors.New("leases: Options.Ledger, Marker and Callers are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Leases{o: o, up: new(credentials)}
	var err error
	l.broker, err = broker.New(broker.Options{
		Ledger: o.Ledger, Upstream: l.up, Marker: o.Marker, Replica: o.Replica, KeepEnded: o.KeepEnded, Observer: o.Observer, Logger: o.Logger,
		Roles: func() broker.Roles { return o.Callers.Current().Roles() },
	})
	if err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	l.keeper = broker.NewKeeper(l.broker, o.Keeper)
	return l, nil
}

// Run keeps the leases until ctx ends: it revokes, sweeps, and replaces, in one replica
// at a time. It is called after Handlers.
func (l *Leases) Run(ctx context.Context) error {
	l.keeper.Run(ctx)
	return nil
}

// Close waits for the keys that are being made for others than their first callers.
func (l *Leases) Close() { l.broker.Close() }

// Stats are numbers for operators.
func (l *Leases) Stats(ctx context.Context) (broker.Stats, error) { return l.keeper.Stats(ctx) }

// Leased implements [admission.Leased].
func (l *Leases) Leased(ctx context.Context, _ string, thing catalog.Thing, id string) (authz.Lease, bool, error) {
	of := broker.Thing{APIKeyID: id}
	if thing == catalog.ServiceAccount {
		of = broker.Thing{ServiceAccountID: id}
	}
	role, project, leased, err := l.broker.Leased(ctx, of)
	return authz.Lease{Role: role, Project: project}, leased, err
}

// Handlers answer the RPCs of LeaseService.
func (l *Leases) Handlers(d Dependencies) (pipeline.Handlers, error) {
	if l == nil {
		return disabled(), nil
	}
	if err := l.up.bind(d); err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	h := &handlers{leases: l, broker: l.broker, admission: d.Admission}
	return pipeline.Handlers{
		leasev1connect.LeaseServiceCreateLeaseProcedure:      pipeline.Unary(h.create),
		leasev1connect.LeaseServiceAcknowledgeLeaseProcedure: pipeline.Unary(h.acknowledge),
		leasev1connect.LeaseServiceRenewLeaseProcedure:       pipeline.Unary(h.renew),
		leasev1connect.LeaseServiceRotateLeaseProcedure:      pipeline.Unary(h.rotate),
		leasev1connect.LeaseServiceRevokeLeaseProcedure:      pipeline.Unary(h.revoke),
		leasev1connect.LeaseServiceRevokeLeasesProcedure:     h.revokeAll,
		leasev1connect.LeaseServiceGetLeaseProcedure:         pipeline.Unary(h.get),
		leasev1connect.LeaseServiceListLeasesProcedure:       pipeline.Unary(h.list),
		leasev1connect.LeaseServiceWatchLeasesProcedure:      h.watch,
		leasev1connect.LeaseServiceReconcileProcedure:        h.reconcile,
		leasev1connect.LeaseServiceReadStaticRoleProcedure:   pipeline.Unary(h.readStatic),
		leasev1connect.LeaseServiceRotateStaticRoleProcedure: pipeline.Unary(h.rotateStatic),
	}, nil
}

// disabled are the handlers of a gateway that keeps no leases.
func disabled() pipeline.Handlers {
	all := make(pipeline.Handlers)
	methods := leasev1.File_admingateway_lease_v1_service_proto.Services().ByName("LeaseService").Methods()
	for i := range methods.Len() {
		procedure := "/" + string(methods.Get(i).Parent().FullName()) + "/" + string(methods.Get(i).Name())
		all[procedure] = func(context.Context, admission.Permit, pipeline.Sender) error {
			return rpcerror.OfLease(rpcerror.ReasonLeasesDisabled, 0, nil)
		}
	}
	return all
}

// handlers answer calls.
type handlers struct {
	leases    *Leases
	broker    *broker.Broker
	admission *admission.Controller
}

// limits are those of a caller.
func (h *handlers) limits(caller string) callers.LeaseLimits {
	return h.leases.o.Callers.Current().LeaseLimitsInForce(caller)
}
