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

// doorName is the protocol of a call, out of a closed set: an index of doorNames.
type doorName uint8

const (
	doorOther doorName = iota
	doorInProcess
	doorConnect
	doorGRPC
	doorGRPCWeb
	doorREST
	doorVault
	doorConsole
)

// doorNames are the values of labels. A call in the same process has no protocol.
var doorNames = [...]string{
	doorOther: "other", doorInProcess: "inprocess", doorREST: "rest", doorVault: "vault", doorConsole: "console",
	doorConnect: connect.ProtocolNameConnect, doorGRPC: connect.ProtocolNameGRPC, doorGRPCWeb: connect.ProtocolNameGRPCWeb,
}

// String is the value of a label.
func (d doorName) String() string { return doorNames[d] }

// Door is the protocol of the call of ctx, out of a closed set, as labels have it.
func Door(ctx context.Context) string { return doorOf(ctx).String() }

func doorOf(ctx context.Context) doorName {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return doorOther
	}
	switch info.Protocol {
	case connect.ProtocolNameConnect:
		return doorConnect
	case connect.ProtocolNameGRPC:
		return doorGRPC
	case connect.ProtocolNameGRPCWeb:
		return doorGRPCWeb
	case doorNames[doorREST]:
		return doorREST
	case doorNames[doorVault]:
		return doorVault
	case doorNames[doorConsole]:
		return doorConsole
	case "":
		return doorInProcess
	default:
		return doorOther
	}
}
