package diagnose

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// issuers fetches the keys of each.
func (d *diagnosis) issuers(ctx context.Context) {
	for i, issuer := range d.Issuers() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		n, err := issuer.CountKeys(ctx)
		cancel()
		d.result(fmt.Sprintf("authn.issuers[%d]", i), err, fmt.Sprintf("keys: %d", n), "the JWTs of this issuer are refused; is its URL right, and may this machine connect?")
	}
}

// collector connects to that of spans and metrics.
func (d *diagnosis) collector(ctx context.Context) {
	const key = "telemetry.otlp_endpoint"
	t := d.Config.Telemetry
	if t.OTLPEndpoint == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	address, secure := collectorOf(t.OTLPEndpoint, t.OTLPInsecure)
	var err error
	var conn net.Conn
	if secure {
		conn, err = (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if err == nil {
		_ = conn.Close()
	}
	d.result(key, err, address+" accepts connections", "spans and metrics are dropped, and calls go on")
}

// collectorOf is the address of a collector, and whether it is by TLS.
func collectorOf(endpoint string, insecure bool) (address string, secure bool) {
	if !strings.Contains(endpoint, "://") {
		return endpoint, !insecure
	}
	target, err := url.Parse(endpoint)
	if err != nil { // The config was checked.
		return endpoint, !insecure
	}
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	return net.JoinHostPort(target.Hostname(), port), target.Scheme == "https"
}
