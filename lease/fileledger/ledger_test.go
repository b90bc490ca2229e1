package fileledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

// TestOneProcess: the second one is told, after its timeout, and may have the ledger when
// the first is done.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "leases.db")
	l := open(t, Options{Path: path})
	_, err := Open(Options{Path: path, LockTimeout: time.Millisecond})
	if !errors.Is(err, lease.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	_, createErr := l.Create(t.Context(), ledgertest.NewDraft("1"))
	_, getErr := l.Get(t.Context(), lease.NewID(time.Now()))
	if !errors.Is(createErr, lease.ErrUnavailable) || !errors.Is(getErr, lease.ErrUnavailable) {
		t.Errorf("closed: %v; %v", createErr, getErr)
	}
	open(t, Options{Path: path})
}

// TestFilesArePrivate: ledger and key file are for this user alone, and are refused if
// they are not.
// TestTermEndsWithItsProcess: whoever opens the file leads at once, because the process
// that led is gone.
func TestTermEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "leases.db")
	for fence, replica := range []string{"gw-1", "gw-2"} {
		l, err := Open(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		term, err := l.Lead(t.Context(), replica, time.Hour)
		if err != nil || term.Fence != uint64(fence)+1 {
			t.Errorf("%s leads as %d, %v", replica, term.Fence, err)
		}
		if err := l.Close(); err != nil { // Without having resigned, as after a kill.
			t.Fatal(err)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "leases.db")
	if err := open(t, Options{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + keySuffix} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v, %v", name, info.Mode(), err)
		}
		if err := os.Chmod(name, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%s for others: %v", name, err)
		}
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("%q, %v", left, err)
	}
}

// TestSecretsInTheFile: the file has no secret in the clear, and the key beside it, or
// the one of the config, opens them after a restart.
func TestSecretsInTheFile(t *testing.T) {
	t.Parallel()
	sealer, err := seal.New([][]byte{bytes.Repeat([]byte{1}, seal.KeyBytes)})
	if err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]Options{"key file": {}, "keys of the config": {Sealer: &sealer}} {
		options.Path = filepath.Join(t.TempDir(), "leases.db")
		l := open(t, options)
		r := ledgertest.Advance(t, l, ledgertest.Create(t, l, ledgertest.NewDraft("1")), lease.Issued)
		_, err := l.PutDocument(t.Context(), lease.Document{Name: "rotation", Secret: ledgertest.SecretOf("the gateway")})
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(options.Path)
		if err != nil || bytes.Contains(content, []byte("sk-of-")) || !bytes.Contains(content, []byte(r.ID)) {
			t.Errorf("%s: a secret is in the file, or nothing is: %v", name, err)
		}
		_, err = os.Stat(options.Path + keySuffix)
		if errors.Is(err, os.ErrNotExist) != (options.Sealer != nil) {
			t.Errorf("%s: %v", name, err)
		}
		l = open(t, options)
		if secret, err := l.Secret(t.Context(), r.ID); err != nil || !bytes.Equal(secret.Reveal(), ledgertest.SecretOf(r.ID).Reveal()) {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		other, err := seal.New([][]byte{bytes.Repeat([]byte{2}, seal.KeyBytes)})
		if err != nil {
			t.Fatal(err)
		}
		options.Sealer = &other
		if _, err := open(t, options).Secret(t.Context(), r.ID); !errors.Is(err, lease.ErrSecretLost) {
			t.Errorf("%s: with another key: %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "leases.db")
	if err := os.WriteFile(path+keySuffix, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: path}); err == nil || strings.Contains(err.Error(), "not a key") {
		t.Errorf("a key file without a key: %v", err)
	}
}

// TestOtherFiles: a file that is no ledger is refused, and left as it is.
func TestOtherFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "other.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(folder, "notes.txt")
	if err := os.WriteFile(text, bytes.Repeat([]byte("notes\n"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, text, folder} {
		if _, err := Open(Options{Path: name}); err == nil {
			t.Errorf("%s passes for a ledger", name)
		}
	}
}

// TestFileMigration: a newer build brings the file to its form, whole or not at all, and an
// older one is refused from then on.
func TestFileMigration(t *testing.T) {
	t.Parallel()
	const leases = 25
	path := filepath.Join(t.TempDir(), "leases.db")
	l := open(t, Options{Path: path})
	for i := range leases {
		ledgertest.Advance(t, l, ledgertest.Create(t, l, ledgertest.NewDraft(strconv.Itoa(i))), lease.Issued)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	next := form{
		schema: layout.Schema + 1,
		keys: func(r *lease.Record) layout.Keys {
			k := layout.Of(r)
			k.Index = append(k.Index, "p"+r.ProjectID+"\n"+r.ID)
			return k
		},
		migrate: func(data []byte) ([]byte, error) {
			var members map[string]any
			if err := json.Unmarshal(data, &members); err != nil {
				return nil, err
			}
			members["cause"] = "migrated"
			return json.Marshal(members)
		},
	}
	broken, stop, n := next, errors.New("broken"), 0
	broken.migrate = func(data []byte) ([]byte, error) {
		if n++; n > leases/2 {
			return nil, stop
		}
		return next.migrate(data)
	}
	if _, err := Open(Options{Path: path, form: broken}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	l = open(t, Options{Path: path}) // It is as it was.
	if n := ledgertest.Sound(t, l); n != leases {
		t.Fatalf("%d leases", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, Options{Path: path, form: next})
	if n := ledgertest.Sound(t, l); n != leases {
		t.Fatalf("%d leases", n)
	}
	for _, r := range ledgertest.All(t, l, lease.Query{PageSize: lease.MaxPage}) {
		secret, err := l.Secret(t.Context(), r.ID)
		if r.Cause != "migrated" || err != nil || !bytes.Equal(secret.Reveal(), ledgertest.SecretOf(r.ID).Reveal()) {
			t.Fatalf("lease %s: %q, %v", r.ID, r.Cause, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Path: path})
	var schema *lease.SchemaError
	if !errors.As(err, &schema) || schema.Found != "2" || schema.Want != 1 {
		t.Errorf("an older build: %v", err)
	}
}

// TestCheckFindsDamage: whatever part of a lease is taken away or added, a check says.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t table, id string) error{
		"no row":         func(t table, id string) error { return t.rows.Delete([]byte(id)) },
		"no secret":      func(t table, id string) error { return t.secrets.Delete([]byte(id)) },
		"another secret": func(t table, _ string) error { return t.secrets.Put([]byte("other"), []byte("x")) },
		"a key missing":  func(t table, id string) error { return t.index.Delete([]byte("aC\n" + id)) },
		"a key too many": func(t table, id string) error { return t.index.Put([]byte("aD\n"+id), nil) },
		"a wrong count":  func(t table, _ string) error { return t.count([]string{"R" + ledgertest.Role}, 1) },
		"no count":       func(t table, _ string) error { return t.counts.Delete([]byte("R" + ledgertest.Role)) },
		"a wrong row":    func(t table, id string) error { return t.rows.Put([]byte(id), []byte(`{"record":{}}`)) },
	} {
		l := open(t, Options{Path: filepath.Join(t.TempDir(), "leases.db")})
		r := ledgertest.Advance(t, l, ledgertest.Create(t, l, ledgertest.NewDraft("1")), lease.Issued)
		ledgertest.Sound(t, l)
		err := l.update(t.Context(), func(t table) error { return damage(t, r.ID) })
		report, checkErr := l.Check(t.Context())
		if err = errors.Join(err, checkErr); err != nil || report.Found == 0 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}
