package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Check reports every fault of the values at once, each with its key.
func (c *Config) Check(d Defaults) error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, AtKey(key, fmt.Errorf(format, args...)))
	}
	for key, address := range map[string]string{"listen": c.Listen, "grpc_listen": c.GRPCListen, "ops_listen": c.OpsListen, "vault_listen": c.VaultListen, "console_listen": c.ConsoleListen} {
		if !isAddress(address) && (key == "listen" || key == "ops_listen" || address != "") {
			fault(key, "%q is not a host:port address, with a port from 0 to 65535", address)
		}
	}
	c.checkPorts(fault)
	if key := c.Upstream.AdminKey; (key.Env == "") == (key.File == "") {
		fault("upstream.admin_key", "set exactly one of env and file")
	}
	c.Cache.checkRedis(fault)
	c.Cache.checkRedisTLS(fault)
	for i, key := range c.Cache.EncryptionKeys {
		if (key.Env == "") == (key.File == "") || i > 1 {
			fault("cache.encryption_keys", "set one or two keys, each with either env or file")
			break
		}
	}
	if len(c.Cache.EncryptionKeys) > 0 && c.Cache.RedisURL == "" {
		fault("cache.encryption_keys", "has no effect without redis_url: only Redis gets encrypted data")
	}
	if c.Cache.Jitter < 0 || c.Cache.Jitter > 1 {
		fault("cache.jitter", "must be from 0 to 1")
	}
	if c.Policy == "" {
		fault("policy", "the path of the policy file is missing; without a policy nobody may call")
	}
	c.Vault.check(fault)
	c.Console.check(fault, c.ConsoleListen, c.Authn.Issuers)
	c.Log.check(fault)
	c.Telemetry.check(fault)
	t := c.TLS
	switch files := t.CertFile != "" || t.KeyFile != "" || t.ClientCAFile != ""; {
	case files && t.SPIFFESocket != "":
		fault("tls", "certificates come from files or from spiffe_socket, not from both")
	case files && (t.CertFile == "" || t.KeyFile == ""):
		fault("tls", "cert_file and key_file go together")
	case len(t.TrustDomains) > 0 && t.SPIFFESocket == "":
		fault("tls.trust_domains", "has no effect without spiffe_socket")
	}
	if o := c.OpsTLS; (o.CertFile == "") != (o.KeyFile == "") || o.ClientCAFile != "" && o.CertFile == "" {
		fault("ops_tls", "cert_file and key_file go together, and client_ca_file with them")
	}
	c.Audit.check(fault)
	c.CORS.check(fault)
	c.Limits.check(fault, d.LongestCall)
	c.Inventory.check(fault)
	c.Leases.check(fault, c.Cache.RedisURL != "")
	c.Shutdown.check(fault)
	return errors.Join(faults...)
}

// isAddress tells whether a listener can have an address: a host, or none for all of the
// machine's, and a port.
func isAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// checkPorts reports listeners that would have one address.
func (c *Config) checkPorts(fault func(key, format string, args ...any)) {
	seen := make(map[string]string)
	for _, l := range []struct{ key, address string }{
		{"listen", c.Listen}, {"grpc_listen", c.GRPCListen}, {"ops_listen", c.OpsListen}, {"vault_listen", c.VaultListen}, {"console_listen", c.ConsoleListen},
	} {
		if _, port, err := net.SplitHostPort(l.address); err != nil || port == "0" {
			continue
		}
		if other := seen[l.address]; other != "" {
			fault(l.key, "%q is the address of %s too", l.address, other)
		}
		seen[l.address] = l.key
	}
}

func within[T cmp.Ordered](fault func(key, format string, args ...any), key string, value, least, most T) {
	if value < least || value > most {
		fault(key, "%v is not between %v and %v", value, least, most)
	}
}
