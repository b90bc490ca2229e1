package fileledger

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// Account implements [lease.Ledger].
func (l *Ledger) Account(ctx context.Context, projectID, name string) (lease.ServiceAccount, error) {
	a := lease.ServiceAccount{ProjectID: projectID, Name: name}
	byName, _ := layout.AccountFields(a)
	err := l.view(ctx, func(t table) error {
		a.ID = string(t.accounts.Get([]byte(byName)))
		return nil
	})
	switch {
	case err != nil:
		return lease.ServiceAccount{}, err
	case a.ID == "":
		return lease.ServiceAccount{}, lease.ErrNotFound
	}
	return a, nil
}

// KeepAccount implements [lease.Ledger].
func (l *Ledger) KeepAccount(ctx context.Context, a lease.ServiceAccount) (lease.ServiceAccount, error) {
	if err := a.Validate(); err != nil {
		return lease.ServiceAccount{}, err
	}
	byName, byID := layout.AccountFields(a)
	err := l.update(ctx, func(t table) error {
		if kept := t.accounts.Get([]byte(byName)); kept != nil {
			a.ID = string(kept)
			return nil
		}
		return errors.Join(t.accounts.Put([]byte(byName), []byte(a.ID)), t.accounts.Put([]byte(byID), []byte(byName)))
	})
	return a, err
}

// ForgetAccount implements [lease.Ledger].
func (l *Ledger) ForgetAccount(ctx context.Context, a lease.ServiceAccount) error {
	byName, byID := layout.AccountFields(a)
	return l.update(ctx, func(t table) error {
		if string(t.accounts.Get([]byte(byName))) != a.ID {
			return nil
		}
		return errors.Join(t.accounts.Delete([]byte(byName)), t.accounts.Delete([]byte(byID)))
	})
}

// AccountByID implements [lease.Ledger].
func (l *Ledger) AccountByID(ctx context.Context, id string) (a lease.ServiceAccount, err error) {
	_, byID := layout.AccountFields(lease.ServiceAccount{ID: id})
	err = l.view(ctx, func(t table) error {
		byName := t.accounts.Get([]byte(byID))
		if byName == nil {
			return lease.ErrNotFound
		}
		a = layout.AccountOf(string(byName), id)
		return nil
	})
	return a, err
}
