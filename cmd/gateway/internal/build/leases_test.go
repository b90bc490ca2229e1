package build

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// adminKey is a key source with one key.
type adminKey string

func (k adminKey) Key(context.Context) (upstream.Secret, error) {
	return upstream.NewSecret(string(k)), nil
}

func secretFile(t *testing.T, content string) config.SecretRef {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.SecretRef{File: path}
}

func encryptionKey(t *testing.T, b byte) config.SecretRef {
	t.Helper()
	return secretFile(t, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))+"\n")
}

// open opens the leases of a config, until the end of the test.
func open(t *testing.T, conf config.Config, key string, logs *bytes.Buffer) (*leasing, error) {
	t.Helper()
	opened := new(closers)
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return openLeases(t.Context(), opened, conf, adminKey(key), policyOf{new(callers.Set)}, nil, slog.New(slog.NewTextHandler(logs, nil)))
}

// TestLeasesAreKeptWhereTheConfigSays: in Redis under the name of the organization, in a
// file, or nowhere.
func TestLeasesAreKeptWhereTheConfigSays(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t, "--dir", t.TempDir())
	if err := redistest.Client(t, addr).ConfigSet(t.Context(), "appendonly", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	redis := "redis://" + addr
	path := filepath.Join(t.TempDir(), "leases.db")
	for name, test := range map[string]struct {
		cache  config.Cache
		leases config.Leases
		kind   string
		keeps  bool
	}{
		"nowhere":                      {},
		"Redis, of no organization":    {cache: config.Cache{RedisURL: redis}},
		"Redis, without keys":          {config.Cache{RedisURL: redis}, config.Leases{Organization: "acme"}, "redis", false},
		"Redis, with keys":             {config.Cache{RedisURL: redis, EncryptionKeys: []config.SecretRef{encryptionKey(t, 1)}}, config.Leases{Organization: "other"}, "redis", true},
		"a file, of no organization":   {leases: config.Leases{Path: path}, kind: "file", keeps: true},
		"a file, with an organization": {leases: config.Leases{Path: path + "2", Organization: "acme"}, kind: "file", keeps: true},
	} {
		var logs bytes.Buffer
		l, err := open(t, config.Config{Cache: test.cache, Leases: test.leases}, "sk-admin", &logs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l == nil || test.kind == "" {
			if l != nil || test.kind != "" || l.degraded() != "" || l.collectors() != nil || l.given() != nil || l.Run(t.Context()) != nil || l.opening().Run(t.Context()) != nil {
				t.Errorf("%s: %+v", name, l)
			}
			continue
		}
		info, err := l.ledger.Info(t.Context())
		if err != nil || info.Kind != test.kind || info.KeepsSecrets != test.keeps || l.degraded() != "" || l.given() == nil {
			t.Errorf("%s: %+v, %v, %q", name, info, err, l.degraded())
		}
	}
}

// TestMarksOutliveTheAdminKey where there is another secret, and are the same after a
// restart; the second encryption key still recognises what the first made.
func TestMarksOutliveTheAdminKey(t *testing.T) {
	t.Parallel()
	redis := config.Config{Cache: config.Cache{RedisURL: "redis://127.0.0.1:1"}, Leases: config.Leases{Organization: "acme"}}
	encrypted := redis
	encrypted.Cache.EncryptionKeys = []config.SecretRef{encryptionKey(t, 1), encryptionKey(t, 2)}
	file := config.Config{Leases: config.Leases{Path: filepath.Join(t.TempDir(), "leases.db")}}
	var opening bytes.Buffer
	if _, err := open(t, file, "sk", &opening); err != nil { // It makes the ledger's own key.
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		conf     config.Config
		keys     int
		outlives bool
	}{"Redis": {redis, 1, false}, "encrypted": {encrypted, 2, true}, "a file": {file, 1, true}} {
		var marks [2][][]byte
		var logs bytes.Buffer
		for i, key := range []string{"sk-before", "sk-after"} {
			var err error
			if marks[i], err = markKeys(t.Context(), test.conf, adminKey(key), slog.New(slog.NewTextHandler(&logs, nil))); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		same := slices.EqualFunc(marks[0], marks[1], bytes.Equal)
		if len(marks[0]) != test.keys || same != test.outlives || strings.Contains(logs.String(), "depend on the admin key") == test.outlives {
			t.Errorf("%s: %d keys, the same: %t; the log: %s", name, len(marks[0]), same, &logs)
		}
		for _, key := range marks[0] {
			if len(key) < 32 || bytes.Contains(key, []byte("sk-")) {
				t.Errorf("%s: a key of %d bytes", name, len(key))
			}
		}
	}
}

// TestLeasesWithoutTheirRedis: a Redis that does not answer does not keep the gateway
// from starting; one that refuses the login does, and so does a file that cannot be
// used.
func TestLeasesWithoutTheirRedis(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	l, err := open(t, config.Config{Cache: config.Cache{RedisURL: "redis://127.0.0.1:1"}, Leases: config.Leases{Organization: "acme"}}, "sk", &logs)
	if err != nil || !strings.Contains(l.degraded(), "does not answer") {
		t.Fatalf("%v, %v", l, err)
	}
	if _, err := l.ledger.Counts(t.Context()); !errors.Is(err, lease.ErrUnavailable) {
		t.Error(err)
	}
	addr := redistest.Start(t)
	redistest.SetUser(t, addr, "reader", "on >secret ~* +get +ping +hello +client")
	for name, url := range map[string]string{"wrong password": "redis://reader:wrong@" + addr, "no commands": "redis://reader:secret@" + addr} {
		if _, err := open(t, config.Config{Cache: config.Cache{RedisURL: url}, Leases: config.Leases{Organization: "acme"}}, "sk", &logs); err == nil || !strings.Contains(err.Error(), "docs/ledger.md") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, path := range map[string]string{"no folder": filepath.Join(t.TempDir(), "none", "leases.db"), "a folder": t.TempDir()} {
		if _, err := open(t, config.Config{Leases: config.Leases{Path: path}}, "sk", &logs); err == nil {
			t.Errorf("%s: it is open", name)
		}
	}
}

// TestRiskyRedisIsSaid: in words, for /readyz.
func TestRiskyRedisIsSaid(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t, "--save", "", "--maxmemory-policy", "allkeys-lru")
	var logs bytes.Buffer
	l, err := open(t, config.Config{Cache: config.Cache{RedisURL: "redis://" + addr}, Leases: config.Leases{Organization: "acme"}}, "sk", &logs)
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"maxmemory-policy has to be noeviction", "set appendonly yes"} {
		if !strings.Contains(l.degraded(), words) || !strings.Contains(logs.String(), words) {
			t.Errorf("degraded %q, the log %s", l.degraded(), &logs)
		}
	}
}
