package build

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/service/adminkeys"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// rotations rotate the admin key. A nil one does not.
type rotations struct{ *adminkeys.AdminKeys }

// alone is the name of a replica whose ledger nobody else can open.
const alone = "the only one"

// ledgerName is the name of this process among those over the ledger: its own, but for a
// process that is alone there, which has one name in all its lives.
func ledgerName(leases *leasing, replica string) string {
	if !leases.shared {
		return alone
	}
	return replica
}

// openAdminKeys makes what rotates the admin key, over the ledger of leases; nil without
// one. file is that of the key; "" if it is in none. drain is the longest time that a call
// takes.
func openAdminKeys(file string, drain time.Duration, key upstream.KeySource, leases *leasing, replica string, logger *slog.Logger) (*rotations, error) {
	if leases == nil {
		return nil, nil
	}
	made, err := adminkeys.New(adminkeys.Options{
		Ledger: leases.ledger, Marker: leases.marks, Key: ownKey{key, file}, Replica: ledgerName(leases, replica), Drain: drain, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return &rotations{made}, nil
}

// given is what the server rotates the key with; nil for none.
func (r *rotations) given() *adminkeys.AdminKeys {
	if r == nil {
		return nil
	}
	return r.AdminKeys
}

// Run takes part in rotations until ctx ends.
func (r *rotations) Run(ctx context.Context) error {
	if r == nil {
		return nil
	}
	return r.AdminKeys.Run(ctx)
}

// longestScrape bounds the question to the ledger for a scrape.
const longestScrape = time.Second

func (r *rotations) collectors() []prometheus.Collector {
	if r == nil {
		return nil
	}
	return []prometheus.Collector{prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gateway_admin_key_rotation_seconds", Help: "How long the rotation of the admin key has been under way; 0 for none. GetAdminKeyRotation says what it waits for.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), longestScrape)
		defer cancel()
		return r.Running(ctx).Seconds()
	})}
}

// ownKey is the admin key of this process, with its file: "" for none.
type ownKey struct {
	upstream.KeySource

	file string
}

// Replaceable implements [adminkeys.Key].
func (k ownKey) Replaceable() error {
	if k.file == "" {
		return adminkeys.ErrNoFile
	}
	return upstream.ReplaceableKeyFile(k.file)
}

// Replace implements [adminkeys.Key].
func (k ownKey) Replace(current, next upstream.Secret) error {
	if k.file == "" {
		return adminkeys.ErrNoFile
	}
	return upstream.ReplaceKeyFile(k.file, current, next)
}
