package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// TestServeKeepsOutcomes: a configured gateway stores the outcomes of keyed writes. It
// refuses to store secret answers in Redis without encryption.
func TestServeKeepsOutcomes(t *testing.T) {
	t.Parallel()
	redisURL := "redis://" + redistest.Start(t)
	locked := "redis://default@" + redistest.Start(t, "--requirepass", "open-sesame")
	key := writeFile(t, "cache-key", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	for name, test := range map[string]struct {
		cache   string
		secrets bool
	}{
		"memory": {"{}", true},
		"Redis":  {"{redis_url: " + redisURL + "/0}", false},
		"Redis with a password": {"{redis_url: " + locked + ", redis_password: {file: " + writeFile(t, "password", "open-sesame\n") +
			"}, encryption_keys: [{file: " + key + "}]}", true},
		"encrypted Redis": {"{redis_url: " + redisURL + "/1, encryption_keys: [{file: " + key + "}]}", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := sandbox.New(sandbox.Options{Seed: 1})
			up := httptest.NewServer(fake)
			t.Cleanup(up.Close)
			token, hash, err := authn.NewToken()
			if err != nil {
				t.Fatal(err)
			}
			policy := writeFile(t, "policy.yaml", "callers:\n  - {name: writer, authenticate: [{token_sha256: "+hash+"}], grants: [{permissions: ['*']}]}\n")
			c := start(t, "serve", "--config", writeFile(t, "gateway.yaml", "{listen: '127.0.0.1:0', ops_listen: '127.0.0.1:0', shutdown: {delay: 0s}, policy: "+policy+
				", cache: "+test.cache+", upstream: {base_url: '"+up.URL+"/v1', budget: {default: {calls_per_minute: 600, burst: 10}, organization: {calls_per_minute: 600, burst: 10}}, admin_key: {file: "+writeFile(t, "key", sandbox.DefaultAdminKey)+"}}}"))
			var at struct {
				Listen string `json:"listen"`
			}
			if err := json.Unmarshal([]byte(c.err.line(t, c.ended, "ops_listen")), &at); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			client := http2Client()
			defer client.CloseIdleConnections()
			door := connect.NewClient(connecthttp.NewTransport(client, "http://"+at.Listen, connecthttp.WithGRPC()), withToken(token))
			keyed := func(key string) context.Context {
				ctx, info := connect.NewClientContext(ctx)
				info.RequestHeader().Set("Idempotency-Key", key)
				return ctx
			}
			// On a machine that stalls for a second the gateway refuses keyed
			// writes, which may be retried.
			patiently := func(call func() error) error {
				err := call()
				for connect.CodeOf(err) == connect.CodeUnavailable && ctx.Err() == nil {
					err = call()
				}
				return err
			}
			var ids []string
			for range 2 {
				if err := patiently(func() error {
					created, err := adminv1connect.NewProjectServiceClient(door).CreateProject(keyed("6f1c"), &adminv1.CreateProjectRequest{Name: "one"})
					ids = append(ids, created.GetProject().GetId())
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			if ids[0] != ids[len(ids)-1] || ids[0] == "" || fake.Count("POST /organization/projects") != 1 {
				t.Errorf("created %q, asked %d times", ids, fake.Count("POST /organization/projects"))
			}
			err = patiently(func() error {
				_, err := adminv1connect.NewAdminApiKeyServiceClient(door).CreateAdminApiKey(keyed("70b2"), &adminv1.CreateAdminApiKeyRequest{Name: "key"})
				return err
			})
			if test.secrets != (err == nil) || err != nil && connect.CodeOf(err) != connect.CodeFailedPrecondition {
				t.Errorf("a secret: %v", err)
			}
			c.stop(t)
		})
	}
}
