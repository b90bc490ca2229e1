package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
)

// Check tells all that is wrong, each with the key.
func (c *Config) Check(d Defaults) error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("config key "+key+": "+format, args...))
	}
	for key, address := range map[string]string{"listen": c.Listen, "grpc_listen": c.GRPCListen, "ops_listen": c.OpsListen} {
		if _, _, err := net.SplitHostPort(address); err != nil && (key != "grpc_listen" || address != "") {
			fault(key, "%q is no host:port", address)
		}
	}
	if key := c.Upstream.AdminKey; (key.Env == "") == (key.File == "") {
		fault("upstream.admin_key", "exactly one of env and file must say where the admin key is")
	}
	c.Cache.checkRedis(fault)
	c.Cache.checkRedisTLS(fault)
	for i, key := range c.Cache.EncryptionKeys {
		if (key.Env == "") == (key.File == "") || i > 1 {
			fault("cache.encryption_keys", "one or two, each with either env or file")
			break
		}
	}
	if len(c.Cache.EncryptionKeys) > 0 && c.Cache.RedisURL == "" {
		fault("cache.encryption_keys", "goes with redis_url: nothing else leaves the process")
	}
	if c.Cache.Jitter < 0 || c.Cache.Jitter > 1 {
		fault("cache.jitter", "a part, from 0 to 1")
	}
	if c.Policy == "" {
		fault("policy", "the path of a policy file is missing; without one nobody may call")
	}
	c.Telemetry.check(fault)
	t := c.TLS
	switch files := t.CertFile != "" || t.KeyFile != "" || t.ClientCAFile != ""; {
	case files && t.SPIFFESocket != "":
		fault("tls", "certificates come from files or from spiffe_socket, not from both")
	case files && (t.CertFile == "" || t.KeyFile == ""):
		fault("tls", "cert_file and key_file go together")
	case len(t.TrustDomains) > 0 && t.SPIFFESocket == "":
		fault("tls.trust_domains", "goes with spiffe_socket")
	}
	if o := c.OpsTLS; (o.CertFile == "") != (o.KeyFile == "") || o.ClientCAFile != "" && o.CertFile == "" {
		fault("ops_tls", "cert_file and key_file go together, and client_ca_file with them")
	}
	c.CORS.check(fault)
	c.Limits.check(fault, d.LongestCall)
	c.Inventory.check(fault)
	c.Shutdown.check(fault)
	return errors.Join(faults...)
}

func within[T cmp.Ordered](fault func(key, format string, args ...any), key string, value, least, most T) {
	if value < least || value > most {
		fault(key, "%v is not within %v and %v", value, least, most)
	}
}
