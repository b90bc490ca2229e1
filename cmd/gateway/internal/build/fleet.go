package build

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/fleet"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// replicas are all replicas of this gateway: those at the Redis of the config, or this
// process.
type replicas struct{ *fleet.Fleet }

// replicaName names this process: its machine, and this life of it.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "gateway"
	}
	return host + "-" + rand.Text()[:8]
}

// openFleet joins the other replicas at the Redis of the config. They are those of one
// base URL, as for the budget, and of one organization where the config names it. The
// admin key does not count: it differs while it is exchanged.
func openFleet(ctx context.Context, opened *closers, conf config.Config, logger *slog.Logger) (*replicas, error) {
	o := fleet.Options{Replica: replicaName(), Logger: logger}
	if conf.Cache.RedisURL != "" {
		digest := sha256.Sum256([]byte("admin-gateway fleet\x00" + conf.Upstream.BaseURL + "\x00" + conf.Leases.Organization))
		o.Scope = hex.EncodeToString(digest[:16])
		var err error
		if o.Redis, err = openRedis(ctx, opened, conf.Cache, redisclient.Config{Patience: fleet.CallTimeout}, logger); err != nil {
			return nil, err
		}
		if o.Seal, err = sealerOf(ctx, conf.Cache.EncryptionKeys, logger); err != nil {
			return nil, err
		}
	}
	made, err := fleet.New(o)
	if err != nil {
		return nil, err
	}
	return &replicas{made}, nil
}

// sealerOf encrypts with the keys of the config; nil where it has none.
func sealerOf(ctx context.Context, keys []config.SecretRef, logger *slog.Logger) (*seal.Sealer, error) {
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // Encryption is optional.
	}
	raw, err := encryptionKeys(ctx, keys, logger)
	if err != nil {
		return nil, config.AtKey("cache.encryption_keys", err)
	}
	made, err := seal.New(raw)
	if err != nil {
		return nil, config.AtKey("cache.encryption_keys", err)
	}
	return &made, nil
}

func (r *replicas) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_replicas", Help: "Replicas of this gateway, as this one knows them; 0 while Redis does not answer.",
		}, func() float64 { return float64(r.Members()) }),
		newCounter("gateway_replica_questions_answered_total", "Questions of other replicas that this one has answered, for operators.", r.Answered),
		newCounter("gateway_replica_questions_dropped_total", "Questions of other replicas that this one has not answered, because too many came.", r.Dropped),
	}
}
