package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Acquire implements [Leases].
func (r *Redis) Acquire(ctx context.Context, key Key, ttl time.Duration) (func(context.Context) error, bool, error) {
	if err := key.Validate(); err != nil {
		return nil, false, err
	}
	o, err := r.ready(ctx, key.Org)
	if err != nil {
		return nil, false, err
	}
	name, token := o.leaseKey(key), r.newToken()
	var ok bool
	err = r.call(ctx, func(ctx context.Context) error {
		err := r.client.SetArgs(ctx, name, token, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
		ok = err == nil
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil || !ok {
		return nil, false, err
	}
	return func(ctx context.Context) error {
		return r.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
			return r.scripts.release.Run(ctx, r.client, []string{name}, token).Err()
		})
	}, true, nil
}
