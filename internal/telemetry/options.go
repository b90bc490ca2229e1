package telemetry

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"
)

// Options configure [Open]. Endpoint and Service are required.
type Options struct {
	// Endpoint is where a collector takes OTLP: host:port for gRPC, or a URL with
	// http:// or https:// for HTTP, to which /v1/traces and /v1/metrics are
	// appended.
	Endpoint string
	// Insecure does without TLS, which an http:// endpoint has to say too.
	Insecure bool
	// Headers go with every export, for a collector that authenticates senders.
	// Their values are secrets.
	Headers map[string]string
	// SampleRatio is the share of traces that are sampled, 0 to 1, of those that
	// begin here. For the others the caller has decided.
	SampleRatio float64
	// Service is the service name of all spans and metrics.
	Service string
	// Version is that of the build; "" is not sent.
	Version string
	// MetricsInterval is the time between two exports of the metrics; default
	// 30 s.
	MetricsInterval time.Duration
	// SpansDelay is how long ended spans are collected before they are sent;
	// default 5 s.
	SpansDelay time.Duration
	// Logger gets a line for each export that fails; nil discards.
	Logger *slog.Logger
}

// Check reports the fault of options with which [Open] would fail, without quoting the
// endpoint: it may have a password. It connects to nothing.
func Check(o Options) error { return o.check() }

// check reports the fault of the endpoint without quoting it: it may have a
// password.
func (o *Options) check() error {
	target, isURL, err := o.target()
	switch {
	case err != nil:
		return err
	case isURL && target.Scheme == "http" && !o.Insecure:
		return errors.New("http:// is without TLS, and needs insecure")
	case isURL && target.Scheme == "https" && o.Insecure:
		return errors.New("https:// is with TLS, and insecure without")
	case o.Service == "":
		return errors.New("the service has no name")
	case !(o.SampleRatio >= 0 && o.SampleRatio <= 1):
		return errors.New("the sample ratio is a part, from 0 to 1")
	}
	if o.MetricsInterval <= 0 {
		o.MetricsInterval = 30 * time.Second
	}
	if o.SpansDelay <= 0 {
		o.SpansDelay = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

var errEndpoint = errors.New("the endpoint is neither host:port nor a URL with http:// or https://")

// target is the URL of an endpoint for HTTP; false for one for gRPC.
func (o *Options) target() (*url.URL, bool, error) {
	if !strings.Contains(o.Endpoint, "://") {
		_, port, err := net.SplitHostPort(o.Endpoint)
		if err != nil || port == "" {
			return nil, false, errEndpoint
		}
		return nil, false, nil
	}
	target, err := url.Parse(o.Endpoint)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, false, errEndpoint
	}
	if target.User != nil || target.RawQuery != "" || target.Fragment != "" {
		return nil, false, errors.New("the endpoint has a user, a query or a fragment")
	}
	return target, true, nil
}
