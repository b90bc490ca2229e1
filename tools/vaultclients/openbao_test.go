package main

import (
	"errors"
	"net/http"
	"testing"

	openbao "github.com/openbao/openbao/api/v2"
)

// TestOpenBaoClient: OpenBao's client for Go, from the login to the end of a lease.
func TestOpenBaoClient(t *testing.T) {
	t.Parallel()
	jwt, err := bed.issuer.token(podSubject)
	if err != nil {
		t.Fatal(err)
	}
	config := openbao.DefaultConfig()
	config.Address, config.MaxRetries = bed.url, 0
	client, err := openbao.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	login, err := client.Logical().Write("auth/jwt/login", map[string]any{"role": "search", "jwt": jwt})
	if err != nil || login.Auth == nil {
		t.Fatalf("login: %+v, %v", login, err)
	}
	client.SetToken(login.Auth.ClientToken)
	if self, err := client.Auth().Token().LookupSelf(); err != nil || self.Data["display_name"] != "pod" {
		t.Errorf("lookup-self: %+v, %v", self, err)
	}
	made, err := client.Logical().Read("openai/creds/search")
	if err != nil {
		t.Fatal(err)
	}
	key, _ := made.Data["api_key"].(string)
	if !made.Renewable || !bed.sandbox.KeyAlive(key) {
		t.Errorf("the lease: %+v", made)
	}
	if looked, err := client.Sys().Lookup(made.LeaseID); err != nil || looked.Data["id"] != made.LeaseID {
		t.Errorf("lookup: %+v, %v", looked, err)
	}
	if renewed, err := client.Sys().Renew(made.LeaseID, 7200); err != nil || renewed.LeaseDuration < 7190 {
		t.Errorf("renew: %+v, %v", renewed, err)
	}
	if err := client.Sys().RevokeWithOptions(&openbao.RevokeOptions{LeaseID: made.LeaseID, Sync: true}); err != nil || bed.sandbox.KeyAlive(key) {
		t.Errorf("revoke: %v, the key lives: %t", err, bed.sandbox.KeyAlive(key))
	}
	_, err = client.Sys().Renew(made.LeaseID, 0)
	if refused, ok := errors.AsType[*openbao.ResponseError](err); !ok || refused.StatusCode != http.StatusBadRequest {
		t.Errorf("renew what is over: %v", err)
	}
	if err := client.Sys().RevokePrefix("openai/creds/search"); err != nil {
		t.Errorf("revoke-prefix: %v", err)
	}
	if health, err := client.Sys().Health(); err != nil || health.Sealed {
		t.Errorf("health: %+v, %v", health, err)
	}
	if err := client.Auth().Token().RevokeSelf(""); err != nil {
		t.Errorf("revoke-self: %v", err)
	}
	if _, err := client.Logical().Read("openai/creds/search"); err == nil {
		t.Error("a revoked token gets a lease")
	}
}
