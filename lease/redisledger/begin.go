package redisledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// form is the form of a ledger: what a build knows of it.
type form struct {
	schema int
	keys   func(*lease.Record) layout.Keys
	// migrate brings the bytes of a record from the form before to this one. A
	// record that has it already comes back as it is: a migration that was
	// interrupted begins again.
	migrate func([]byte) ([]byte, error)
}

func thisForm() form { return form{schema: layout.Schema, keys: layout.Of} }

// migrationLife is how long a migration may make no progress before another replica
// takes it over.
const migrationLife = 10 * time.Second

// scriptOpen begins a ledger where there is none.
//
//	KEYS  meta
//	ARGV  schema, epoch
const scriptOpen = `
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'epoch', ARGV[2], 'seq', '0') end
return redis.call('HMGET', KEYS[1], 'schema', 'epoch')
`

// scriptMigrating gives a replica the migration to a schema for a while: from then on,
// no other script runs. It returns the schema; with a "<" after it, if the migration
// is this replica's.
//
//	KEYS  meta
//	ARGV  schema; the one before; replica; life in ms
const scriptMigrating = `
local schema = redis.call('HGET', KEYS[1], 'schema')
local underway = ARGV[2] .. '>' .. ARGV[1]
if schema ~= ARGV[2] and schema ~= underway then return schema end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'migrator', 'migrates')
if schema == underway and held[1] ~= ARGV[3] and tonumber(held[2]) > now then return schema end
redis.call('HSET', KEYS[1], 'schema', underway, 'migrator', ARGV[3], 'migrates', string.format('%.0f', now + tonumber(ARGV[4])))
return schema .. '<'
`

// scriptMigrate brings rows to their new form, while the migration is this replica's,
// and keeps it so.
//
//	KEYS  meta, rows, heads, secrets, index, counts, events
//	ARGV  what schema has to be; replica; life in ms; then for each row its id, the
//	      record that it was made from, the new one, and its new keys and groups as
//	      JSON
const scriptMigrate = `
local meta, rows, heads, secrets, index, counts = unpack(KEYS)
local held = redis.call('HMGET', meta, 'schema', 'migrator')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', meta, 'migrates', string.format('%.0f', now + tonumber(ARGV[3])))
local function count(groups, by)
	for _, group in ipairs(groups) do
		if redis.call('HINCRBY', counts, group, by) <= 0 then redis.call('HDEL', counts, group) end -- if
	end -- of it
end
for i = 4, #ARGV, 4 do
	local id, record, keys = ARGV[i], ARGV[i + 2], cjson.decode(ARGV[i + 3])
	if redis.call('HGET', rows, id) == ARGV[i + 1] then
		local head = cjson.decode(redis.call('HGET', heads, id))
		redis.call('HSET', rows, id, record)
		redis.call('ZREM', index, unpack(head.x))
		count(head.n, -1)
		for _, key in ipairs(keys.x) do redis.call('ZADD', index, 0, key) end
		count(keys.n, 1)
		head.x, head.n = keys.x, keys.n
		redis.call('HSET', heads, id, cjson.encode(head))
	end -- of a row
end
return 1
`

// scriptMigrated ends a migration.
//
//	KEYS  meta
//	ARGV  what schema has to be; replica; schema
const scriptMigrated = `
local held = redis.call('HMGET', KEYS[1], 'schema', 'migrator')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'schema', ARGV[3])
return redis.call('HDEL', KEYS[1], 'migrator', 'migrates')
`

// begin opens the ledger, or begins one, or brings it to this form.
func (l *Ledger) begin(ctx context.Context) error {
	schema, err := l.open(ctx)
	if err != nil {
		return err
	}
	want := strconv.Itoa(l.o.form.schema)
	if schema == want {
		return nil
	}
	before := strconv.Itoa(l.o.form.schema - 1)
	underway := before + ">" + want
	if l.o.form.migrate == nil || schema != before && schema != underway {
		return &lease.SchemaError{Found: schema, Want: l.o.form.schema}
	}
	return l.migrate(ctx, before, want, underway)
}

func (l *Ledger) open(ctx context.Context) (schema string, err error) {
	var reply []any
	err = l.call(ctx, func(ctx context.Context) (err error) {
		reply, err = redis.NewScript(scriptOpen).Run(ctx, l.client, l.keys[:1], l.o.form.schema, rand.Text()).Slice()
		return err
	})
	if err != nil {
		return "", err
	}
	l.epoch = text(reply, 1)
	return text(reply, 0), nil
}

// migrate brings a ledger from the form before to this one, or waits for the replica
// that does, until ctx ends.
func (l *Ledger) migrate(ctx context.Context, before, want, underway string) error {
	replica := rand.Text()
	hold := func() (schema string, mine bool, err error) {
		err = l.call(ctx, func(ctx context.Context) (err error) {
			schema, err = redis.NewScript(scriptMigrating).Run(ctx, l.client, l.keys[:1],
				want, before, replica, migrationLife.Milliseconds()).Text()
			return err
		})
		schema, mine = strings.CutSuffix(schema, "<")
		return schema, mine, err
	}
	for {
		schema, mine, err := hold()
		switch {
		case err != nil:
			return err
		case schema == want:
			return nil
		case mine:
			return l.migrateRows(ctx, underway, replica, want)
		}
		timer := time.NewTimer(migrationLife / 20)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("another replica migrates the ledger: %w", ctx.Err())
		}
	}
}

func (l *Ledger) migrateRows(ctx context.Context, underway, replica, want string) error {
	err := l.scan(ctx, rowsKey, func(fields []string) error {
		args := []any{underway, replica, migrationLife.Milliseconds()}
		for i := 0; i+1 < len(fields); i += 2 {
			id, was := fields[i], fields[i+1]
			is, err := l.o.form.migrate([]byte(was))
			if err != nil {
				return fmt.Errorf("lease %s cannot be migrated: %w", id, err)
			}
			r, err := layout.Decode(is)
			if err != nil {
				return fmt.Errorf("lease %s cannot be migrated: %w", id, err)
			}
			keys, err := keysJSON(l.rowOf(&r))
			if err != nil {
				return err
			}
			args = append(args, id, was, is, keys)
		}
		return l.step(ctx, scriptMigrate, args...)
	})
	if err != nil {
		return err
	}
	return l.step(ctx, scriptMigrated, underway, replica, want)
}

// step runs a script of a migration, which another replica may have taken over.
func (l *Ledger) step(ctx context.Context, script string, args ...any) error {
	var done int
	err := l.call(ctx, func(ctx context.Context) (err error) {
		done, err = redis.NewScript(script).Run(ctx, l.client, l.keys, args...).Int()
		return err
	})
	if err != nil || done == 0 {
		return orFenced(err)
	}
	return nil
}

func orFenced(err error) error {
	if err == nil {
		return fmt.Errorf("another replica migrates the ledger: %w", lease.ErrFenced)
	}
	return err
}
