package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"
)

func newVault(t *testing.T, token string) *vault.Client {
	t.Helper()
	config := vault.DefaultConfig()
	config.Address, config.MaxRetries = bed.url, 0
	client, err := vault.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token)
	return client
}

// statusOf is the status of an error of the client; 0 for none.
func statusOf(err error) int {
	if refused, ok := errors.AsType[*vault.ResponseError](err); ok {
		return refused.StatusCode
	}
	return 0
}

// TestVaultClient: HashiCorp's client for Go, from the login to the end of a lease.
func TestVaultClient(t *testing.T) {
	t.Parallel()
	jwt, err := bed.issuer.token(podSubject)
	if err != nil {
		t.Fatal(err)
	}
	client := newVault(t, "")
	login, err := client.Logical().Write("auth/kubernetes/login", map[string]any{"role": "search", "jwt": jwt})
	if err != nil || login.Auth == nil || login.Auth.ClientToken == "" {
		t.Fatalf("login: %+v, %v", login, err)
	}
	client.SetToken(login.Auth.ClientToken)
	self, err := client.Auth().Token().LookupSelf()
	if err != nil {
		t.Fatal(err)
	}
	if ttl, err := self.TokenTTL(); err != nil || ttl <= 0 || ttl > time.Hour {
		t.Errorf("the token lives for %s, %v", ttl, err)
	}
	if id, err := self.TokenID(); err != nil || id != login.Auth.ClientToken {
		t.Errorf("the token is %q, %v", id, err)
	}
	if renewable, err := self.TokenIsRenewable(); err != nil || renewable {
		t.Errorf("renewable: %t, %v", renewable, err)
	}
	made, err := client.Logical().ReadWithData("openai/creds/search", map[string][]string{"ttl": {"30m"}})
	if err != nil {
		t.Fatal(err)
	}
	key, _ := made.Data["api_key"].(string)
	if made.LeaseDuration < 1790 || made.LeaseDuration > 1800 || !made.Renewable || !bed.sandbox.KeyAlive(key) {
		t.Errorf("the lease: %+v", made)
	}
	looked, err := client.Sys().Lookup(made.LeaseID)
	if err != nil || looked.Data["id"] != made.LeaseID {
		t.Errorf("lookup: %+v, %v", looked, err)
	}
	renewed, err := client.Sys().Renew(made.LeaseID, 7200)
	if err != nil || renewed.LeaseDuration < 7190 || renewed.LeaseID != made.LeaseID {
		t.Errorf("renew: %+v, %v", renewed, err)
	}
	if err := client.Sys().RevokeWithOptions(&vault.RevokeOptions{LeaseID: made.LeaseID, Sync: true}); err != nil || bed.sandbox.KeyAlive(key) {
		t.Errorf("revoke: %v, the key lives: %t", err, bed.sandbox.KeyAlive(key))
	}
	if _, err := client.Sys().Renew(made.LeaseID, 0); statusOf(err) != http.StatusBadRequest {
		t.Errorf("renew what is over: %v", err)
	}
	again, err := client.Logical().Write("openai/creds/search", map[string]any{"ttl": "10m"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Sys().RevokePrefix("openai/creds/search"); err != nil {
		t.Errorf("revoke-prefix: %v", err)
	}
	if looked, err := client.Sys().Lookup(again.LeaseID); statusOf(err) != http.StatusBadRequest {
		t.Errorf("lookup after revoke-prefix: %+v, %v", looked, err)
	}
	if err := client.Auth().Token().RevokeSelf(""); err != nil {
		t.Errorf("revoke-self: %v", err)
	}
	if _, err := client.Auth().Token().LookupSelf(); statusOf(err) != http.StatusForbidden {
		t.Errorf("after revoke-self: %v", err)
	}
}

// TestVaultClientErrors: what it makes of refusals.
func TestVaultClientErrors(t *testing.T) {
	t.Parallel()
	ann, bob := newVault(t, bed.tokens["ann"]), newVault(t, bed.tokens["bob"])
	made, err := ann.Logical().Read("openai/creds/search")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Sys().Renew(made.LeaseID, 0); statusOf(err) != http.StatusBadRequest {
		t.Errorf("bob renews ann's: %v", err)
	}
	if _, err := newVault(t, "s.none").Logical().Read("openai/creds/search"); statusOf(err) != http.StatusForbidden || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("an unknown token: %v", err)
	}
	if _, err := ann.Logical().Read("openai/creds/none"); statusOf(err) != http.StatusForbidden && statusOf(err) != http.StatusBadRequest {
		t.Errorf("an unknown role: %v", err)
	}
	if nothing, err := ann.Logical().Read("secret/data/x"); nothing != nil || err != nil {
		t.Errorf("another mount: %+v, %v, want neither: for this client it is an empty answer", nothing, err)
	}
	ann.SetNamespace("team")
	if _, err := ann.Logical().Read("openai/creds/search"); statusOf(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "Namespace") {
		t.Errorf("a namespace: %v", err)
	}
	ann.ClearNamespace()
	ann.SetWrappingLookupFunc(func(string, string) string { return "60s" })
	if _, err := ann.Logical().Read("openai/creds/search"); statusOf(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "wrapping") {
		t.Errorf("wrapping: %v", err)
	}
	ann.SetWrappingLookupFunc(nil)
	health, err := ann.Sys().Health()
	if err != nil || !health.Initialized || health.Sealed || health.Standby { //nolint:misspell // Vault's word.
		t.Errorf("health: %+v, %v", health, err)
	}
	if seal, err := ann.Sys().SealStatus(); err != nil || seal.Sealed || !seal.Initialized { //nolint:misspell // As above.
		t.Errorf("seal-status: %+v, %v", seal, err)
	}
}

// TestVaultLifetimeWatcher: the client's own watcher renews a lease until it cannot be
// renewed any further, and says so before it ends.
func TestVaultLifetimeWatcher(t *testing.T) {
	t.Parallel()
	client := newVault(t, bed.tokens["ann"])
	made, err := client.Logical().Read("openai/creds/brief")
	if err != nil {
		t.Fatal(err)
	}
	key, _ := made.Data["api_key"].(string)
	watcher, err := client.NewLifetimeWatcher(&vault.LifetimeWatcherInput{Secret: made})
	if err != nil {
		t.Fatal(err)
	}
	go watcher.Start()
	defer watcher.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for renewals := 0; ; {
		select {
		case <-watcher.RenewCh():
			renewals++
		case err := <-watcher.DoneCh():
			if err != nil || renewals < 2 {
				t.Errorf("done after %d renewals: %v", renewals, err)
			}
			if !bed.sandbox.KeyAlive(key) {
				t.Error("the key had ended before its client was told to get another")
			}
			return
		case <-ctx.Done():
			t.Fatal("the watcher does not end")
		}
	}
}
