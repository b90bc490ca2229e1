package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"connectrpc.com/connect/v2"
)

const (
	idempotencyKey = "Idempotency-Key"
	// mirror is the package of methods whose writes can have a key.
	mirror = "/admingateway.admin.v1."
)

type keyContext struct{}

// WithIdempotencyKey gives the writes that are made with a context this key: one and the
// same write, however often it is made. It does what the header does.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

// WithoutIdempotencyKey has writes that are made with a context carry no key. None is
// repeated.
func WithoutIdempotencyKey(ctx context.Context) context.Context {
	return context.WithValue(ctx, keyContext{}, "")
}

// chooseKey is the idempotency key of a call, "" for none, and whether it was chosen here.
func (c *call) chooseKey() (key string, ours bool) {
	if given := c.info.RequestHeader().Get(idempotencyKey); given != "" {
		return given, false
	}
	if c.spec.IdempotencyLevel == connect.IdempotencyNoSideEffects || !strings.HasPrefix(c.spec.Procedure, mirror) {
		return "", false
	}
	if given, ok := c.ctx.Value(keyContext{}).(string); ok {
		return given, false
	}
	if !c.gateway.options.keys {
		return "", false
	}
	return newKey(), true
}

// newKey is a random UUID, version 4.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
