package redisledger

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// scriptKeepAccount keeps the id of an account, unless there is one of its name.
//
//	ARGV  …; the fields by name and, as the last one, by id; between them the id
const scriptKeepAccount = scriptBegin + `
local accounts = KEYS[8]
local kept = redis.call('HGET', accounts, ARGV[3])
if kept then return {'OK', kept} end
redis.call('HSET', accounts, ARGV[3], ARGV[4], ARGV[5], ARGV[3])
return {'OK', ARGV[4]}
`

// scriptForgetAccount forgets an account, if it is the one of its name.
const scriptForgetAccount = scriptBegin + `
local accounts = KEYS[8]
if redis.call('HGET', accounts, ARGV[3]) == ARGV[4] then redis.call('HDEL', accounts, ARGV[3], ARGV[5]) end
return {'OK'}
`

// Account implements [lease.Ledger].
func (l *Ledger) Account(ctx context.Context, projectID, name string) (lease.ServiceAccount, error) {
	a := lease.ServiceAccount{ProjectID: projectID, Name: name}
	byName, _ := layout.AccountFields(a)
	var id *redis.StringCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) { id = p.HGet(ctx, l.key(accountsKey), byName) })
	switch {
	case err != nil:
		return lease.ServiceAccount{}, err
	case errors.Is(id.Err(), redis.Nil):
		return lease.ServiceAccount{}, lease.ErrNotFound
	}
	a.ID = id.Val()
	return a, nil
}

// KeepAccount implements [lease.Ledger].
func (l *Ledger) KeepAccount(ctx context.Context, a lease.ServiceAccount) (lease.ServiceAccount, error) {
	if err := a.Validate(); err != nil {
		return lease.ServiceAccount{}, err
	}
	byName, byID := layout.AccountFields(a)
	reply, err := l.run(ctx, l.scripts.keepAccount, byName, a.ID, byID)
	if err != nil {
		return lease.ServiceAccount{}, err
	}
	a.ID = strings.Clone(text(reply, 1))
	return a, nil
}

// ForgetAccount implements [lease.Ledger].
func (l *Ledger) ForgetAccount(ctx context.Context, a lease.ServiceAccount) error {
	byName, byID := layout.AccountFields(a)
	_, err := l.run(ctx, l.scripts.forgetAccount, byName, a.ID, byID)
	return err
}

// AccountByID implements [lease.Ledger].
func (l *Ledger) AccountByID(ctx context.Context, id string) (lease.ServiceAccount, error) {
	_, byID := layout.AccountFields(lease.ServiceAccount{ID: id})
	var byName *redis.StringCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) { byName = p.HGet(ctx, l.key(accountsKey), byID) })
	switch {
	case err != nil:
		return lease.ServiceAccount{}, err
	case errors.Is(byName.Err(), redis.Nil):
		return lease.ServiceAccount{}, lease.ErrNotFound
	}
	return layout.AccountOf(byName.Val(), id), nil
}
