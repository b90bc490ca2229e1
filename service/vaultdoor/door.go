package vaultdoor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"connectrpc.com/connect/v2"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

const (
	// prefix begins all paths of Vault's API.
	prefix = "/v1/"
	// unrouted stands for every path that is not the API's: no procedure has this name,
	// and an unknown path must not become a label.
	unrouted = "/v1"
	// maxPath bounds the path of a request, in bytes. The longest that is routed has
	// the names of a mount and a role, and the id of a lease.
	maxPath = 1 << 10
	// mountType is the kind of the mount, as Vault names its kinds.
	mountType = "openai"
	// maxBody bounds the body of a request, in bytes. The largest is a login with a JWT,
	// which has up to 16 KiB.
	maxBody = 32 << 10
)

// Headers of Vault's clients.
const (
	tokenHeader     = "X-Vault-Token" //nolint:gosec // The name of a header.
	namespaceHeader = "X-Vault-Namespace"
	wrapHeader      = "X-Vault-Wrap-Ttl"
	// keyHeader names a request, so that its repetition gives the same lease. Vault's
	// clients send none unless they are told to.
	keyHeader = "Idempotency-Key"
)

// name is that of a mount or a login: segments of a path.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(/[A-Za-z0-9][A-Za-z0-9_-]{0,62}){0,3}$`)

// checkName fails for what cannot be the name of a mount or a login.
func checkName(value string) error {
	if !name.MatchString(value) {
		return fmt.Errorf("%q is not one to four segments of letters, digits, _ and -, with slashes between", value)
	}
	return nil
}

// Options configure [New].
type Options struct {
	// Mount is where the roles are: MOUNT/creds/ROLE.
	Mount string
	// Logins are the names of the logins that take a JWT: auth/NAME/login. None: clients
	// come with a credential of the gateway's.
	Logins []string
}

// Door serves Vault's paths. It is safe for concurrent use.
type Door struct {
	server  *connect.Server
	catalog *catalog.Catalog
	mount   string
	routes  []*route
}

// New makes a door onto server, which serves the methods of the catalog. It fails for
// names that are none, and for a catalog without leases.
func New(server *connect.Server, methods *catalog.Catalog, o Options) (*Door, error) {
	d := &Door{server: server, catalog: methods, mount: o.Mount}
	for _, each := range append([]string{o.Mount}, o.Logins...) {
		if err := checkName(each); err != nil {
			return nil, fmt.Errorf("vaultdoor: %w", err)
		}
	}
	d.routes = slices.Concat(d.leaseRoutes(), d.staticRoutes(), loginRoutes(o.Logins), systemRoutes())
	for _, r := range d.routes {
		switch m, ok := methods.Lookup(r.procedure); {
		case ok:
			r.spec = m.Spec()
		case r.procedure == healthv1.Health_Check_FullMethodName:
			r.spec = connect.Spec{Procedure: r.procedure, StreamType: connect.StreamTypeUnary}
		case r.procedure != "":
			return nil, fmt.Errorf("vaultdoor: the catalog has no %s", r.procedure)
		}
	}
	return d, nil
}

// Handler serves requests.
func (d *Door) Handler() http.Handler { return httpdoor.WithConnection(d.serve) }

// serve makes one call of the server, in a context that has the connection of the
// request. A path without a route takes the pipeline as well, as a method that does not
// exist: it is authenticated and recorded like any other.
func (d *Door) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // Most answers are for one caller, and some have a secret.
	r = httpdoor.Request(ctx, r)
	x := &exchange{door: d, writer: w, request: r}
	x.route, x.bound, x.allowed = d.match(r)
	if x.route != nil && x.route.procedure == "" {
		x.write(x.route.answer(x, nil))
		return
	}
	info := &connect.CallInfo{PeerAddr: r.RemoteAddr, Protocol: door.ProtocolVault, Codec: "json"}
	procedure := unrouted
	if x.route != nil {
		procedure, info.Spec = x.route.procedure, x.route.spec
	}
	x.setHeaders(info.RequestHeader())
	err := d.server.Call(ctx, procedure, info, x)
	if x.failed != nil && connect.CodeOf(err) == connect.CodeUnauthenticated {
		err = x.failed // The JWT of a login is in a body that says nothing.
	}
	for name, values := range info.ResponseHeader().All() {
		w.Header()[name] = values
	}
	switch {
	case err != nil:
		x.refuse(err)
	case x.reply == nil:
		x.refuse(errors.New("a call without an answer"))
	default:
		x.write(x.reply)
	}
}
