package redisledger

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// TestLedgerInACluster: every script and every read has its keys in one slot.
func TestLedgerInACluster(t *testing.T) {
	t.Parallel()
	addrs := redistest.StartCluster(t)
	client, err := redisclient.New(redisclient.Config{URL: "redis+cluster://" + addrs[0] + "?addr=" + addrs[1], Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	exercise(t, open(t, client, testOptions(t)))
}
