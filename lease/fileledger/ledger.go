package fileledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

const (
	// DefaultEvents is how many events are kept.
	DefaultEvents = 10_000
	// DefaultLockTimeout is how long Open waits for another process that has the
	// ledger.
	DefaultLockTimeout = 5 * time.Second

	fileMode = 0o600
)

// The buckets of the file.
//
//	meta     schema, epoch, lead
//	rows     ID → row
//	secrets  ID → sealed secret
//	index    key → nothing: see package layout
//	counts   group → number of its members
//	events   sequence, 8 bytes → event
//	accounts see layout.AccountFields
//	documents NAME → document
const (
	metaBucket    = "meta"
	rowsBucket    = "rows"
	secretsBucket = "secrets"
	indexBucket   = "index"
	countsBucket  = "counts"
	eventsBucket  = "events"

	accountsBucket = "accounts"

	documentsBucket = "documents"
)

// Options are the settings of a [Ledger].
type Options struct {
	// Path is the file. It is required; it is made if there is none.
	Path string
	// Sealer encrypts secrets. Without it, a key file beside the ledger does.
	Sealer *seal.Sealer
	// Events is how many events are kept. [DefaultEvents] if not positive.
	Events int
	// LockTimeout is how long to wait for another process. [DefaultLockTimeout] if
	// not positive.
	LockTimeout time.Duration
	// Now is the clock by which claims and terms end. [time.Now] if nil.
	Now func() time.Time

	// form replaces the form of this build in tests of migrations.
	form form
}

// Ledger is the [lease.Ledger] of one process. A change is on the disk before it
// returns, in one write with those that others make at the same time.
type Ledger struct {
	db     *bbolt.DB
	o      Options
	epoch  string
	writes chan write
	stop   chan struct{}
	ended  chan struct{}
	close  sync.Once
}

var _ lease.Ledger = (*Ledger)(nil)

// Open opens the ledger in a file, and makes it if there is none. One of an older form
// is brought to the form of this build, whole or not at all. It fails with
// [lease.ErrLocked] if another process has it, and with [lease.ErrSchema] if its form
// is that of a newer build. It starts a goroutine, which ends with Close.
func Open(o Options) (*Ledger, error) {
	if o.Path == "" {
		return nil, errors.New("fileledger: a path is required")
	}
	if o.Events <= 0 {
		o.Events = DefaultEvents
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.form.schema == 0 {
		o.form = thisForm()
	}
	_, err := os.Lstat(o.Path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if !fresh {
		if err := private(o.Path); err != nil {
			return nil, err
		}
	}
	db, err := bbolt.Open(o.Path, fileMode, &bbolt.Options{Timeout: o.LockTimeout, FreelistType: bbolt.FreelistMapType})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s is locked after %v", lease.ErrLocked, o.Path, o.LockTimeout)
	case err != nil:
		return nil, fmt.Errorf("ledger %s: %w", o.Path, err)
	}
	l := &Ledger{db: db, o: o, writes: make(chan write), stop: make(chan struct{}), ended: make(chan struct{})}
	if err := l.begin(fresh); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	go l.writer()
	return l, nil
}

func (l *Ledger) begin(fresh bool) error {
	if fresh {
		if err := syncFolder(l.o.Path); err != nil {
			return fmt.Errorf("ledger %s: %w", l.o.Path, err)
		}
	}
	if l.o.Sealer == nil {
		sealer, err := keyFile(l.o.Path)
		if err != nil {
			return err
		}
		l.o.Sealer = sealer
	}
	return l.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte(metaBucket)) == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%s: %w", l.o.Path, &lease.SchemaError{Found: "none", Want: l.o.form.schema})
			}
			for _, name := range []string{metaBucket, rowsBucket, secretsBucket, indexBucket, countsBucket, eventsBucket, accountsBucket, documentsBucket} {
				if _, err := tx.CreateBucket([]byte(name)); err != nil {
					return err
				}
			}
			meta := tx.Bucket([]byte(metaBucket))
			return errors.Join(meta.Put([]byte("schema"), []byte(strconv.Itoa(l.o.form.schema))), l.setEpoch(meta))
		}
		meta := tx.Bucket([]byte(metaBucket))
		l.epoch = string(meta.Get([]byte("epoch")))
		return errors.Join(l.migrate(tx, meta), vacate(meta))
	})
}

func (l *Ledger) setEpoch(meta *bbolt.Bucket) error {
	l.epoch = rand.Text()
	return meta.Put([]byte("epoch"), []byte(l.epoch))
}

// Close implements [lease.Ledger]. It waits for what is being written, and lets
// another process have the file.
func (l *Ledger) Close() error {
	var err error
	l.close.Do(func() {
		close(l.stop)
		<-l.ended
		err = l.db.Close()
	})
	return err
}

// Info implements [lease.Ledger].
func (l *Ledger) Info(ctx context.Context) (lease.Info, error) {
	info := lease.Info{Kind: "file", Schema: l.o.form.schema, Epoch: l.epoch, KeepsSecrets: true}
	err := l.view(ctx, func(t table) error {
		info.Sequence = t.events.Sequence()
		return nil
	})
	return info, err
}

// form is the form of a ledger: what a build knows of it.
type form struct {
	schema int
	keys   func(*lease.Record) layout.Keys
	// migrate brings the bytes of a record from the form before to this one.
	migrate func([]byte) ([]byte, error)
}

func thisForm() form { return form{schema: layout.Schema, keys: layout.Of} }
