package fileledger

import (
	"context"
	"encoding/json"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// document is a document in the file.
type document struct {
	Version uint64 `json:"version"`
	Data    []byte `json:"data"`
	Sealed  []byte `json:"sealed,omitempty"`
}

func (t table) document(name string) (kept document, err error) {
	if data := t.documents.Get([]byte(name)); data != nil {
		err = json.Unmarshal(data, &kept)
	}
	return kept, err
}

// Document implements [lease.Ledger].
func (l *Ledger) Document(ctx context.Context, name string) (lease.Document, error) {
	d := lease.Document{Name: name}
	err := l.view(ctx, func(t table) error {
		kept, err := t.document(name)
		if err != nil {
			return err
		}
		if kept.Version == 0 {
			return lease.ErrNotFound
		}
		d.Version, d.Data = kept.Version, kept.Data
		if kept.Sealed == nil {
			return nil
		}
		secret, ok := l.o.Sealer.Open(kept.Sealed, layout.AssociatedDocument(name))
		if !ok {
			return lease.ErrSecretLost
		}
		d.Secret = lease.NewSecret(secret)
		return nil
	})
	return d, err
}

// PutDocument implements [lease.Ledger].
func (l *Ledger) PutDocument(ctx context.Context, d lease.Document) (lease.Document, error) {
	if err := d.Validate(); err != nil {
		return lease.Document{}, err
	}
	next := document{Version: d.Version + 1, Data: d.Data}
	if !d.Secret.IsZero() {
		next.Sealed = l.o.Sealer.Seal(d.Secret.Reveal(), layout.AssociatedDocument(d.Name))
	}
	data, err := json.Marshal(next)
	if err != nil {
		return lease.Document{}, err
	}
	err = l.update(ctx, func(t table) error {
		kept, err := t.document(d.Name)
		if err != nil {
			return err
		}
		if kept.Version != d.Version {
			return lease.ErrConflict
		}
		return t.documents.Put([]byte(d.Name), data)
	})
	if err != nil {
		return lease.Document{}, err
	}
	d.Version = next.Version
	return d, nil
}
