package redisledger

import (
	"cmp"
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/lease"
)

// Peek looks at the form of a ledger without opening it: nothing is begun, and one of an
// older form stays as it is. found is false where there is none yet. The error is a
// [lease.SchemaError] if the form is not that of this build, and wraps
// [lease.ErrUnavailable] if Redis did not answer.
func Peek(ctx context.Context, client redis.UniversalClient, o Options) (found bool, err error) {
	guard := redisclient.NewGuard(redisclient.GuardOptions{CallTimeout: cmp.Or(o.CallTimeout, DefaultCallTimeout), SlowCall: redisclient.NeverSlow})
	l := &Ledger{client: client, guard: guard, o: o}
	var schema string
	err = l.call(ctx, func(ctx context.Context) (err error) {
		schema, err = client.HGet(ctx, keyPrefix(o)+"meta", "schema").Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil || schema == "" {
		return false, err
	}
	if want := thisForm().schema; schema != strconv.Itoa(want) {
		return true, &lease.SchemaError{Found: schema, Want: want}
	}
	return true, nil
}

// keyPrefix begins the names of a ledger's keys.
func keyPrefix(o Options) string {
	return redisclient.KeyPrefix(cmp.Or(o.Prefix, redisclient.DefaultPrefix), o.Organization) + "lease:"
}
