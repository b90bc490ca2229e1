package diagnose

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// expiresSoon is how long before its end a certificate is worth a warning.
const expiresSoon = 14 * 24 * time.Hour

// certificates opens those of the listeners, and the authorities of others.
func (d *diagnosis) certificates(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := d.Config
	key := "tls.cert_file"
	if c.TLS.SPIFFESocket != "" {
		key = "tls.spiffe_socket"
	}
	d.served(ctx, key, d.TLS, "callers cannot connect; certificate, key and authorities have to be readable, and to fit together")
	d.served(ctx, "ops_tls.cert_file", d.OpsTLS, "operators cannot connect; certificate, key and authorities have to be readable, and to fit together")
	d.authorities("tls.client_ca_file", c.TLS.ClientCAFile)
	d.authorities("ops_tls.client_ca_file", c.OpsTLS.ClientCAFile)
	d.authorities("cache.redis_ca_file", c.Cache.RedisCAFile)
	for i, issuer := range c.Authn.Issuers {
		d.authorities(fmt.Sprintf("authn.issuers[%d].ca_file", i), issuer.CAFile)
	}
	if c.Cache.RedisCertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.Cache.RedisCertFile, c.Cache.RedisKeyFile)
		if err == nil {
			d.certificate("cache.redis_cert_file", pair.Leaf)
		} else {
			d.failure("cache.redis_cert_file", err.Error()+": Redis cannot be reached; certificate and key have to fit together")
		}
	}
}

// served reports the certificate that a listener shows; nothing where it has no TLS.
func (d *diagnosis) served(ctx context.Context, key string, open func(context.Context) (*tls.Config, error), advice string) {
	config, err := open(ctx)
	switch {
	case err != nil:
		d.failure(key, err.Error()+": "+advice)
		return
	case config == nil:
		return
	}
	leaf, err := leafOf(config)
	if err != nil {
		d.failure(key, err.Error()+": "+advice)
		return
	}
	d.certificate(key, leaf)
}

// leafOf is the certificate that a client without wishes is shown.
func leafOf(config *tls.Config) (*x509.Certificate, error) {
	hello := new(tls.ClientHelloInfo)
	if config.GetConfigForClient != nil {
		current, err := config.GetConfigForClient(hello)
		if err != nil {
			return nil, err
		}
		config = current
	}
	pair := new(tls.Certificate)
	switch {
	case len(config.Certificates) > 0:
		pair = &config.Certificates[0]
	case config.GetCertificate != nil:
		shown, err := config.GetCertificate(hello)
		if err != nil {
			return nil, err
		}
		pair = shown
	}
	switch {
	case pair.Leaf != nil:
		return pair.Leaf, nil
	case len(pair.Certificate) > 0:
		return x509.ParseCertificate(pair.Certificate[0])
	}
	return nil, errors.New("there is no certificate")
}

// certificate reports the names and the end of a certificate.
func (d *diagnosis) certificate(key string, leaf *x509.Certificate) {
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	level, when := d.validity(leaf)
	text := "for " + strings.Join(names, ", ") + when
	if len(names) == 0 {
		// Clients look at nothing but the alternative names (RFC 9110, section 4.3.4).
		level, text = worse(level, Warning), "without a name, which clients refuse"+when
	}
	d.report(Finding{key, level, text})
}

// validity says until when a certificate is valid.
func (d *diagnosis) validity(c *x509.Certificate) (level Level, text string) {
	now, end := d.now(), c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.After(c.NotAfter):
		return Failure, "; expired on " + end + ": renew it"
	case now.Before(c.NotBefore):
		return Failure, "; not valid before " + c.NotBefore.UTC().Format(time.DateOnly) + ": is the clock right?"
	case c.NotAfter.Sub(now) < expiresSoon && c.NotAfter.Sub(c.NotBefore) > 2*expiresSoon:
		// Those that live for less are renewed by a machine, and are always about to end.
		return Warning, "; expires on " + end + ": renew it"
	}
	return OK, "; valid until " + end
}

// authorities reports those of a file; "" is none. One that has expired verifies nothing.
func (d *diagnosis) authorities(key, path string) {
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		d.failure(key, err.Error()+": the peers of this key cannot be verified")
		return
	}
	level, n := OK, 0
	var faults []string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			level = worse(level, Warning)
			faults = append(faults, "; one cannot be read")
			continue
		}
		n++
		if l, when := d.validity(authority); l != OK {
			level = worse(level, Warning)
			faults = append(faults, "; "+authority.Subject.CommonName+when)
		}
	}
	if n == 0 {
		level = Failure
		faults = append(faults, ": the peers of this key cannot be verified")
	}
	d.report(Finding{key, level, fmt.Sprintf("authorities: %d%s", n, strings.Join(faults, ""))})
}

// worse is the worse of two levels.
func worse(a, b Level) Level {
	if a == Failure || b == Failure {
		return Failure
	}
	if a == Warning || b == Warning {
		return Warning
	}
	return OK
}
