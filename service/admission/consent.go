package admission

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// consent refuses a request whose empty list means everything and that does not say
// so. At a door whose protocol has no word for it, a permission of the caller's says
// it, and the request then does.
func (c *Controller) consent(ctx context.Context, p *principal, rules *callers.Set, m *catalog.Method, request protoreflect.Message) error {
	for _, consent := range m.Consents() {
		if !consent.Needed(request) {
			continue
		}
		if info, ok := connect.CallInfoForServerContext(ctx); !ok || info.Protocol != door.ProtocolREST {
			return unsaid(consent)
		}
		if err := c.refuse(ctx, rules.Policy.Decide(p.identity.Caller, consent.Access(), request, time.Now())); err != nil {
			return err
		}
		request.Set(consent.Field, protoreflect.ValueOfBool(true))
	}
	return nil
}

// unsaid is the error of a request whose empty list means everything, and that does not
// say so.
func unsaid(consent *catalog.Consent) error {
	return rpcerror.InvalidField(string(consent.List.Name()), "is empty, which means everything and not nothing; if that is meant, say so with "+string(consent.Field.Name()), nil)
}
