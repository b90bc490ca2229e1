package config

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
)

// Audit configures the audit log.
type Audit struct {
	// Path is a file, a FIFO, a socket, or "-" for standard output.
	Path     string        `yaml:"path"`
	Required AuditRequired `yaml:"required"`
	// Sync makes a record durable before it counts as written.
	Sync bool `yaml:"sync"`
	// Memory is how many bytes of the last records are kept in memory; 0: none.
	Memory ByteSize `yaml:"memory"`
	// HMACKey makes the fingerprints of requests. The zero value makes none.
	HMACKey SecretRef `yaml:"hmac_key"`
	// TrustedProxies are believed when they say for whom they speak.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// ForwardedHeader is where they say it.
	ForwardedHeader ForwardedHeader `yaml:"forwarded_header"`
}

// AuditRequired says of which calls a record is required.
type AuditRequired string

const (
	// AuditNothing requires none.
	AuditNothing AuditRequired = "false"
	// AuditWrites requires those of writes. It is also written true.
	AuditWrites AuditRequired = "writes"
	// AuditSensitive requires those of writes, of reads about access, and of streams.
	AuditSensitive AuditRequired = "sensitive"
	// AuditAll requires that of every call.
	AuditAll AuditRequired = "all"
)

var errNoRequirement = errors.New("not a requirement of records")

// Form describes the notation, for error messages and the reference.
func (AuditRequired) Form() string { return "false, true (or writes), sensitive or all" }

// String returns a notation that UnmarshalText reads.
func (r AuditRequired) String() string { return string(r) }

// UnmarshalText reads one of them.
func (r *AuditRequired) UnmarshalText(text []byte) error {
	if string(text) == "true" {
		*r = AuditWrites
		return nil
	}
	return readWord(r, text, errNoRequirement, AuditNothing, AuditWrites, AuditSensitive, AuditAll)
}

// ForwardedHeader is the header in which proxies say for whom they speak.
type ForwardedHeader string

const (
	// XForwardedFor has a list of addresses.
	XForwardedFor ForwardedHeader = "X-Forwarded-For"
	// Forwarded is that of RFC 7239.
	Forwarded ForwardedHeader = "Forwarded"
)

var errNoForwardedHeader = errors.New("not a header of proxies")

// Form describes the notation, for error messages and the reference.
func (ForwardedHeader) Form() string { return "X-Forwarded-For or Forwarded" }

// String returns the notation that UnmarshalText reads.
func (h ForwardedHeader) String() string { return string(h) }

// UnmarshalText reads one of the two.
func (h *ForwardedHeader) UnmarshalText(text []byte) error {
	return readWord(h, []byte(http.CanonicalHeaderKey(string(text))), errNoForwardedHeader, XForwardedFor, Forwarded)
}

func defaultAudit() Audit {
	return Audit{Path: "-", Memory: 16 << 20, Required: AuditNothing, ForwardedHeader: XForwardedFor}
}

func (a *Audit) settings() []setting {
	return []setting{
		{"audit.path", &a.Path},
		{"audit.required", &a.Required},
		{"audit.sync", &a.Sync},
		{"audit.memory", &a.Memory},
		{"audit.hmac_key.env", &a.HMACKey.Env},
		{"audit.hmac_key.file", &a.HMACKey.File},
		{"audit.trusted_proxies", &a.TrustedProxies},
		{"audit.forwarded_header", &a.ForwardedHeader},
	}
}

// Proxies are the trusted proxies. A single address is written without a length.
func (a *Audit) Proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range a.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil {
			prefix, err = address.Prefix(address.BitLen())
		}
		if err != nil || prefix.Masked() != prefix {
			return nil, errors.New(text + " is not an address or a network such as 10.0.0.0/8")
		}
		all = append(all, prefix)
	}
	return all, nil
}

// check reports values that contradict each other.
func (a *Audit) check(fault func(key, format string, args ...any)) {
	if a.HMACKey.Env != "" && a.HMACKey.File != "" {
		fault("audit.hmac_key", "set either env or file")
	}
	if a.Sync && (a.Path == "-" || a.Path == "" || strings.Contains(a.Path, "://")) {
		fault("audit.sync", "needs a file: standard output and sockets cannot be synced")
	}
	within(fault, "audit.memory", a.Memory, 0, 1<<30)
	if _, err := a.Proxies(); err != nil {
		fault("audit.trusted_proxies", "%w", err)
	}
}
