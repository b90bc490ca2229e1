package diagnose

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// othersMayRead are the permissions of a file that let every user of the machine read it.
const othersMayRead fs.FileMode = 0o004

// secrets reads every secret, and looks at who else may.
func (d *diagnosis) secrets(ctx context.Context) {
	c := d.Config
	d.secret(ctx, "upstream.admin_key", c.Upstream.AdminKey)
	if c.Cache.RedisPassword != (config.SecretRef{}) {
		d.secret(ctx, "cache.redis_password", c.Cache.RedisPassword)
	}
	if c.Console.OIDC.ClientSecret != (config.SecretRef{}) {
		d.secret(ctx, "console.oidc.client_secret", c.Console.OIDC.ClientSecret)
	}
	if len(c.Cache.EncryptionKeys) > 0 {
		const key = "cache.encryption_keys"
		if d.result(key, d.EncryptionKeys(ctx), "read", "a key is 32 random bytes in base64, as openssl rand -base64 32 prints them") {
			for _, ref := range c.Cache.EncryptionKeys {
				d.openFile(key, ref.File)
			}
		}
	}
	if c.Audit.HMACKey != (config.SecretRef{}) {
		const key = "audit.hmac_key"
		if d.result(key, d.FingerprintKey(ctx), "read", "a key is 32 random bytes in base64, as openssl rand -base64 32 prints them") {
			d.openFile(key, c.Audit.HMACKey.File)
		}
	}
	for i, h := range c.Telemetry.OTLPHeaders {
		key := fmt.Sprintf("telemetry.otlp_headers[%d]", i)
		if d.result(key, d.Header(h), "read", "put the value into the variable or the file that the key names") {
			d.openFile(key, h.File)
		}
	}
}

func (d *diagnosis) secret(ctx context.Context, key string, ref config.SecretRef) {
	_, err := d.Secret(ctx, ref)
	if d.result(key, err, "read", "put the secret into the variable or the file that the key names") {
		d.openFile(key, ref.File)
	}
}

// openFile warns of a file with a secret that others may read; "" is none.
func (d *diagnosis) openFile(key, path string) {
	if path == "" {
		return
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&othersMayRead != 0 {
		d.warn(key, fmt.Sprintf("every user of this machine may read %s (mode %#o): chmod o= it, or set defaultMode of a mounted secret", path, info.Mode().Perm()))
	}
}
