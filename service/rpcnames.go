package service

import (
	"context"
	"strings"

	"connectrpc.com/connect/v2"
)

// unknownRPC stands for every procedure that there is not.
const unknownRPC = "unknown"

// rpcNames are the names of the RPCs that there are, by procedure. A procedure
// is a text that a caller chose; a name is one of a closed set, and may be a
// label of a metric or the name of a span.
type rpcNames map[string]string

func newRPCNames(c *Catalog) rpcNames {
	names := rpcNames{}
	for _, method := range c.grantable() {
		if _, name, ok := strings.Cut(method.Procedure, "/"); ok && !strings.HasSuffix(name, refreshSuffix) {
			// Without the package, as in "ProjectService/ListProjects".
			service, _, _ := strings.Cut(name, "/")
			names[method.Procedure] = name[strings.LastIndexByte(service, '.')+1:]
		}
	}
	return names
}

func (n rpcNames) of(procedure string) string {
	if name, ok := n[procedure]; ok {
		return name
	}
	return unknownRPC
}

// doors are what a call can have come through. "inprocess" has no protocol.
const (
	doorREST      = "rest"
	doorInProcess = "inprocess"
	doorOther     = "other"
)

// doorOf is the protocol by which a call came, out of a closed set.
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
