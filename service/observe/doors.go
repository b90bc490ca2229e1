package observe

import (
	"context"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// unknownRPC stands for every procedure that does not exist.
const unknownRPC = "unknown"

// names gives procedures, which are texts that callers chose, names out of a
// closed set, fit for the label of a metric and the name of a span.
type names struct{ catalog *catalog.Catalog }

func (n names) of(procedure string) string {
	if n.catalog != nil {
		if m, ok := n.catalog.Lookup(procedure); ok {
			return m.Name()
		}
	}
	return unknownRPC
}

// The doors that are not protocols of connect. A call in the same process has no
// protocol.
const (
	doorREST      = "rest"
	doorInProcess = "inprocess"
	doorOther     = "other"
)

// doorOf is the protocol of a call, out of a closed set.
func doorOf(ctx context.Context) string {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return doorOther
	}
	switch info.Protocol {
	case connect.ProtocolNameConnect, connect.ProtocolNameGRPC, connect.ProtocolNameGRPCWeb, doorREST:
		return info.Protocol
	case "":
		return doorInProcess
	default:
		return doorOther
	}
}
