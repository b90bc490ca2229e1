package redisledger

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// scriptPutDocument keeps a document that has not been changed meanwhile. A document has
// four fields: NAME, a line break, and version, token, data or sealed; the token is that
// of the last write, so that one that is repeated is not made twice.
//
//	ARGV  …; the name, the version that it was made from, the next one, the token, the
//	      data, and the sealed secret or nothing
const scriptPutDocument = scriptBegin + `
local documents, name = KEYS[9], ARGV[3] .. '\n'
local kept = redis.call('HMGET', documents, name .. 'version', name .. 'token')
if kept[2] == ARGV[6] then return {'OK'} end
if (kept[1] or '0') ~= ARGV[4] then return {'CONFLICT'} end
redis.call('HSET', documents, name .. 'version', ARGV[5], name .. 'token', ARGV[6], name .. 'data', ARGV[7], name .. 'sealed', ARGV[8])
return {'OK'}
`

// Document implements [lease.Ledger].
func (l *Ledger) Document(ctx context.Context, name string) (lease.Document, error) {
	var fields *redis.SliceCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) {
		fields = p.HMGet(ctx, l.key(documentsKey), name+"\nversion", name+"\ndata", name+"\nsealed")
	})
	if err != nil {
		return lease.Document{}, err
	}
	d := lease.Document{Name: name, Version: number(text(fields.Val(), 0)), Data: []byte(text(fields.Val(), 1))}
	if d.Version == 0 {
		return lease.Document{}, lease.ErrNotFound
	}
	sealed := text(fields.Val(), 2)
	if sealed == "" {
		return d, nil
	}
	if l.o.Sealer == nil {
		return d, lease.ErrSecretLost
	}
	secret, ok := l.o.Sealer.Open([]byte(sealed), layout.AssociatedDocument(name))
	if !ok {
		return d, lease.ErrSecretLost
	}
	d.Secret = lease.NewSecret(secret)
	return d, nil
}

// PutDocument implements [lease.Ledger].
func (l *Ledger) PutDocument(ctx context.Context, d lease.Document) (lease.Document, error) {
	if err := d.Validate(); err != nil {
		return lease.Document{}, err
	}
	var sealed []byte
	if !d.Secret.IsZero() {
		if l.o.Sealer == nil {
			return lease.Document{}, lease.ErrNoSecret
		}
		sealed = l.o.Sealer.Seal(d.Secret.Reveal(), layout.AssociatedDocument(d.Name))
	}
	from, next := strconv.FormatUint(d.Version, 10), strconv.FormatUint(d.Version+1, 10)
	if _, err := l.run(ctx, l.scripts.putDocument, d.Name, from, next, newToken(), d.Data, sealed); err != nil {
		return lease.Document{}, err
	}
	d.Version++
	return d, nil
}
