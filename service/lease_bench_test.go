package service_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/lease/redisledger"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// BenchmarkLease is what a lease costs beside the upstream's own time: each create and
// each renewal through the gateway is held against the same call made at the upstream
// without it, which comes right before. added-ms is the difference, and upstream-ms the
// latter.
func BenchmarkLease(b *testing.B) {
	b.Run("file", func(b *testing.B) { benchmarkLeases(b) })
	b.Run("Redis", func(b *testing.B) {
		server := redistest.StartServer(b, "--appendonly", "yes", "--appendfsync", "everysec")
		b.Cleanup(server.Kill)
		client, err := redisclient.New(redisclient.Config{URL: "redis://" + server.Addr, Patience: time.Second})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = client.Close() })
		sealer, err := seal.New([][]byte{bytes.Repeat([]byte{7}, seal.KeyBytes)})
		if err != nil {
			b.Fatal(err)
		}
		ledger, err := redisledger.Open(b.Context(), client, redisledger.Options{Organization: "org", Sealer: &sealer, CallTimeout: time.Second})
		if err != nil {
			b.Fatal(err)
		}
		benchmarkLeases(b, ledger)
	})
}

func benchmarkLeases(b *testing.B, ledger ...lease.Ledger) {
	b.Helper()
	box := gatewaytest.NewSandbox(b, sandbox.Options{})
	keys, err := box.ProjectKeys("")
	if err != nil {
		b.Fatal(err)
	}
	project := keys[0].ProjectID
	g := gatewaytest.New(b, gatewaytest.WithSandbox(box), gatewaytest.WithLeases(broker.KeeperOptions{}, ledger...), gatewaytest.WithPolicy(fmt.Sprintf(`
roles: [{name: search, project: %s, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h, max_live: 100000}]
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"], roles: ["*"]}]
    limits: $free
    leases: {max_live: 100000, mints_per_hour: 100000}
`, project)))
	client := leasev1connect.NewLeaseServiceClient(g.Client("root"))
	create := func(b *testing.B, request string) *leasev1.Lease {
		b.Helper()
		answer, err := client.CreateLease(b.Context(), &leasev1.CreateLeaseRequest{Role: "search", RequestId: request})
		if err != nil {
			b.Fatal(err)
		}
		return answer.GetLease()
	}
	first := create(b, "first") // It makes the account.
	direct := func(b *testing.B, path, body string) {
		b.Helper()
		request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, box.URL+"/v1/organization/projects/"+project+path, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+sandbox.DefaultAdminKey)
		request.Header.Set("Content-Type", "application/json")
		answer, err := box.Client.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			b.Fatal(answer.Status, err)
		}
	}
	compare := func(b *testing.B, upstream, gateway func(i int)) {
		b.Helper()
		var alone, through time.Duration
		n := 0
		for ; b.Loop(); n++ {
			began := time.Now()
			upstream(n)
			middle := time.Now()
			gateway(n)
			alone += middle.Sub(began)
			through += time.Since(middle)
		}
		ms := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(n) }
		b.ReportMetric(ms(alone), "upstream-ms")
		b.ReportMetric(ms(through-alone), "added-ms")
	}
	b.Run("create", func(b *testing.B) {
		run := fmt.Sprint(time.Now().UnixNano())
		compare(b, func(int) {
			direct(b, "/service_accounts/"+first.GetServiceAccountId()+"/api_keys", `{"name": "direct", "expires_in_seconds": 3720, "scopes": ["api.model.request"]}`)
		}, func(i int) { create(b, fmt.Sprint(run, "-", i)) })
	})
	b.Run("renew", func(b *testing.B) {
		id := create(b, fmt.Sprint("renewed-", time.Now().UnixNano()))
		compare(b, func(int) {
			direct(b, "/api_keys/"+first.GetApiKeyId(), `{"expires_in_seconds": 3720}`)
		}, func(int) {
			if _, err := client.RenewLease(b.Context(), &leasev1.RenewLeaseRequest{LeaseId: id.GetId()}); err != nil {
				b.Fatal(err)
			}
		})
	})
}
