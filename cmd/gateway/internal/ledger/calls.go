package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// call makes a call of the ledger that was opened.
func call[T any](l *Late, operation string, f func(lease.Ledger) (T, error)) (T, error) {
	inner := l.opened.Load()
	if inner == nil {
		var none T
		return none, errNotOpen
	}
	start := time.Now()
	result, err := f(*inner)
	l.options.Metrics.observe(operation, start, err)
	if errors.Is(err, lease.ErrLost) {
		l.lost.Store(true)
	}
	return result, err
}

// do is call for what has no result.
func do(l *Late, operation string, f func(lease.Ledger) error) error {
	_, err := call(l, operation, func(inner lease.Ledger) (struct{}, error) { return struct{}{}, f(inner) })
	return err
}

// Info implements [lease.Ledger].
func (l *Late) Info(ctx context.Context) (lease.Info, error) {
	return call(l, "info", func(inner lease.Ledger) (lease.Info, error) { return inner.Info(ctx) })
}

// Create implements [lease.Ledger].
func (l *Late) Create(ctx context.Context, draft lease.Draft) (lease.Created, error) {
	return call(l, "create", func(inner lease.Ledger) (lease.Created, error) { return inner.Create(ctx, draft) })
}

// Update implements [lease.Ledger].
func (l *Late) Update(ctx context.Context, changes ...lease.Change) ([]lease.Record, error) {
	return call(l, "update", func(inner lease.Ledger) ([]lease.Record, error) { return inner.Update(ctx, changes...) })
}

// Claim implements [lease.Ledger].
func (l *Late) Claim(ctx context.Context, id, owner string, life time.Duration) (lease.Record, error) {
	return call(l, "claim", func(inner lease.Ledger) (lease.Record, error) { return inner.Claim(ctx, id, owner, life) })
}

// Release implements [lease.Ledger].
func (l *Late) Release(ctx context.Context, id string, fence uint64) error {
	return do(l, "release", func(inner lease.Ledger) error { return inner.Release(ctx, id, fence) })
}

// Forget implements [lease.Ledger].
func (l *Late) Forget(ctx context.Context, id string, version uint64) error {
	return do(l, "forget", func(inner lease.Ledger) error { return inner.Forget(ctx, id, version) })
}

// Get implements [lease.Ledger].
func (l *Late) Get(ctx context.Context, id string) (lease.Record, error) {
	return call(l, "get", func(inner lease.Ledger) (lease.Record, error) { return inner.Get(ctx, id) })
}

// Secret implements [lease.Ledger].
func (l *Late) Secret(ctx context.Context, id string) (lease.Secret, error) {
	return call(l, "secret", func(inner lease.Ledger) (lease.Secret, error) { return inner.Secret(ctx, id) })
}

// List implements [lease.Ledger].
func (l *Late) List(ctx context.Context, query lease.Query) (lease.Page, error) {
	return call(l, "list", func(inner lease.Ledger) (lease.Page, error) { return inner.List(ctx, query) })
}

// Due implements [lease.Ledger].
func (l *Late) Due(ctx context.Context, query lease.DueQuery) (lease.DuePage, error) {
	return call(l, "due", func(inner lease.Ledger) (lease.DuePage, error) { return inner.Due(ctx, query) })
}

// Counts implements [lease.Ledger].
func (l *Late) Counts(ctx context.Context) ([]lease.Count, error) {
	return call(l, "counts", func(inner lease.Ledger) ([]lease.Count, error) { return inner.Counts(ctx) })
}

// Account implements [lease.Ledger].
func (l *Late) Account(ctx context.Context, projectID, name string) (lease.ServiceAccount, error) {
	return call(l, "account", func(inner lease.Ledger) (lease.ServiceAccount, error) { return inner.Account(ctx, projectID, name) })
}

// KeepAccount implements [lease.Ledger].
func (l *Late) KeepAccount(ctx context.Context, account lease.ServiceAccount) (lease.ServiceAccount, error) {
	return call(l, "keep_account", func(inner lease.Ledger) (lease.ServiceAccount, error) { return inner.KeepAccount(ctx, account) })
}

// ForgetAccount implements [lease.Ledger].
func (l *Late) ForgetAccount(ctx context.Context, account lease.ServiceAccount) error {
	return do(l, "forget_account", func(inner lease.Ledger) error { return inner.ForgetAccount(ctx, account) })
}

// AccountByID implements [lease.Ledger].
func (l *Late) AccountByID(ctx context.Context, id string) (lease.ServiceAccount, error) {
	return call(l, "account_by_id", func(inner lease.Ledger) (lease.ServiceAccount, error) { return inner.AccountByID(ctx, id) })
}

// Events implements [lease.Ledger].
func (l *Late) Events(ctx context.Context, query lease.EventQuery) (lease.EventPage, error) {
	return call(l, "events", func(inner lease.Ledger) (lease.EventPage, error) { return inner.Events(ctx, query) })
}

// Lead implements [lease.Ledger].
func (l *Late) Lead(ctx context.Context, replica string, life time.Duration) (lease.Term, error) {
	return call(l, "lead", func(inner lease.Ledger) (lease.Term, error) { return inner.Lead(ctx, replica, life) })
}

// Resign implements [lease.Ledger].
func (l *Late) Resign(ctx context.Context, term lease.Term) error {
	return do(l, "resign", func(inner lease.Ledger) error { return inner.Resign(ctx, term) })
}

// Import implements [lease.Ledger].
func (l *Late) Import(ctx context.Context, records []lease.Record) error {
	return do(l, "import", func(inner lease.Ledger) error { return inner.Import(ctx, records) })
}

// Check implements [lease.Ledger].
func (l *Late) Check(ctx context.Context) (lease.Report, error) {
	return call(l, "check", func(inner lease.Ledger) (lease.Report, error) { return inner.Check(ctx) })
}

// Document implements [lease.Ledger].
func (l *Late) Document(ctx context.Context, name string) (lease.Document, error) {
	return call(l, "document", func(inner lease.Ledger) (lease.Document, error) { return inner.Document(ctx, name) })
}

// PutDocument implements [lease.Ledger].
func (l *Late) PutDocument(ctx context.Context, document lease.Document) (lease.Document, error) {
	return call(l, "put_document", func(inner lease.Ledger) (lease.Document, error) { return inner.PutDocument(ctx, document) })
}
