package leases_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/client/leases"
)

// TestRotate: the lease goes on with another key, also where answers are lost, and Keep
// does not take it for somebody else's.
func TestRotate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, 24*time.Hour)
		lost := 2
		g.after = func(rpc string) error {
			if rpc == "rotate" && lost > 0 {
				lost--
				return cut()
			}
			return nil
		}
		k := keep(t, g)
		before := k.Key()
		for range 5 { // Also while a renewal is under way, or due.
			key, err := k.Rotate(t.Context(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if key.Secret() == before.Secret() || k.Key().Secret() != key.Secret() || key.Lease().GetId() != before.Lease().GetId() {
				t.Fatalf("%v after %v", key, before)
			}
			if dead := k.watch(g, time.Minute, 2*time.Hour); dead > 0 {
				t.Errorf("the key did not work for %d minutes", dead)
			}
			before = key
		}
		if err := k.end(); !errors.Is(err, context.Canceled) || len(k.keys) != 5 || g.count("create") != 1 || g.rotations != 5 {
			t.Errorf("%v; %d keys came, %d leases and %d rotations were made", err, len(k.keys), g.count("create"), g.rotations)
		}
	})
}

// TestRotateIsRefused at once, and the key stays; one that is not answered has an end.
func TestRotateIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, 24*time.Hour)
		k := keep(t, g)
		key := k.Key()
		g.change(func() {
			g.before = func(rpc string) error {
				if rpc == "rotate" {
					return remote(connect.CodePermissionDenied, "PERMISSION_DENIED", 0)
				}
				return nil
			}
		})
		if _, err := k.Rotate(t.Context(), 0); connect.CodeOf(err) != connect.CodePermissionDenied || g.count("rotate") != 1 || k.Key().Secret() != key.Secret() {
			t.Errorf("%v after %d calls", err, g.count("rotate"))
		}
		g.change(func() { g.hangs = func(rpc string) bool { return rpc == "rotate" } })
		began := time.Now()
		if _, err := k.Rotate(t.Context(), 0); err == nil || time.Since(began) > 20*time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if dead := k.watch(g, time.Minute, 2*time.Hour); dead > 0 {
			t.Errorf("the key did not work for %d minutes", dead)
		}
		_ = k.end()
	})
}

// TestRenew moves the end.
func TestRenew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, 24*time.Hour)
		held, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"})
		if err != nil {
			t.Fatal(err)
		}
		end := held.Key().Lease().GetExpiresAt().AsTime()
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		if err := held.Renew(t.Context()); err != nil || !held.Key().Lease().GetExpiresAt().AsTime().After(end) {
			t.Errorf("%v, end %v, was %v", err, held.Key().Lease().GetExpiresAt().AsTime(), end)
		}
	})
}

// TestTransport: the key of the moment goes to its origin, and nowhere else.
func TestTransport(t *testing.T) {
	t.Parallel()
	var elsewhere, there []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there = append(there, r.Header.Get("Authorization"))
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(api.Close)
	g := newGateway(time.Hour, 24*time.Hour)
	held, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"})
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	call := &http.Client{Transport: held.Transport(api.URL+"/", base)}
	for range 2 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+"/v1/models", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := call.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if request.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
		if _, err := held.Rotate(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(there) != 2 || there[0] != "Bearer sk-secret-1" || there[1] != "Bearer sk-rotated-1" || len(elsewhere) != 2 || elsewhere[0]+elsewhere[1] != "" {
		t.Errorf("there %q, elsewhere %q", there, elsewhere)
	}
}
