package grpcdoor

import (
	"context"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"
)

// inbound is the context of a call as grpc-go begins it, with the metadata that came:
// from its own context grpc-go gives a copy of all of it.
type inbound struct {
	context.Context
	header metadata.MD
}

type inboundKey struct{}

// Value implements [context.Context].
func (i *inbound) Value(key any) any {
	if key == (inboundKey{}) {
		return i
	}
	return i.Context.Value(key)
}

// keepMetadata is a [tap.ServerInHandle]: grpc-go calls it with the headers of a call,
// before anything else of it, and must not wait.
func keepMetadata(ctx context.Context, info *tap.Info) (context.Context, error) {
	return &inbound{ctx, info.Header}, nil
}

// metadataOf is the metadata of a call, which is not changed.
func metadataOf(ctx context.Context) metadata.MD {
	if i, ok := ctx.Value(inboundKey{}).(*inbound); ok {
		return i.header
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return md
}
