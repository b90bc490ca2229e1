package redisclient

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedisURL(t *testing.T) {
	t.Parallel()
	type server struct {
		Addrs          []string
		DB             int
		User, Password string
		Master         string
		Cluster, TLS   bool
	}
	for url, want := range map[string]server{
		"redis://127.0.0.1:6380/2":     {Addrs: []string{"127.0.0.1:6380"}, DB: 2},
		"redis://r":                    {Addrs: []string{"r:6379"}},
		"redis://":                     {Addrs: []string{"localhost:6379"}},
		"redis://[::1]":                {Addrs: []string{"[::1]:6379"}},
		"redis://:pw@r":                {Addrs: []string{"r:6379"}, Password: "pw"},
		"rediss://gw:p%40w@r:1/":       {Addrs: []string{"r:1"}, User: "gw", Password: "p@w", TLS: true},
		"unix:///run/redis.sock?db=3":  {Addrs: []string{"/run/redis.sock"}, DB: 3},
		"unix://gw:pw@/run/redis.sock": {Addrs: []string{"/run/redis.sock"}, User: "gw", Password: "pw"},
		"redis+cluster://a:1?addr=b:2": {Addrs: []string{"a:1", "b:2"}, Cluster: true},
		"rediss+cluster://u:p@a?addr=b:2": {
			Addrs: []string{"a:6379", "b:2"}, User: "u", Password: "p", Cluster: true, TLS: true,
		},
		"redis+sentinel://gw:pw@s/4?master_name=m&addr=t:1&addr=u:2": {
			Addrs: []string{"s:26379", "t:1", "u:2"}, DB: 4, User: "gw", Password: "pw", Master: "m",
		},
	} {
		o, err := options(Config{URL: url})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := server{o.Addrs, o.DB, o.Username, o.Password, o.MasterName, o.IsClusterMode, o.TLSConfig != nil}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
		if !o.ContextTimeoutEnabled || o.MaxRetries != -1 || o.DialerRetries != 1 ||
			o.ReadTimeout != ioTimeout || o.WriteTimeout != ioTimeout ||
			o.DialTimeout != dialTimeout || o.PoolTimeout != ioTimeout {
			t.Errorf("%s: may wait for longer than the bound: %+v", url, o)
		}
	}
}

// What is worth waiting for is waited for, and no longer.
func TestRedisPatience(t *testing.T) {
	t.Parallel()
	const patience = 3 * time.Second
	o, err := options(Config{URL: "redis://a", Patience: patience})
	if err != nil || o.ReadTimeout != patience || o.WriteTimeout != patience || o.DialTimeout != patience || o.PoolTimeout != patience || o.MaxRetries != -1 {
		t.Errorf("%+v, %v", o, err)
	}
}

// What is refused says why, and nothing of the credentials.
func TestRedisURLRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"",
		"hunter2",
		"hunter2://r",
		"redis+hunter2://r",
		"redis://gw:hunter2@r:port",
		"redis://gw:hun/ter2:hunter2@r",
		"redis://gw:hunter2%zz@r",
		"redis://:6379?hunter2@r",
		"redis://gw:hunter2@r/hunter2",
		"redis://gw:hunter2@r/-1",
		"redis://gw:hunter2@r?db=1",
		"redis://gw:hunter2@r?read_timeout=5s",
		"redis://gw:hunter2@r?addr=s:1",
		"unix://gw:hunter2@",
		"unix://hunter2/path",
		"redis+sentinel://gw:hunter2@r",
		"redis+sentinel://gw:hunter2@r?master_name=m&addr=hunter2",
		"redis+cluster://gw:hunter2@r/1",
		"redis://gw:hunter2\x00@r",
	} {
		client, err := New(Config{URL: url})
		if err == nil {
			_ = client.Close()
			t.Errorf("%q was accepted", url)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error gives the password away: %v", url, err)
		}
	}
	if _, err := New(Config{URL: "redis://r", TLS: func(context.Context) *tls.Config { return nil }}); err == nil {
		t.Error("TLS was configured, and would not have been used")
	}
}

// A client does not connect before it is used.
func TestNewDoesNotConnect(t *testing.T) {
	t.Parallel()
	for url, config := range map[string]func(context.Context) *tls.Config{
		"redis://127.0.0.1:1":  nil,
		"rediss://127.0.0.1:1": func(context.Context) *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} },
	} {
		client, err := New(Config{URL: url, TLS: config, SentinelCredentials: func() (string, string) { return "user", "password" }})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Ping(t.Context()).Err(); err == nil {
			t.Errorf("%s: there is a server on port 1", url)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}
